import {
  concat,
  fromHex,
  type SignatureClaim,
  signerFromSeed,
  verifySignature,
} from '@careledger/primitives';
import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import sodium from 'sodium-native';
import { describe, expect, test } from 'vitest';
import edgeCases from '../../../vectors/ed25519-edge-cases.json' with { type: 'json' };

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (!bytes) throw new TypeError(`not hexadecimal: ${hex}`);
  return bytes;
}

/** The verdict of the node's verifier, which throws on lengths that ours refuses. */
function verifyBySodium({ publicKey, message, signature }: SignatureClaim): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  return sodium.crypto_sign_verify_detached(
    Buffer.from(signature),
    Buffer.from(message),
    Buffer.from(publicKey),
  );
}

function expectAgreement(claim: SignatureClaim): boolean {
  const verdict = verifyBySodium(claim);
  expect(verifySignature(claim)).toBe(verdict);
  return verdict;
}

const { Point } = ed25519;
const { ORDER } = Point.Fn;

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, index) => Number((value >> BigInt(8 * index)) & 255n));
}

const FIELD = 2n ** 255n - 19n;
/** Encodings where verifiers are known to part: small order, second forms, the edges of field and group. */
const SPECIAL = [
  0n,
  1n,
  FIELD - 1n,
  FIELD,
  FIELD + 1n,
  2n ** 255n - 1n,
  2n ** 255n,
  2n ** 255n + 1n,
  2n ** 255n + FIELD - 1n,
  2n ** 255n + FIELD,
  2n ** 256n - 1n,
  ORDER - 1n,
  ORDER,
  ORDER + 1n,
]
  .map(littleEndian)
  .concat(
    ['26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'].map(bytesOf),
    ['c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'].map(bytesOf),
  );

describe('the browser verifier and the node verifier are one rule', () => {
  test.each(edgeCases.cases)('CRY-04: sodium judges edge case $name as expected', (edge) => {
    const claim = {
      publicKey: bytesOf(edge.publicKey),
      message: bytesOf(edge.message),
      signature: bytesOf(edge.signature),
    };
    expect(expectAgreement(claim)).toBe(edge.valid);
  });

  test('CRY-04: both agree on every pair of special values for R and S under honest and special keys', () => {
    const honest = signerFromSeed(new Uint8Array(32).fill(1)).publicKey;
    const message = Uint8Array.of(0x3f);
    for (const publicKey of [honest, ...SPECIAL]) {
      for (const commitment of SPECIAL) {
        for (const scalar of [0n, 1n, ORDER - 1n, ORDER].map(littleEndian)) {
          expectAgreement({ publicKey, message, signature: concat(commitment, scalar) });
        }
      }
    }
  });

  test('CRY-04: both agree on signatures under keys with a small-order part', () => {
    const torsion = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
    let accepted = 0;
    for (let round = 0; round < 48; round += 1) {
      const secret = BigInt(round + 2) ** 40n % ORDER;
      const nonce = BigInt(round + 3) ** 39n % ORDER;
      const key = Point.BASE.multiply(secret).add(torsion.multiplyUnsafe(BigInt(round % 8) || 8n));
      const commitment = Point.BASE.multiply(nonce).add(
        torsion.multiplyUnsafe(BigInt((round >> 3) % 8) || 8n),
      );
      const publicKey = key.toBytes();
      const encodedR = commitment.toBytes();
      const message = Uint8Array.of(round);
      const digest = sodiumSha512(concat(encodedR, publicKey, message));
      const scalar = littleEndian((nonce + (digest % ORDER) * secret) % ORDER);
      if (expectAgreement({ publicKey, message, signature: concat(encodedR, scalar) })) accepted += 1;
    }
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(48);
  });

  test('CRY-04: both agree on honest signatures and on every random mutation of key, message and signature', () => {
    const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const mutation = fc.record({
      part: fc.constantFrom('publicKey', 'message', 'signature'),
      position: fc.nat(),
      mask: fc.integer({ min: 0, max: 255 }),
    });
    fc.assert(
      fc.property(
        seed,
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        mutation,
        (bytes, message, change) => {
          const signer = signerFromSeed(bytes);
          const claim = {
            publicKey: signer.publicKey.slice(),
            message: message.slice(),
            signature: signer.sign(message).slice(),
          };
          const part = claim[change.part as keyof typeof claim];
          const index = change.position % part.length;
          part[index] = (part[index] ?? 0) ^ change.mask;
          expect(expectAgreement(claim)).toBe(change.mask === 0);
        },
      ),
      { numRuns: 200 },
    );
  });
});

function sodiumSha512(input: Uint8Array): bigint {
  const digest = Buffer.alloc(64);
  sodium.crypto_hash_sha512(digest, Buffer.from(input));
  return digest.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
