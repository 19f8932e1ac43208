import { hash } from 'node:crypto';
import { InvariantError, organizationId, sha256, toHex, utf8 } from '@careledger/primitives';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verifyInclusion } from './merkle/inclusion.ts';
import {
  commitmentOf,
  leafBytes,
  paddingCountOf,
  type RecordLeaf,
  recordBatchOf,
  recordLeafCodec,
  recordLeafHash,
  retireKeyOf,
} from './record-leaf.ts';

const hospital = organizationId('general-hospital');
const saltOf = (name: string) => sha256(utf8(`salt ${name}`));

function leafOf(index: number): RecordLeaf {
  const retireSecret = sha256(utf8(`secret ${index}`));
  return {
    commitment: commitmentOf({ salt: saltOf(String(index)), bytes: utf8(`{"record":${index}}`) }),
    retireKey: retireKeyOf({ organization: hospital, retireSecret }),
  };
}

const randomOf = (index: number) => sha256(utf8(`padding ${index}`));

function batchOf(count: number) {
  const leaves = Array.from({ length: count }, (_, index) => leafOf(index));
  const padding = Array.from({ length: paddingCountOf(count) }, (_, index) => randomOf(index));
  return { leaves, batch: recordBatchOf({ leaves, padding }) };
}

/** RFC 2104 on another implementation's hash: what an attacker would run. */
function attackerHmac(key: Uint8Array): (guess: string) => string {
  const padded = (mask: number) => Buffer.concat([key, Buffer.alloc(32)]).map((byte) => byte ^ mask);
  const [inner, outer] = [padded(0x36), padded(0x5c)];
  return (guess) => {
    const digest = hash('sha256', Buffer.concat([inner, Buffer.from(guess)]), 'buffer');
    return hash('sha256', Buffer.concat([outer, digest]));
  };
}

describe('commitments', () => {
  test('LED-18: a dictionary of every birth date of 130 years finds nothing without the salt', () => {
    const birthday = '1984-07-09';
    const salt = saltOf('birthday');
    const commitment = toHex(commitmentOf({ salt, bytes: utf8(birthday) }));
    const guesses = Array.from({ length: 130 * 366 }, (_, day) =>
      new Date(Date.UTC(1900, 0, 1 + day)).toISOString().slice(0, 10),
    );
    expect(guesses).toContain(birthday);
    const fixedKeys = [new Uint8Array(32), sha256(utf8('careledger'))].map(attackerHmac);
    const found = guesses.filter(
      (guess) =>
        hash('sha256', guess) === commitment || fixedKeys.some((keyed) => keyed(guess) === commitment),
    );
    expect(found).toEqual([]);
    const salted = attackerHmac(salt);
    const withSalt = guesses.filter((guess) => salted(guess) === commitment);
    expect(withSalt).toEqual([birthday]);
  });

  test('LED-18: the same record under two salts has two commitments that nothing links', () => {
    const bytes = utf8('123-45-6789');
    const [one, two] = [saltOf('1'), saltOf('2')].map((salt) => toHex(commitmentOf({ salt, bytes })));
    expect(one).not.toBe(two);
    expect(() => commitmentOf({ salt: new Uint8Array(16), bytes })).toThrow(InvariantError);
  });

  test('LED-17: a commitment has 32 bytes for any record, and any changed byte is another one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), fc.nat(), (bytes, position) => {
        const salt = saltOf('record');
        const commitment = commitmentOf({ salt, bytes });
        const changed = bytes.slice();
        const index = position % bytes.length;
        changed[index] = (changed[index] ?? 0) ^ 1;
        expect(commitment.length).toBe(32);
        expect(toHex(commitmentOf({ salt, bytes: changed }))).not.toBe(toHex(commitment));
      }),
    );
  });

  test('LED-16: two parties agree or disagree on a document by exchanging digests alone', () => {
    const salt = saltOf('shared');
    const custodian = commitmentOf({ salt, bytes: utf8('the discharge letter') });
    expect(commitmentOf({ salt, bytes: utf8('the discharge letter') })).toEqual(custodian);
    expect(commitmentOf({ salt, bytes: utf8('the discharge letter.') })).not.toEqual(custodian);
  });
});

describe('record batches', () => {
  test('a leaf with and without predecessor comes back from its bytes', () => {
    for (const leaf of [leafOf(1), { ...leafOf(2), supersedes: recordLeafHash(leafOf(1)) }]) {
      expect(recordLeafCodec.decode(leafBytes(leaf))).toEqual(leaf);
    }
  });

  test('a retire key belongs to one organization and one secret', () => {
    const retireSecret = sha256(utf8('secret'));
    const own = toHex(retireKeyOf({ organization: hospital, retireSecret }));
    const copied = toHex(retireKeyOf({ organization: organizationId('city-clinic'), retireSecret }));
    const other = toHex(retireKeyOf({ organization: hospital, retireSecret: sha256(retireSecret) }));
    expect(new Set([own, copied, other]).size).toBe(3);
  });

  test.each([1, 2, 3, 4, 5, 7, 8, 9, 33])(
    'every leaf of a batch of %i is proven in a padded, perfect tree',
    (count) => {
      const { leaves, batch } = batchOf(count);
      expect(Math.log2(batch.size) % 1).toBe(0);
      expect(batch.proofs.length).toBe(count);
      for (const [index, leaf] of leaves.entries()) {
        const proof = batch.proofs[index];
        expect(proof?.path.length).toBe(Math.log2(batch.size));
        expect(proof && verifyInclusion({ leafHash: recordLeafHash(leaf), proof, root: batch.root }).ok).toBe(
          true,
        );
      }
    },
  );

  test('a batch that is empty or not padded to a power of two is our own fault', () => {
    expect(() => recordBatchOf({ leaves: [], padding: [] })).toThrow(InvariantError);
    expect(() => recordBatchOf({ leaves: [leafOf(1), leafOf(2), leafOf(3)], padding: [] })).toThrow(
      InvariantError,
    );
    expect([1, 2, 3, 5, 8, 9].map(paddingCountOf)).toEqual([0, 0, 1, 3, 0, 7]);
  });
});
