import { hmac } from '@noble/hashes/hmac.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { concat, utf8 } from './bytes.ts';

/** Length of every digest on the ledger, in bytes. */
export const HASH_BYTES = 32;

/** SHA-256 (FIPS 180-4). 32 bytes for any input. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return nobleSha256(parts[0] as Uint8Array);
  const hash = nobleSha256.create();
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** HMAC-SHA-256 (RFC 2104). */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(nobleSha256, key, message);
}

/** SHA-256 of parts that cannot be mistaken for one another: a domain text, a zero byte, then each part with its length. */
export function domainHash(domain: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const framed = parts.flatMap((part) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, part.length);
    return [length, part];
  });
  return sha256(concat(utf8(domain), Uint8Array.of(0), ...framed));
}
