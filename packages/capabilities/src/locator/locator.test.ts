import { sha256, toHex, utf8 } from '@careledger/primitives';
import { expect, test } from 'vitest';
import { Consortium, clinic, hospital, type Spoken } from '../consortium.test-support.ts';
import { CIPHERTEXT_BYTES, type LocatorEntry, type LocatorEntryId, publishEntriesCodec } from './messages.ts';
import { LOCATOR_PLAINTEXT_BYTES } from './plaintext.ts';
import { listEntries } from './queries.ts';
import { readEntry } from './state.ts';

function entryId(name: string): LocatorEntryId {
  return sha256(utf8(name)).slice(0, 16) as LocatorEntryId;
}

function entry(name: string): LocatorEntry {
  return { entryId: entryId(name), ciphertext: new Uint8Array(CIPHERTEXT_BYTES).fill(name.length) };
}

function publish(names: readonly string[], by = `${hospital} gateway`): Spoken {
  return { by, type: 'locator/publish', message: { entries: names.map(entry) } };
}

function withdraw(names: readonly string[], by = `${hospital} gateway`): Spoken {
  return { by, type: 'locator/withdraw', message: { entryIds: names.map(entryId) } };
}

test('an entry is published and withdrawn; what is withdrawn leaves state', () => {
  const consortium = new Consortium();
  expect(consortium.say(publish(['a', 'b']))).toEqual(['accepted']);
  expect(listEntries(consortium.store, 10)).toHaveLength(2);
  expect(consortium.say(withdraw(['a']))).toEqual(['accepted']);
  expect(readEntry(consortium.store, entryId('a'))).toBeUndefined();
  expect(readEntry(consortium.store, entryId('b'))).toEqual({
    organization: hospital,
    ciphertext: entry('b').ciphertext,
  });
});

test('an entry id is used once, and only its publisher withdraws it', () => {
  const consortium = new Consortium();
  expect(consortium.say(publish(['a']), publish(['a']), publish(['b', 'b']))).toEqual([
    'accepted',
    'locator/entry-taken',
    'locator/entry-taken',
  ]);
  expect(consortium.say(withdraw(['a'], `${clinic} gateway`), withdraw(['c']), withdraw(['a', 'a']))).toEqual(
    ['locator/not-own-entry', 'locator/entry-not-found', 'locator/entry-not-found'],
  );
  expect(consortium.say(publish(['d'], `${hospital} auditor`))).toEqual(['locator/not-custodian']);
  expect(consortium.say(withdraw(['a'], `${hospital} auditor`))).toEqual(['locator/not-custodian']);
});

test('an entry names no recipient, and all of them have one length', () => {
  expect(CIPHERTEXT_BYTES).toBe(96);
  expect(LOCATOR_PLAINTEXT_BYTES).toBe(48);
  const tooShort = { entryId: entryId('a'), ciphertext: new Uint8Array(95) };
  expect(() => publishEntriesCodec.encode({ entries: [tooShort] })).toThrow('ciphertext');
  expect(() => publishEntriesCodec.encode({ entries: [] })).toThrow('empty');
  const many = Array.from({ length: 65 }, (_, index) => entry(String(index)));
  expect(() => publishEntriesCodec.encode({ entries: many })).toThrow('64');
});

test('golden bytes: one entry', () => {
  const bytes = publishEntriesCodec.encode({
    entries: [
      { entryId: new Uint8Array(16).fill(1) as LocatorEntryId, ciphertext: new Uint8Array(96).fill(2) },
    ],
  });
  expect(toHex(bytes)).toBe(
    `a167656e747269657381a267656e747279496450${'01'.repeat(16)}6a636970686572746578745860${'02'.repeat(96)}`,
  );
});
