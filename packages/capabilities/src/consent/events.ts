import type { LedgerEvent } from '@careledger/ledger';
import { type ConsentId, type OrganizationId, toHex } from '@careledger/primitives';

export function consentGranted(consentId: ConsentId, custodian: OrganizationId): LedgerEvent {
  return { type: 'consent/granted', attributes: { consentId: toHex(consentId), custodian } };
}

export function consentRevoked(consentId: ConsentId, custodian: OrganizationId): LedgerEvent {
  return { type: 'consent/revoked', attributes: { consentId: toHex(consentId), custodian } };
}
