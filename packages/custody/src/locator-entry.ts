import { LOCATOR_PLAINTEXT_BYTES, LOCATOR_TAG_BYTES } from '@careledger/capabilities';
import { type ConsentId, concat } from '@careledger/primitives';
import type { LocatorTag } from './introduction.ts';
import type { SealedBox } from './sealed-box.ts';

/** What a locator entry says, to its one recipient: `locatorTag ‖ consentId`, and nothing else. */
export interface Location {
  readonly locatorTag: LocatorTag;
  readonly consentId: ConsentId;
}

/** Seals a locator entry to the recipient. The ledger sees bytes of one length that name nobody. */
export function sealLocation(location: Location, encryptionKey: Uint8Array, box: SealedBox): Uint8Array {
  return box.seal(encryptionKey, concat(location.locatorTag, location.consentId));
}

/** Tries to open an entry: `undefined` for everybody but the recipient. Every member tries every entry. */
export function openLocation(sealed: Uint8Array, box: Pick<SealedBox, 'open'>): Location | undefined {
  const plaintext = box.open(sealed);
  if (plaintext?.length !== LOCATOR_PLAINTEXT_BYTES) return undefined;
  return {
    locatorTag: plaintext.slice(0, LOCATOR_TAG_BYTES) as LocatorTag,
    consentId: plaintext.slice(LOCATOR_TAG_BYTES) as ConsentId,
  };
}
