import type { StateReader } from '@careledger/state-machine';
import type { LocatorEntryId } from './messages.ts';
import { ENTRY_PREFIX, type LocatorRecord, locatorRecordCodec } from './state.ts';

export interface ListedEntry extends LocatorRecord {
  readonly entryId: LocatorEntryId;
}

/** The entries that stand now, in the order of their ids: a member tries to open each. */
export function listEntries(state: StateReader, countMax: number): readonly ListedEntry[] {
  return [...state.scan(ENTRY_PREFIX, countMax)].map(([key, value]) => ({
    entryId: key.slice(ENTRY_PREFIX.length) as LocatorEntryId,
    ...locatorRecordCodec.decode(value),
  }));
}
