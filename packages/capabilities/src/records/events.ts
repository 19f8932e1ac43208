import type { LedgerEvent } from '@careledger/ledger';
import { type OrganizationId, toHex } from '@careledger/primitives';

/** Which versions a batch retires is not told: only who knows a secret can look. */
export function recordsAnchored(organization: OrganizationId, index: number, root: Uint8Array): LedgerEvent {
  return { type: 'records/anchored', attributes: { organization, index: String(index), root: toHex(root) } };
}
