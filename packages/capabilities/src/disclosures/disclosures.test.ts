import { sha256, toHex, utf8 } from '@careledger/primitives';
import { expect, test } from 'vitest';
import { Consortium, clinic, hospital, type Spoken } from '../consortium.test-support.ts';
import { acknowledgeDisclosuresCodec, anchorDisclosuresCodec, SIZE_MAX } from './messages.ts';
import {
  acknowledgementCount,
  disclosureAnchorCount,
  readAcknowledgement,
  readDisclosureAnchor,
} from './queries.ts';

function hash(name: string): Uint8Array {
  return sha256(utf8(name));
}

function anchor(name: string, options: { size?: number; by?: string } = {}): Spoken {
  const { size = 4, by = `${hospital} gateway` } = options;
  return { by, type: 'disclosures/anchor', message: { root: hash(name), size, head: hash(`${name} head`) } };
}

function acknowledge(name: string, by = `${clinic} gateway`): Spoken {
  return { by, type: 'disclosures/acknowledge', message: { root: hash(name), size: 2 } };
}

test('PRIV-05: journal roots are numbered without a gap, so that a stretch left out of an accounting shows', () => {
  const consortium = new Consortium();
  consortium.say(anchor('a'), anchor('b'));
  consortium.say(anchor('c'), anchor('d', { by: `${clinic} gateway` }));
  expect(disclosureAnchorCount(consortium.store, hospital)).toBe(3);
  const held = [0, 1, 2, 3].map((index) => readDisclosureAnchor(consortium.store, hospital, index)?.root);
  expect(held).toEqual([hash('a'), hash('b'), hash('c'), undefined]);
  expect(readDisclosureAnchor(consortium.store, hospital, 2)).toEqual({
    root: hash('c'),
    size: 4,
    head: hash('c head'),
    time: consortium.header.time,
  });
});

test('PRIV-26: the recipient anchors what it was handed in a list of its own, which the custodian cannot touch', () => {
  const consortium = new Consortium();
  expect(consortium.say(anchor('a'), acknowledge('a'), acknowledge('b'))).toEqual([
    'accepted',
    'accepted',
    'accepted',
  ]);
  expect(acknowledgementCount(consortium.store, clinic)).toBe(2);
  expect(acknowledgementCount(consortium.store, hospital)).toBe(0);
  expect(readAcknowledgement(consortium.store, clinic, 1)?.root).toEqual(hash('b'));
  consortium.say(acknowledge('c', `${hospital} gateway`));
  expect(acknowledgementCount(consortium.store, clinic)).toBe(2);
});

test('the number of leaves is a power of two, and only a custodian key anchors', () => {
  const consortium = new Consortium();
  const sizes = [0, 3, 6, 65_535].map((size) => anchor('a', { size }));
  expect(consortium.say(...sizes)).toEqual(sizes.map(() => 'disclosures/size-not-padded'));
  expect(consortium.say(anchor('a', { size: 1 }), anchor('a', { size: SIZE_MAX }))).toEqual([
    'accepted',
    'accepted',
  ]);
  expect(
    consortium.say(anchor('a', { by: `${hospital} auditor` }), acknowledge('a', `${clinic} node`)),
  ).toEqual(['disclosures/not-custodian', 'disclosures/not-custodian']);
});

test('golden bytes: an anchor and an acknowledgement', () => {
  const root = new Uint8Array(32).fill(1);
  const head = new Uint8Array(32).fill(2);
  expect(toHex(anchorDisclosuresCodec.encode({ root, size: 8, head }))).toBe(
    `a364686561645820${'02'.repeat(32)}64726f6f745820${'01'.repeat(32)}6473697a6508`,
  );
  expect(toHex(acknowledgeDisclosuresCodec.encode({ root, size: 8 }))).toBe(
    `a264726f6f745820${'01'.repeat(32)}6473697a6508`,
  );
});
