import { type Capability, messageType } from '@careledger/state-machine';
import { entriesLookAlike } from './invariants.ts';
import { publishEntriesCodec, withdrawEntriesCodec } from './messages.ts';
import { rejections } from './rejections.ts';
import { publishEntries, withdrawEntries } from './transitions.ts';

export const locator: Capability = {
  name: 'locator',
  codeBase: 3000,
  rejections,
  messages: {
    'locator/publish': messageType({ codec: publishEntriesCodec, transition: publishEntries }),
    'locator/withdraw': messageType({ codec: withdrawEntriesCodec, transition: withdrawEntries }),
  },
  invariants: [entriesLookAlike],
};

export {
  CIPHERTEXT_BYTES,
  ENTRIES_MAX,
  ENTRY_ID_BYTES,
  type LocatorEntry,
  type LocatorEntryId,
  locatorEntryIdCodec,
  type PublishEntries,
  publishEntriesCodec,
  type WithdrawEntries,
  withdrawEntriesCodec,
} from './messages.ts';
export { LOCATOR_PLAINTEXT_BYTES, LOCATOR_TAG_BYTES } from './plaintext.ts';
export { type ListedEntry, listEntries } from './queries.ts';
export type { LocatorRejection } from './rejections.ts';
export { entryKey, type LocatorRecord, readEntry } from './state.ts';
