import {
  proveState,
  type RecordLeaf,
  recordBatchOf,
  recordLeafHash,
  retireKeyOf,
  verifyInclusion,
  verifyStateProof,
} from '@careledger/ledger';
import { type Commitment, encodeCbor, sha256, toHex, utf8 } from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import { Consortium, clinic, hospital, type Spoken } from '../consortium.test-support.ts';
import type { AnchorRecords, Retirement } from './messages.ts';
import { anchorRecordsCodec, RETIREMENT_COUNTS } from './messages.ts';
import { anchorCount, readAnchor, successorOf } from './queries.ts';
import { retiredKey } from './state.ts';
import { tombstoneLeafHash } from './tombstone.ts';

/** Stands for 32 random bytes. */
function random(name: string): Uint8Array {
  return sha256(utf8(`random ${name}`));
}

function leaf(name: string, supersedes?: Uint8Array): RecordLeaf {
  const retireKey = retireKeyOf({ organization: hospital, retireSecret: random(`${name} secret`) });
  const commitment = random(`${name} commitment`) as Commitment;
  return supersedes ? { commitment, retireKey, supersedes } : { commitment, retireKey };
}

function retire(name: string, successor: Uint8Array): readonly Retirement[] {
  const padding = Array.from({ length: 7 }, (_, index) => ({
    retireSecret: random(`${name} padding ${index}`),
    successor: random(`${name} padding successor ${index}`),
  }));
  return [{ retireSecret: random(`${name} secret`), successor }, ...padding];
}

function anchor(
  root: Uint8Array,
  retirements: readonly Retirement[] = [],
  by = `${hospital} gateway`,
): Spoken {
  return { by, type: 'records/anchor', message: { root, retirements } satisfies AnchorRecords };
}

function isAbsent(consortium: Consortium, key: Uint8Array): boolean {
  const root = consortium.header.stateRoot;
  const proof = proveState({ root, node: consortium.store.node, key });
  return verifyStateProof({ root, key, value: undefined, proof }).ok;
}

describe('correction and deletion', () => {
  const first = leaf('first');
  const second = leaf('second', recordLeafHash(first));
  const third = leaf('third', recordLeafHash(second));
  const tombstone = tombstoneLeafHash({ deletes: recordLeafHash(third), salt: random('salt') });
  const batchOf = (one: RecordLeaf) => recordBatchOf({ leaves: [one], padding: [] }).root;

  test('LED-24: a correction retires the version before and names the leaf that supersedes it, three deep', () => {
    const consortium = new Consortium();
    consortium.say(anchor(batchOf(first)));
    expect(isAbsent(consortium, retiredKey(first.retireKey))).toBe(true);
    consortium.say(anchor(batchOf(second), retire('first', recordLeafHash(second))));
    consortium.say(anchor(batchOf(third), retire('second', recordLeafHash(third))));
    expect(isAbsent(consortium, retiredKey(first.retireKey))).toBe(false);
    expect(successorOf(consortium.store, first.retireKey)).toEqual(recordLeafHash(second));
    expect(successorOf(consortium.store, second.retireKey)).toEqual(recordLeafHash(third));
    expect(successorOf(consortium.store, third.retireKey)).toBeUndefined();
    expect(isAbsent(consortium, retiredKey(third.retireKey))).toBe(true);
    expect(second.supersedes).toEqual(recordLeafHash(first));
  });

  test('LED-25: a deletion retires the last version with a tombstone; what it ended still stands in its batch', () => {
    const consortium = new Consortium();
    consortium.say(anchor(batchOf(third)));
    expect(consortium.say(anchor(random('padding batch'), retire('third', tombstone)))).toEqual(['accepted']);
    expect(successorOf(consortium.store, third.retireKey)).toEqual(tombstone);
    expect(readAnchor(consortium.store, hospital, 0)?.root).toEqual(batchOf(third));
  });

  test('LED-26: the original’s leaf is provable under its batch root after correction and deletion', () => {
    const consortium = new Consortium();
    const leaves = [first, leaf('other'), leaf('another'), leaf('last')];
    const batch = recordBatchOf({ leaves, padding: [] });
    consortium.say(anchor(batch.root));
    consortium.say(anchor(batchOf(second), retire('first', recordLeafHash(second))));
    const [proof] = batch.proofs;
    const root = readAnchor(consortium.store, hospital, 0)?.root;
    if (!proof || !root) throw new Error('the batch was anchored');
    expect(verifyInclusion({ root, leafHash: recordLeafHash(first), proof }).ok).toBe(true);
    expect(verifyInclusion({ root, leafHash: recordLeafHash(second), proof }).ok).toBe(false);
  });

  test('LED-27: another organization with the very secret retires nothing: it writes under a key nobody looks up', () => {
    const consortium = new Consortium();
    consortium.say(anchor(batchOf(first)));
    const theft = anchor(
      random('their batch'),
      retire('first', random('forged successor')),
      `${clinic} gateway`,
    );
    expect(consortium.say(theft)).toEqual(['accepted']);
    expect(isAbsent(consortium, retiredKey(first.retireKey))).toBe(true);
    expect(consortium.say(anchor(batchOf(second), retire('first', recordLeafHash(second))))).toEqual([
      'accepted',
    ]);
    expect(successorOf(consortium.store, first.retireKey)).toEqual(recordLeafHash(second));
  });

  test('LED-27: a version is retired once only, in one message or two', () => {
    const consortium = new Consortium();
    const retirements = retire('first', recordLeafHash(second));
    const [one] = retirements;
    if (!one) throw new Error('there is a retirement');
    const twice = [one, ...retirements.slice(0, 6), { ...one, successor: tombstone }];
    expect(consortium.say(anchor(random('a'), twice))).toEqual(['records/already-retired']);
    expect(consortium.say(anchor(random('a'), retirements))).toEqual(['accepted']);
    expect(consortium.say(anchor(random('b'), retire('first', tombstone)))).toEqual([
      'records/already-retired',
    ]);
    expect(anchorCount(consortium.store, hospital)).toBe(1);
    expect(successorOf(consortium.store, first.retireKey)).toEqual(recordLeafHash(second));
  });

  test.each(['administrator', 'auditor', 'node'])(
    'LED-27: the organization’s %s key may not anchor',
    (role) => {
      const consortium = new Consortium();
      expect(consortium.say(anchor(random('a'), [], `${hospital} ${role}`))).toEqual([
        'records/not-custodian',
      ]);
    },
  );
});

test('anchors are numbered from 0 without a gap, for each organization apart', () => {
  const consortium = new Consortium();
  consortium.say(anchor(random('1')), anchor(random('2')), anchor(random('3'), [], `${clinic} gateway`));
  expect([hospital, clinic].map((member) => anchorCount(consortium.store, member))).toEqual([2, 1]);
  expect(readAnchor(consortium.store, hospital, 1)).toEqual({
    root: random('2'),
    height: 1,
    time: consortium.header.time,
  });
  expect(readAnchor(consortium.store, hospital, 2)).toBeUndefined();
});

test('the number of retirements is one of the padded sizes, or the message is malformed', () => {
  const retirements = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      retireSecret: random(`s${index}`),
      successor: random(`t${index}`),
    }));
  for (const count of RETIREMENT_COUNTS) {
    const bytes = anchorRecordsCodec.encode({ root: random('a'), retirements: retirements(count) });
    expect(anchorRecordsCodec.decode(bytes).retirements).toHaveLength(count);
    expect(bytes.length).toBeLessThan(60_000);
  }
  for (const count of [1, 7, 9, 65, 513]) {
    expect(() => anchorRecordsCodec.encode({ root: random('a'), retirements: retirements(count) })).toThrow(
      'retirements',
    );
    const wild = encodeCbor(
      new Map<string, Uint8Array | readonly ReadonlyMap<string, Uint8Array>[]>([
        ['root', random('a')],
        ['retirements', retirements(count).map((one) => new Map(Object.entries(one)))],
      ]),
    );
    expect(() => anchorRecordsCodec.decode(wild)).toThrow('retirements');
  }
});

test('golden bytes: an anchor without retirements', () => {
  const bytes = anchorRecordsCodec.encode({ root: new Uint8Array(32).fill(0xab), retirements: [] });
  expect(toHex(bytes)).toBe(`a264726f6f745820${'ab'.repeat(32)}6b7265746972656d656e747380`);
});

test('golden bytes: a tombstone leaf has one hash', () => {
  const hash = tombstoneLeafHash({ deletes: new Uint8Array(32).fill(1), salt: new Uint8Array(32).fill(2) });
  expect(toHex(hash)).toBe(
    toHex(
      sha256(
        Uint8Array.of(0),
        encodeCbor(
          new Map([
            ['deletes', new Uint8Array(32).fill(1)],
            ['salt', new Uint8Array(32).fill(2)],
          ]),
        ),
      ),
    ),
  );
});
