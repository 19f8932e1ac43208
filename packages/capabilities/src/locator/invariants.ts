import type { Invariant } from '@careledger/state-machine';
import { ENTRY_ID_BYTES } from './messages.ts';
import { listEntries } from './queries.ts';
import { locatorRecordCodec } from './state.ts';

const ENTRIES_CHECKED_MAX = 1_000_000;

export const entriesLookAlike: Invariant = {
  name: 'locator/entries-look-alike',
  check(state) {
    const lengths = new Map<string, number>();
    for (const { entryId, organization, ciphertext } of listEntries(state, ENTRIES_CHECKED_MAX)) {
      if (entryId.length !== ENTRY_ID_BYTES) return 'an entry id has another length';
      const length = locatorRecordCodec.encode({ organization, ciphertext }).length;
      const known = lengths.get(organization) ?? length;
      if (known !== length) return `entries of ${organization} differ in length`;
      lengths.set(organization, length);
    }
    return undefined;
  },
};
