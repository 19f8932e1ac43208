import { createPrivateKey, createPublicKey, sign as signReference } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import edgeCases from '../../../vectors/ed25519-edge-cases.json' with { type: 'json' };
import { concat, fromHex, toHex, utf8 } from './bytes.ts';
import { isAcceptablePublicKey, signerFromSeed, verifySignature } from './signature.ts';

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (!bytes) throw new TypeError(`not hexadecimal: ${hex}`);
  return bytes;
}

/** RFC 8032, section 7.1. */
const RFC_8032 = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
];

const GROUP_ORDER = bytesOf('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');

/** The eight points of small order, with their second encodings. */
const SMALL_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
];

function addGroupOrder(scalar: Uint8Array): Uint8Array {
  let carry = 0;
  return scalar.map((byte, index) => {
    const sum = byte + (GROUP_ORDER[index] ?? 0) + carry;
    carry = sum >> 8;
    return sum & 255;
  });
}

describe('Ed25519 by one rule', () => {
  test.each(RFC_8032)('CRY-04: RFC 8032 vector with message "$message"', (vector) => {
    const signer = signerFromSeed(bytesOf(vector.seed));
    const message = bytesOf(vector.message);
    expect(toHex(signer.publicKey)).toBe(vector.publicKey);
    expect(toHex(signer.sign(message))).toBe(vector.signature);
    const signature = bytesOf(vector.signature);
    expect(verifySignature({ publicKey: signer.publicKey, message, signature })).toBe(true);
    expect(verifySignature({ publicKey: signer.publicKey, message: utf8('other'), signature })).toBe(false);
  });

  test.each(edgeCases.cases)('CRY-04: edge case $name is judged as libsodium does', (edge) => {
    const claim = {
      publicKey: bytesOf(edge.publicKey),
      message: bytesOf(edge.message),
      signature: bytesOf(edge.signature),
    };
    expect(verifySignature(claim)).toBe(edge.valid);
  });

  test('CRY-04: signatures are those of OpenSSL, and any changed bit is refused', () => {
    const pkcs8 = bytesOf('302e020100300506032b657004220420');
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 60 }),
        fc.nat({ max: 511 }),
        (seed, message, bit) => {
          const signer = signerFromSeed(seed);
          const key = createPrivateKey({
            key: Buffer.from(concat(pkcs8, seed)),
            format: 'der',
            type: 'pkcs8',
          });
          const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
          expect(toHex(signer.publicKey)).toBe(spki.subarray(-32).toString('hex'));
          const signature = signer.sign(message);
          expect(toHex(signature)).toBe(signReference(null, message, key).toString('hex'));
          const flipped = signature.slice();
          flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          const { publicKey } = signer;
          expect(verifySignature({ publicKey, message, signature })).toBe(true);
          expect(verifySignature({ publicKey, message, signature: flipped })).toBe(false);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('CRY-04: S + L, the second form of a signature, is refused', () => {
    const signer = signerFromSeed(new Uint8Array(32).fill(5));
    const message = utf8('message');
    const signature = signer.sign(message);
    const second = concat(signature.subarray(0, 32), addGroupOrder(signature.subarray(32)));
    expect(verifySignature({ publicKey: signer.publicKey, message, signature: second })).toBe(false);
  });

  test.each(SMALL_ORDER)('CRY-07: the small-order key %s is refused, and a forgery under it', (hex) => {
    expect(isAcceptablePublicKey(bytesOf(hex))).toBe(false);
    const identity = bytesOf(SMALL_ORDER[0] as string);
    const forgery = concat(identity, new Uint8Array(32));
    const claim = { publicKey: bytesOf(hex), message: utf8('any'), signature: forgery };
    expect(verifySignature(claim)).toBe(false);
  });

  test('CRY-07: keys off the curve, of another length or beyond the field are refused', () => {
    expect(isAcceptablePublicKey(concat(Uint8Array.of(2), new Uint8Array(31)))).toBe(false);
    expect(isAcceptablePublicKey(new Uint8Array(31))).toBe(false);
    expect(isAcceptablePublicKey(new Uint8Array(32).fill(255))).toBe(false);
    expect(isAcceptablePublicKey(signerFromSeed(new Uint8Array(32)).publicKey)).toBe(true);
  });

  test('CRY-07: different seeds give different keys, one seed always the same', () => {
    const keyOf = (fill: number) => toHex(signerFromSeed(new Uint8Array(32).fill(fill)).publicKey);
    expect(new Set([0, 1, 2, 3, 4].map(keyOf)).size).toBe(5);
    expect(keyOf(1)).toBe(keyOf(1));
  });

  test('signatures and keys of another length are refused', () => {
    const signer = signerFromSeed(new Uint8Array(32).fill(6));
    const message = utf8('message');
    const signature = signer.sign(message);
    for (const wrong of [signature.subarray(0, 63), concat(signature, Uint8Array.of(0)), new Uint8Array(0)]) {
      expect(verifySignature({ publicKey: signer.publicKey, message, signature: wrong })).toBe(false);
    }
    const longKey = concat(signer.publicKey, Uint8Array.of(0));
    expect(verifySignature({ publicKey: longKey, message, signature })).toBe(false);
  });
});
