import { sha256 } from '@careledger/primitives';
import { expect, test } from 'vitest';
import { encodeHeader, headerHash } from './block-codecs.ts';
import { merkleRoot } from './merkle/subtrees.ts';
import { makeTestChain } from './test-chain.ts';

const HASH_BITS = 256;
/** Six standard deviations (8 bits each) around half of the bits. */
const FEWEST = 80;
const MOST = 176;

function bitsBetween(left: Uint8Array, right: Uint8Array): number {
  let bits = 0;
  for (const [index, byte] of left.entries()) {
    for (let rest = byte ^ (right[index] ?? 0); rest > 0; rest >>= 1) bits += rest & 1;
  }
  return bits;
}

function withBit(bytes: Uint8Array, bit: number): Uint8Array {
  const changed = bytes.slice();
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return changed;
}

const { blocks } = makeTestChain({ length: 2 });
const [first, second] = blocks as [(typeof blocks)[number], (typeof blocks)[number]];

test('LED-19: each single bit of a header or a transaction changes about half of the bits that depend on it', () => {
  const header = encodeHeader(second.header);
  const before = headerHash(second.header);
  const transactions = [new Uint8Array(250).fill(7), new Uint8Array(250).fill(9)];
  const root = merkleRoot(transactions);
  const distances: number[] = [];
  for (let bit = 0; bit < header.length * 8; bit += 1) {
    distances.push(bitsBetween(before, sha256(withBit(header, bit))));
  }
  for (let bit = 0; bit < 250 * 8; bit += 1) {
    const [changed, other] = transactions as [Uint8Array, Uint8Array];
    distances.push(bitsBetween(root, merkleRoot([withBit(changed, bit), other])));
  }
  expect(Math.min(...distances)).toBeGreaterThan(FEWEST);
  expect(Math.max(...distances)).toBeLessThan(MOST);
  const mean = distances.reduce((sum, distance) => sum + distance, 0) / distances.length;
  expect(Math.abs(mean - HASH_BITS / 2)).toBeLessThan(1);
});

test('LED-19: a header’s hash covers the block before, so that a change there is a change of every block after', () => {
  expect(second.header.previousHash).toEqual(headerHash(first.header));
  const forged = { ...first.header, time: first.header.time + 1 };
  const next = { ...second.header, previousHash: headerHash(forged) };
  expect(bitsBetween(headerHash(next), headerHash(second.header))).toBeGreaterThan(FEWEST);
});
