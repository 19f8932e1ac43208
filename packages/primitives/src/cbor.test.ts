import { encode as encodeReference, rfc8949EncodeOptions } from 'cborg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import { decodeCbor } from './cbor-decode.ts';
import { encodeCbor } from './cbor-encode.ts';
import { CBOR_LIMITS, CborError, CborTag, type CborValue } from './cbor-value.ts';

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (!bytes) throw new TypeError(`not hexadecimal: ${hex}`);
  return bytes;
}

const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(
    0,
    -0,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53 - 1,
    -1,
    -24,
    -25,
    -256,
    -257,
  ),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }),
);
const text = fc.string({ unit: 'grapheme', maxLength: 70 });
const { value: anyValue } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    integer,
    text,
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 30 }),
    fc
      .uniqueArray(fc.tuple(fc.oneof(text, fc.maxSafeInteger()), tie('value')), {
        selector: ([key]) => key,
        maxLength: 30,
      })
      .map((entries) => new Map(entries)),
  ),
}));

describe('deterministic CBOR (RFC 8949, section 4.2.1)', () => {
  test('every value has the bytes that cborg gives it', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(toHex(encodeCbor(value))).toBe(toHex(encodeReference(value, rfc8949EncodeOptions)));
      }),
      { numRuns: 500 },
    );
  });

  test('what is decoded is encoded to the same bytes', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const encoded = encodeCbor(value);
        expect(encodeCbor(decodeCbor(encoded))).toEqual(encoded);
      }),
    );
  });

  test('mutated and random bytes are refused or are canonical: no second form, no other exception', () => {
    const mutated = fc
      .tuple(anyValue, fc.nat(), fc.integer({ min: 1, max: 255 }))
      .map(([value, position, mask]) => {
        const bytes = encodeCbor(value);
        const index = position % bytes.length;
        bytes[index] = (bytes[index] ?? 0) ^ mask;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 40 })), (bytes) => {
        let value: CborValue;
        try {
          value = decodeCbor(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CborError);
          return;
        }
        expect(encodeCbor(value)).toEqual(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  test.each<[string, CborValue]>([
    ['00', 0],
    ['01', 1],
    ['0a', 10],
    ['17', 23],
    ['1818', 24],
    ['1819', 25],
    ['1864', 100],
    ['1903e8', 1000],
    ['1a000f4240', 1_000_000],
    ['1b000000e8d4a51000', 1_000_000_000_000],
    ['1bffffffffffffffff', 18_446_744_073_709_551_615n],
    ['3bffffffffffffffff', -18_446_744_073_709_551_616n],
    ['20', -1],
    ['29', -10],
    ['3863', -100],
    ['3903e7', -1000],
    ['f4', false],
    ['f5', true],
    ['f6', null],
    ['40', new Uint8Array(0)],
    ['4401020304', Uint8Array.of(1, 2, 3, 4)],
    ['60', ''],
    ['6449455446', 'IETF'],
    ['62225c', '"\\'],
    ['62c3bc', 'ü'],
    ['63e6b0b4', '水'],
    ['64f0908591', '\u{10151}'],
    ['80', []],
    ['83010203', [1, 2, 3]],
    ['8301820203820405', [1, [2, 3], [4, 5]]],
    ['a0', new Map()],
    [
      'a201020304',
      new Map([
        [1, 2],
        [3, 4],
      ]),
    ],
    [
      'a26161016162820203',
      new Map<string, CborValue>([
        ['a', 1],
        ['b', [2, 3]],
      ]),
    ],
    ['c074323031332d30332d32315432303a30343a30305a', new CborTag(0, '2013-03-21T20:04:00Z')],
    ['d74401020304', new CborTag(23, Uint8Array.of(1, 2, 3, 4))],
  ])('RFC 8949 appendix A: %s', (hex, value) => {
    expect(decodeCbor(bytesOf(hex))).toEqual(value);
    expect(toHex(encodeCbor(value))).toBe(hex);
  });

  test.each([
    ['f90000', 'a half float'],
    ['fa47c35000', 'a float'],
    ['fb3ff199999999999a', 'a double'],
    ['f97e00', 'not a number'],
    ['f7', 'undefined'],
    ['f0', 'a simple value'],
    ['f8ff', 'a simple value of two bytes'],
    ['5f42010243030405ff', 'a byte string without length'],
    ['7f657374726561646d696e67ff', 'a text without length'],
    ['9fff', 'an array without length'],
    ['9f018202039f0405ffff', 'nested arrays without length'],
    ['bf61610161629f0203ffff', 'a map without length'],
    ['ff', 'a break'],
    ['1817', 'an argument of 23 in one byte more'],
    ['190018', 'an argument of 24 in two bytes'],
    ['1900ff', 'an argument of 255 in two bytes'],
    ['1a0000ffff', 'an argument of 65,535 in four bytes'],
    ['1b00000000ffffffff', 'an argument of 2^32 - 1 in eight bytes'],
    ['5800', 'a long empty byte string'],
    ['1c', 'a reserved argument'],
    ['a2616201616101', 'map keys out of order'],
    ['a2616101616102', 'a map key twice'],
    ['a1f501', 'a boolean as map key'],
    ['a1410101', 'a byte string as map key'],
    ['61ff', 'a text that is not UTF-8'],
    ['63eda080', 'a text with a surrogate'],
    ['', 'nothing'],
    ['18', 'half a head'],
    ['4201020300', 'bytes after the value'],
    ['44010203', 'a string that ends too early'],
    ['8201', 'an array that ends too early'],
    ['5bffffffffffffffff', 'a string of 2^64 - 1 bytes'],
    ['9bffffffffffffffff', 'an array of 2^64 - 1 items'],
    ['9a00ffffff', 'an array above its limit'],
    [`${'81'.repeat(17)}00`, 'too deep a nesting'],
  ])('refuses %s: %s', (hex) => {
    expect(() => decodeCbor(bytesOf(hex))).toThrow(CborError);
  });

  test('the limits of depth, items and bytes are exact', () => {
    expect(decodeCbor(bytesOf(`${'81'.repeat(16)}00`))).toBeDefined();
    expect(() => decodeCbor(bytesOf('83010203'), { ...CBOR_LIMITS, itemsMax: 2 })).toThrow(CborError);
    expect(decodeCbor(bytesOf('83010203'), { ...CBOR_LIMITS, itemsMax: 3 })).toEqual([1, 2, 3]);
    expect(() => decodeCbor(bytesOf('83010203'), { ...CBOR_LIMITS, bytesMax: 3 })).toThrow(CborError);
  });

  test.each<[string, unknown]>([
    ['a fraction', 1.5],
    ['an unsafe integer', 2 ** 53],
    ['infinity', Number.POSITIVE_INFINITY],
    ['2^64', 2n ** 64n],
    ['a lone surrogate', '\ud800'],
    ['a negative tag', new CborTag(-1, 0)],
    ['an object', { a: 1 }],
    ['undefined', undefined],
  ])('has no encoding for %s', (_, value) => {
    expect(() => encodeCbor(value as CborValue)).toThrow(CborError);
  });

  test('decoded byte strings do not share memory with the input', () => {
    const input = bytesOf('4401020304');
    const decoded = decodeCbor(input) as Uint8Array;
    input[1] = 9;
    expect(decoded[0]).toBe(1);
  });
});
