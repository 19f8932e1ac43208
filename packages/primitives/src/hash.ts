import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { concat, toHex, utf8 } from './bytes.ts';
import { invariant } from './result.ts';

/** Length of every digest on the ledger, in bytes. */
export const HASH_BYTES = 32;

/** SHA-256 of the whole input. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** SHA-256 of "abc" (FIPS 180-4, appendix B.1). */
const ABC_DIGEST = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

let sha256OfBytes: Sha256 = nobleSha256;

/**
 * Hashes by the platform from here on, where that is faster (decision 0034). There is one SHA-256, so nothing but speed
 * depends on it.
 *
 * @throws InvariantError for a function that is not SHA-256.
 * @example
 * useSha256((bytes) => new Uint8Array(hash('sha256', bytes, 'buffer')));
 */
export function useSha256(implementation: Sha256): void {
  invariant(toHex(implementation(utf8('abc'))) === ABC_DIGEST, 'the platform’s hash is SHA-256');
  sha256OfBytes = implementation;
}

/** SHA-256 (FIPS 180-4). 32 bytes for any input; several parts are hashed as one. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return sha256OfBytes(parts.length === 1 ? (parts[0] as Uint8Array) : concat(...parts));
}

/** Length of a block that SHA-256 works on, in bytes. */
const BLOCK_BYTES = 64;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/** HMAC-SHA-256 (RFC 2104). */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(key.length > BLOCK_BYTES ? sha256(key) : key);
  const inner = sha256(
    block.map((byte) => byte ^ INNER_PAD),
    message,
  );
  return sha256(
    block.map((byte) => byte ^ OUTER_PAD),
    inner,
  );
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
