import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concat, equalBytes } from './bytes.ts';

export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** One signature to check. */
export interface SignatureClaim {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** Checks one Ed25519 signature by the ledger's one rule. The node's adapter is libsodium, the browser's is below. */
export type VerifySignature = (claim: SignatureClaim) => boolean;

/** Holds a private key and signs with it. */
export interface Signer {
  readonly publicKey: Uint8Array;
  readonly sign: (message: Uint8Array) => Uint8Array;
}

const Point = ed25519.Point;
const GROUP_ORDER = Point.Fn.ORDER;

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index -= 1)
    value = (value << 8n) | BigInt(bytes[index] as number);
  return value;
}

function decodePoint(bytes: Uint8Array): InstanceType<typeof Point> | undefined {
  try {
    const point = Point.fromBytes(bytes, false);
    return equalBytes(point.toBytes(), bytes) ? point : undefined;
  } catch {
    return undefined;
  }
}

/** Is this a canonical Ed25519 public key outside the small-order subgroup? Others are refused at registration. */
export function isAcceptablePublicKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES) return false;
  const point = decodePoint(publicKey);
  return point !== undefined && !point.isSmallOrder();
}

/**
 * Ed25519 (RFC 8032) by libsodium's rule: canonical S, canonical A and R, neither of small order, the equation
 * without cofactor. Verifiers that differ in any of these would split the consensus.
 */
export const verifySignature: VerifySignature = ({ publicKey, message, signature }) => {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) return false;
  const encodedR = signature.subarray(0, 32);
  const scalar = littleEndian(signature.subarray(32));
  if (scalar >= GROUP_ORDER) return false;
  const key = decodePoint(publicKey);
  const commitment = decodePoint(encodedR);
  if (!key || !commitment || key.isSmallOrder() || commitment.isSmallOrder()) return false;
  const challenge = littleEndian(sha512(concat(encodedR, publicKey, message))) % GROUP_ORDER;
  const base = scalar === 0n ? Point.ZERO : Point.BASE.multiplyUnsafe(scalar);
  const term = challenge === 0n ? Point.ZERO : key.multiplyUnsafe(challenge);
  return base.subtract(term).equals(commitment);
};

/** A signer over a 32-byte Ed25519 seed. Where the seed comes from is the caller's affair. */
export function signerFromSeed(seed: Uint8Array): Signer {
  const publicKey = ed25519.getPublicKey(seed);
  return { publicKey, sign: (message) => ed25519.sign(message, seed) };
}
