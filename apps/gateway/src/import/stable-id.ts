import { toHex, utf8 } from '@careledger/primitives';
import type { SourceKey } from './import-target.ts';

/** A keyed hash of 32 bytes whose key never leaves the custodian's keystore. */
export type KeyedHash = (message: Uint8Array) => Uint8Array;

/**
 * The logical id of an imported record: a version 8 UUID (RFC 9562, section 5.8) from a keyed hash over source and fullUrl,
 * so that every run gives it the same id and references can be rewritten before their target is read. Keyed, because a
 * fullUrl can be guessed, and an id that follows from it would then say whose record it is.
 */
export function stableId(keyedHash: KeyedHash, { source, fullUrl }: SourceKey): string {
  const bytes = keyedHash(utf8(JSON.stringify(['id', source, fullUrl]))).slice(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = toHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
