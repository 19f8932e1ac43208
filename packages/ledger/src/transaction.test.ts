import {
  CborTag,
  type CborValue,
  type ChainId,
  concat,
  decodeCbor,
  encodeCbor,
  equalBytes,
  sha256,
  toHex,
  utf8,
} from '@careledger/primitives';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testSigner, verifyRemembered } from './test-chain.ts';
import {
  decodeTransaction,
  encodeTransaction,
  signTransaction,
  type TransactionPayload,
  transactionPayloadCodec,
  transactionSignedBytes,
  verifyTransactionSignature,
} from './transaction.ts';

const signer = testSigner(1);
const payload: TransactionPayload = {
  chain: sha256(utf8('chain')) as ChainId,
  nonce: sha256(utf8('nonce')).slice(0, 16),
  expiresAt: 1_800_000_000_000,
  type: 'records/anchor',
  body: encodeCbor(new Map([['root', sha256(utf8('root'))]])),
};
const signed = signTransaction({ payload, signer });

const HEADER = encodeCbor(
  new Map<number, CborValue>([
    [1, -8],
    [4, signer.publicKey],
  ]),
);
const CONTENT = transactionPayloadCodec.encode(payload);

/** An envelope with one part exchanged. */
function envelope(change: { tag?: number; parts?: Record<number, CborValue>; length?: number }): Uint8Array {
  const parts: CborValue[] = [HEADER, new Map(), CONTENT, signed.signature];
  for (const [index, part] of Object.entries(change.parts ?? {})) parts[Number(index)] = part;
  parts.length = change.length ?? 4;
  return encodeCbor(new CborTag(change.tag ?? 18, parts));
}

function header(entries: readonly (readonly [number, CborValue])[]): Uint8Array {
  return encodeCbor(new Map(entries));
}

describe('transactions (COSE_Sign1, RFC 9052)', () => {
  test('a signed transaction is read as it was written, and its signature holds', () => {
    const decoded = decodeTransaction(signed.bytes);
    expect(decoded).toEqual({ ok: true, value: signed });
    expect(verifyTransactionSignature(signed, verifyRemembered)).toBe(true);
    expect(envelope({})).toEqual(signed.bytes);
  });

  test('the signature covers the Sig_structure of RFC 9052, section 4.4', () => {
    const structure = decodeCbor(signed.signedBytes);
    expect(structure).toEqual(['Signature1', HEADER, new Uint8Array(0), CONTENT]);
    expect(toHex(signed.id)).toBe(toHex(sha256(signed.signedBytes)));
  });

  test('a key kept elsewhere signs the same bytes', () => {
    const { publicKey } = signer;
    const signature = signer.sign(transactionSignedBytes({ payload, publicKey }));
    expect(encodeTransaction({ payload, publicKey, signature })).toEqual(signed.bytes);
  });

  test('the id is that of the content, whatever the signature', () => {
    const other = decodeTransaction(envelope({ parts: { 3: new Uint8Array(64).fill(1) } }));
    expect(other.ok && toHex(other.value.id)).toBe(toHex(signed.id));
    expect(other.ok && verifyTransactionSignature(other.value, verifyRemembered)).toBe(false);
  });

  test.each<[string, Uint8Array, string]>([
    ['another tag', envelope({ tag: 98 }), 'transaction/not-cose-sign1'],
    ['no tag', encodeCbor([HEADER, new Map(), CONTENT, signed.signature]), 'transaction/not-cose-sign1'],
    ['three parts', envelope({ length: 3 }), 'transaction/not-cose-sign1'],
    ['five parts', envelope({ parts: { 4: 0 }, length: 5 }), 'transaction/not-cose-sign1'],
    ['a map for an array', encodeCbor(new CborTag(18, new Map())), 'transaction/not-cose-sign1'],
    [
      'another algorithm',
      envelope({
        parts: {
          0: header([
            [1, -7],
            [4, signer.publicKey],
          ]),
        },
      }),
      'transaction/protected-header',
    ],
    [
      'no algorithm',
      envelope({ parts: { 0: header([[4, signer.publicKey]]) } }),
      'transaction/protected-header',
    ],
    ['no key', envelope({ parts: { 0: header([[1, -8]]) } }), 'transaction/protected-header'],
    [
      'a short key',
      envelope({
        parts: {
          0: header([
            [1, -8],
            [4, signer.publicKey.slice(1)],
          ]),
        },
      }),
      'transaction/protected-header',
    ],
    [
      'a critical header',
      envelope({
        parts: {
          0: header([
            [1, -8],
            [2, [1]],
            [4, signer.publicKey],
          ]),
        },
      }),
      'transaction/protected-header',
    ],
    [
      'a header outside its string',
      envelope({ parts: { 0: new Map([[1, -8]]) } }),
      'transaction/protected-header',
    ],
    ['an empty header', envelope({ parts: { 0: new Uint8Array(0) } }), 'transaction/protected-header'],
    ['unprotected content', envelope({ parts: { 1: new Map([[4, 1]]) } }), 'transaction/unprotected-header'],
    ['a list as unprotected header', envelope({ parts: { 1: [] } }), 'transaction/unprotected-header'],
    ['a detached payload', envelope({ parts: { 2: null } }), 'transaction/payload'],
    ['a payload of another form', envelope({ parts: { 2: encodeCbor(1) } }), 'transaction/payload'],
    [
      'a payload with bytes after it',
      envelope({ parts: { 2: concat(CONTENT, Uint8Array.of(0)) } }),
      'transaction/payload',
    ],
    [
      'a short signature',
      envelope({ parts: { 3: signed.signature.slice(1) } }),
      'transaction/signature-length',
    ],
    ['bytes after it', concat(signed.bytes, Uint8Array.of(0)), 'transaction/not-canonical'],
    ['a byte too few', signed.bytes.slice(0, -1), 'transaction/not-canonical'],
    [
      'a long form of its tag',
      concat(Uint8Array.of(0xd8, 18), signed.bytes.slice(1)),
      'transaction/not-canonical',
    ],
    ['nothing', new Uint8Array(0), 'transaction/not-canonical'],
  ])('refuses %s', (_, encoded, fault) => {
    expect(decodeTransaction(encoded)).toEqual({ ok: false, error: fault });
  });

  test('a payload field beyond its form is refused', () => {
    for (const type of [
      'records',
      'Records/anchor',
      'records/anchor/x',
      'records/',
      `a/${'b'.repeat(100)}`,
    ]) {
      const map = new Map(transactionPayloadCodec.toCbor(payload) as ReadonlyMap<string, CborValue>);
      map.set('type', type);
      const decoded = decodeTransaction(envelope({ parts: { 2: encodeCbor(map) } }));
      expect(decoded).toEqual({ ok: false, error: 'transaction/payload' });
    }
  });

  test('the size limit is exact', () => {
    const bytesMax = signed.bytes.length;
    expect(decodeTransaction(signed.bytes, { bytesMax }).ok).toBe(true);
    const over = decodeTransaction(signed.bytes, { bytesMax: bytesMax - 1 });
    expect(over).toEqual({ ok: false, error: 'transaction/too-large' });
    const large = signTransaction({ payload: { ...payload, body: new Uint8Array(66_000) }, signer });
    expect(decodeTransaction(large.bytes)).toEqual({ ok: false, error: 'transaction/too-large' });
  });

  test('every changed byte makes it refused, mis-signed or another transaction', () => {
    for (let index = 0; index < signed.bytes.length; index += 1) {
      for (const mask of [1, 128]) {
        const changed = signed.bytes.slice();
        changed[index] = (changed[index] ?? 0) ^ mask;
        const decoded = decodeTransaction(changed);
        if (!decoded.ok) continue;
        const isOther = !equalBytes(decoded.value.id, signed.id);
        const isSignedAgain = verifyTransactionSignature(decoded.value, verifyRemembered);
        expect(isSignedAgain, `byte ${index}`).toBe(false);
        expect(isOther || !equalBytes(decoded.value.signature, signed.signature)).toBe(true);
      }
    }
  });

  test('random bytes are refused without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (encoded) => {
        expect(decodeTransaction(concat(Uint8Array.of(0xd2, 0x84), encoded)).ok).toBe(false);
      }),
    );
  });
});
