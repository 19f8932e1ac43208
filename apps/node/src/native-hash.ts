import { hash } from 'node:crypto';
import { HASH_BYTES, type Sha256 } from '@careledger/primitives';

/**
 * SHA-256 by the platform's cryptography: twice as fast as JavaScript on a tree node, ten times on a block. Asked for as
 * text of one character a byte, which crosses from native code far cheaper than a buffer does.
 */
export const nativeSha256: Sha256 = (bytes) => {
  const digits = hash('sha256', bytes, 'binary');
  const digest = new Uint8Array(HASH_BYTES);
  for (let index = 0; index < HASH_BYTES; index += 1) digest[index] = digits.charCodeAt(index);
  return digest;
};
