import type { LedgerEvent } from '@careledger/ledger';
import { type OrganizationId, toHex } from '@careledger/primitives';

/** Which versions a batch retires is not told: only who knows a secret can look. */
export function recordsAnchored(organization: OrganizationId, index: number, root: Uint8Array): LedgerEvent {
  return { type: 'records/anchored', attributes: { organization, index: String(index), root: toHex(root) } };
}

export function recordDisputed(organization: OrganizationId, leaf: Uint8Array, reason: string): LedgerEvent {
  return { type: 'records/disputed', attributes: { organization, leaf: toHex(leaf), reason } };
}
