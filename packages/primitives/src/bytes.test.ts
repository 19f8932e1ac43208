import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareBytes,
  concat,
  equalBytes,
  fromBase64Url,
  fromHex,
  fromUtf8,
  toBase64Url,
  toHex,
  utf8,
} from './bytes.ts';

const anyBytes = fc.uint8Array({ maxLength: 100 });

describe('bytes', () => {
  test('hexadecimal and base64url agree with the platform and come back', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
        expect(toBase64Url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
        expect(fromHex(toHex(bytes))).toEqual(bytes);
        expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes);
      }),
    );
  });

  test.each(['0', 'AB', '0g', ' 00', '0x00'])('refuses %j as hexadecimal', (text) => {
    expect(fromHex(text)).toBeUndefined();
  });

  // 'AB' has set bits beyond its one byte: a second text for the same byte.
  test.each(['A', 'AA==', 'AB', 'A+', 'A/', 'AAB', 'A A', 'ÄÄ'])('refuses %j as base64url', (text) => {
    expect(fromBase64Url(text)).toBeUndefined();
  });

  test('UTF-8 agrees with the platform for short and long, plain and other texts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 120 }), (text) => {
        const bytes = utf8(text);
        expect(Buffer.from(bytes).equals(Buffer.from(text, 'utf8'))).toBe(true);
        expect(fromUtf8(bytes)).toBe(text);
      }),
    );
  });

  test.each(['c0af', 'ed a0 80', 'f5808080', 'ff', '80'])('refuses the bytes %s as UTF-8', (hex) => {
    expect(() => fromUtf8(Buffer.from(hex.replaceAll(' ', ''), 'hex'))).toThrow(TypeError);
  });

  test('a byte order mark is content', () => {
    expect(fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41))).toBe('\ufeffA');
  });

  test('the order of bytes is that of Buffer.compare', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (left, right) => {
        expect(Math.sign(compareBytes(left, right))).toBe(Buffer.compare(left, right));
        expect(equalBytes(left, right)).toBe(Buffer.compare(left, right) === 0);
        expect(equalBytes(left, left.slice())).toBe(true);
        expect(concat(left, right)).toEqual(Uint8Array.from([...left, ...right]));
      }),
    );
  });
});
