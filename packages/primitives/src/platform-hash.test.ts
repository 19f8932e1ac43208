import { createHash } from 'node:crypto';
import { sha256 as pureSha256 } from '@noble/hashes/sha2.js';
import { afterEach, expect, test } from 'vitest';
import { sha256, useSha256 } from './hash.ts';

afterEach(() => useSha256(pureSha256));

test('a platform’s SHA-256 gives the same digests as the pure one, in one part or several', () => {
  const samples = [0, 1, 55, 64, 65, 1_000].map((length) => new Uint8Array(length).fill(length));
  const pure = samples.map((bytes) => [sha256(bytes), sha256(bytes, bytes)]);
  useSha256((bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()));
  expect(samples.map((bytes) => [sha256(bytes), sha256(bytes, bytes)])).toEqual(pure);
});

test('what is not SHA-256 is refused, and nothing changes', () => {
  const before = sha256(Uint8Array.of(1));
  expect(() => useSha256(() => new Uint8Array(32))).toThrow('SHA-256');
  expect(sha256(Uint8Array.of(1))).toEqual(before);
});
