import {
  type Codec,
  concat,
  fixedBytes,
  type OrganizationId,
  organizationIdCodec,
  struct,
  utf8,
} from '@careledger/primitives';
import type { StateReader, Write } from '@careledger/state-machine';
import { CIPHERTEXT_BYTES, type LocatorEntryId } from './messages.ts';

export interface LocatorRecord {
  readonly organization: OrganizationId;
  readonly ciphertext: Uint8Array;
}

export const locatorRecordCodec: Codec<LocatorRecord> = struct({
  organization: organizationIdCodec,
  ciphertext: fixedBytes(CIPHERTEXT_BYTES),
});

export const ENTRY_PREFIX: Uint8Array = utf8('locator/entry/');

/** `locator/entry/<entryId>` → LocatorRecord; removed when withdrawn. */
export function entryKey(entryId: LocatorEntryId): Uint8Array {
  return concat(ENTRY_PREFIX, entryId);
}

export function readEntry(state: StateReader, entryId: LocatorEntryId): LocatorRecord | undefined {
  const bytes = state.get(entryKey(entryId));
  return bytes === undefined ? undefined : locatorRecordCodec.decode(bytes);
}

export function writeEntry(entryId: LocatorEntryId, record: LocatorRecord): Write {
  return { key: entryKey(entryId), value: locatorRecordCodec.encode(record) };
}

export function removeEntry(entryId: LocatorEntryId): Write {
  return { key: entryKey(entryId), value: undefined };
}
