import type { LedgerEvent } from '@careledger/ledger';
import { type OrganizationId, toHex } from '@careledger/primitives';
import type { LocatorEntryId } from './messages.ts';

export function entryPublished(organization: OrganizationId, entryId: LocatorEntryId): LedgerEvent {
  return { type: 'locator/published', attributes: { organization, entryId: toHex(entryId) } };
}

export function entryWithdrawn(organization: OrganizationId, entryId: LocatorEntryId): LedgerEvent {
  return { type: 'locator/withdrawn', attributes: { organization, entryId: toHex(entryId) } };
}
