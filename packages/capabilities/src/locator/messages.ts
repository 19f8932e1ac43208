import { type Brand, type Codec, fixedBytes, struct } from '@careledger/primitives';
import { listOfSome } from '../bounded.ts';
import { LOCATOR_PLAINTEXT_BYTES } from './plaintext.ts';

export const ENTRIES_MAX = 64;
export const ENTRY_ID_BYTES = 16;
/** X25519 ephemeral key (32) ‖ sealed plaintext (48) ‖ tag (16): every entry looks like every other. */
export const CIPHERTEXT_BYTES: number = 32 + LOCATOR_PLAINTEXT_BYTES + 16;

/** 16 random bytes that name one entry. */
export type LocatorEntryId = Brand<Uint8Array, 'LocatorEntryId'>;
export const locatorEntryIdCodec: Codec<LocatorEntryId> = fixedBytes(ENTRY_ID_BYTES);

/** An entry that names no recipient: every member tries to open each, and only one can. */
export interface LocatorEntry {
  readonly entryId: LocatorEntryId;
  readonly ciphertext: Uint8Array;
}

export interface PublishEntries {
  readonly entries: readonly LocatorEntry[];
}

export interface WithdrawEntries {
  readonly entryIds: readonly LocatorEntryId[];
}

const locatorEntryCodec: Codec<LocatorEntry> = struct({
  entryId: locatorEntryIdCodec,
  ciphertext: fixedBytes(CIPHERTEXT_BYTES),
});

export const publishEntriesCodec: Codec<PublishEntries> = struct({
  entries: listOfSome(locatorEntryCodec, { countMax: ENTRIES_MAX }),
});

export const withdrawEntriesCodec: Codec<WithdrawEntries> = struct({
  entryIds: listOfSome(locatorEntryIdCodec, { countMax: ENTRIES_MAX }),
});
