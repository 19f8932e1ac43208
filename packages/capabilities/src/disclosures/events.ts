import type { LedgerEvent } from '@careledger/ledger';
import { type OrganizationId, toHex } from '@careledger/primitives';

export function disclosuresAnchored(
  organization: OrganizationId,
  index: number,
  root: Uint8Array,
): LedgerEvent {
  return {
    type: 'disclosures/anchored',
    attributes: { organization, index: String(index), root: toHex(root) },
  };
}

export function disclosuresAcknowledged(
  organization: OrganizationId,
  index: number,
  root: Uint8Array,
): LedgerEvent {
  return {
    type: 'disclosures/acknowledged',
    attributes: { organization, index: String(index), root: toHex(root) },
  };
}
