import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from './bytes.ts';
import { domainHash, hmacSha256, sha256 } from './hash.ts';

describe('hashes', () => {
  test.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
  ])('FIPS 180-4: SHA-256 of %j', (input, hex) => {
    expect(toHex(sha256(utf8(input)))).toBe(hex);
  });

  test('LED-17: every input has a digest of 32 bytes, 64 lower-case hexadecimal digits', () => {
    for (const length of [0, 1, 55, 56, 63, 64, 65, 1000, 1_000_000]) {
      const input = new Uint8Array(length).fill(length & 255);
      const hex = toHex(sha256(input));
      expect(hex).toMatch(/^[0-9a-f]{64}$/);
      expect(hex).toBe(createHash('sha256').update(input).digest('hex'));
    }
  });

  test('LED-17: parts hash as their concatenation, in agreement with OpenSSL', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 1, maxLength: 4 }), (parts) => {
        const reference = createHash('sha256');
        for (const part of parts) reference.update(part);
        expect(toHex(sha256(...parts))).toBe(reference.digest('hex'));
      }),
    );
  });

  test('RFC 4231: HMAC-SHA-256, test case 2, and agreement with OpenSSL', () => {
    expect(toHex(hmacSha256(utf8('Jefe'), utf8('what do ya want for nothing?')))).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 100 }), (key, message) => {
        const reference = createHmac('sha256', key).update(message).digest('hex');
        expect(toHex(hmacSha256(key, message))).toBe(reference);
      }),
      { numRuns: 50 },
    );
  });

  test('a domain hash keeps its parts and domains apart', () => {
    const hashes = [
      domainHash('a', utf8('bc'), utf8('d')),
      domainHash('a', utf8('b'), utf8('cd')),
      domainHash('a', utf8('bcd')),
      domainHash('ab', utf8('c'), utf8('d')),
      domainHash('a', utf8('bc'), utf8('d'), new Uint8Array(0)),
    ].map(toHex);
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
