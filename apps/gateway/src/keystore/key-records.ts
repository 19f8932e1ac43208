import { randomBytes } from 'node:crypto';
import { bytes, type Codec, fixedBytes, oneOf, struct, text, toHex } from '@careledger/primitives';
import { KeystoreError } from './errors.ts';
import type { KeyLogFile } from './key-log.ts';
import { type KeyName, purposeOf } from './keystore.ts';

/** Name of the keystore's file in its folder. */
export const KEYS_FILE = 'keys.log';
const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;

export interface KeyRecord {
  readonly operation: 'put' | 'erase';
  readonly name: KeyName;
  readonly keyId: Uint8Array;
  readonly key: Uint8Array;
}

export const recordCodec: Codec<KeyRecord> = struct({
  operation: oneOf(['put', 'erase']),
  name: text<KeyName>({ bytesMax: 128 }),
  keyId: fixedBytes(KEY_ID_BYTES),
  key: bytes({ bytesMax: KEY_BYTES }),
});

/** One version of a key. */
export interface HeldKey {
  readonly keyId: string;
  readonly bytes: Uint8Array;
  readonly record: KeyRecord;
  wraps: number;
}

/** The versions of each key, newest first. Only while one is being rotated are there two. */
export type HeldKeys = Map<KeyName, readonly HeldKey[]>;

/** The keys that a log's records leave. */
export function replay(content: KeyLogFile): HeldKeys {
  const keys: HeldKeys = new Map();
  for (const encoded of content.records) {
    const record = recordCodec.decode(encoded);
    if (record.operation === 'erase') keys.delete(record.name);
    else keys.set(record.name, [heldKey(record), ...(keys.get(record.name) ?? [])]);
  }
  return keys;
}

function heldKey(record: KeyRecord): HeldKey {
  return { keyId: toHex(record.keyId), bytes: record.key, record, wraps: 0 };
}

/** A fresh version of a key. @throws {@link KeystoreError} `keystore/purpose`. */
export function newKey(name: KeyName): HeldKey {
  if (!purposeOf(name)) throw new KeystoreError('keystore/purpose', 'a key name says no purpose');
  return heldKey({ operation: 'put', name, keyId: randomBytes(KEY_ID_BYTES), key: randomBytes(KEY_BYTES) });
}

/** Every version of every key as a record. */
export function encodeKeys(keys: Iterable<readonly HeldKey[]>): readonly Uint8Array[] {
  // Oldest first: the last one of a name is its newest version.
  return [...keys].flatMap((versions) =>
    versions.toReversed().map((held) => recordCodec.encode(held.record)),
  );
}
