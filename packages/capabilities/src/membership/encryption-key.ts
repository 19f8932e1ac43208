import { toHex } from '@careledger/primitives';

/** The X25519 inputs of small order (RFC 7748, section 7; Curve25519 paper): what is sealed to them anyone can open. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/** Is this a 32-byte X25519 key that seals anything? The unused top bit is ignored, as X25519 does. */
export function isAcceptableEncryptionKey(key: Uint8Array): boolean {
  if (key.length !== 32) return false;
  const masked = key.slice();
  masked[31] = (masked[31] ?? 0) & 0x7f;
  return !SMALL_ORDER.has(toHex(masked));
}
