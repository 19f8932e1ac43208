import {
  type ChainId,
  type Commitment,
  type ConsentId,
  equalBytes,
  type HeaderHash,
  organizationId,
} from '@careledger/primitives';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recordsDigest } from '../disclosure-leaf.ts';
import { entryCommitment, type JournalEntry, journalEntryCodec } from '../journal/entry.ts';
import type { ChunkFacts, ReleaseDecision, ReleaseEffect, ReleaseInput, ReleaseState } from './protocol.ts';
import { newRelease, stepRelease } from './step.ts';
import { type Command, type Mutation, World } from './world.test-support.ts';

const commandArbitrary: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('run' as const), amount: fc.nat(5) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('advance' as const), amount: fc.nat(4_000) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constantFrom<Command['type']>('block', 'catchUp', 'catchUp', 'release', 'release'),
      amount: fc.nat(5),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom<Command['type']>('revoke', 'revokeElsewhere'),
      amount: fc.nat(5),
    }),
  },
);

function playing(mutation: Mutation) {
  return fc.property(
    fc.array(commandArbitrary, { minLength: 10, maxLength: 60 }),
    fc.integer({ min: -500, max: 500 }),
    fc.integer({ min: -500, max: 500 }),
    (commands, custodianOffset, otherOffset) => {
      const world = new World({ custodianOffset, otherOffset, mutation });
      for (const command of commands) world.play(command);
      world.settle();
      expect(world.violations).toEqual([]);
    },
  );
}

describe('A4: no release follows an acknowledged revocation', () => {
  test('OFF-09: whatever the interleaving of revocations, chunks, pauses and stale heads', () => {
    fc.assert(playing('none'), { numRuns: 3_000 });
  });

  test.each<Mutation>(['skip-recheck', 'no-lock', 'believe-stale-head', 'acknowledge-before-mark'])(
    'the property notices a protocol with the fault %s',
    (mutation) => {
      expect(fc.check(playing(mutation), { numRuns: 3_000 }).failed).toBe(true);
    },
  );

  test('a live ledger and no revocation let releases through', () => {
    const world = new World({ custodianOffset: 0, otherOffset: 0, mutation: 'none' });
    world.play({ type: 'release', amount: 2 });
    world.settle();
    expect(world.releases).toBe(3);
    expect(world.journal).toBe(3);
  });
});

interface Fact {
  readonly outcome: 'permit' | 'deny';
  readonly ground?: string;
}
const decide = (facts: Fact): ReleaseDecision => ({
  outcome: facts.outcome,
  ground: facts.ground ?? 'consent',
  ruleIds: ['rule-1'],
  obligations: [],
  policyVersion: 'test/1',
});
const request = {
  chain: new Uint8Array(32) as ChainId,
  custodian: organizationId('hospital'),
  recipient: organizationId('clinic'),
  requestId: new Uint8Array(16).fill(3),
  purpose: 'TREAT',
  lockKeys: ['consent/00'],
};
const commitments = [1, 2].map((fill) => new Uint8Array(32).fill(fill) as Commitment);

function factsOf(changes: Partial<ChunkFacts<Fact>> = {}): ChunkFacts<Fact> {
  return {
    now: 100_000,
    head: { engineHeight: 9, time: 99_000, headerHash: new Uint8Array(32) as HeaderHash },
    subjects: [
      { subject: 'p1', consentId: new Uint8Array(16) as ConsentId, facts: { outcome: 'permit' } },
      { subject: 'p2', facts: { outcome: 'deny' } },
    ],
    records: [
      { commitment: commitments[0] as Commitment, type: 'Observation', labels: [], subjects: ['p1'] },
      { commitment: commitments[1] as Commitment, type: 'Observation', labels: [], subjects: ['p1', 'p2'] },
    ],
    last: true,
    entryId: new Uint8Array(16).fill(9),
    salt: new Uint8Array(32).fill(8),
    ...changes,
  };
}

function drive(inputs: readonly ReleaseInput<Fact>[]): { state: ReleaseState; effects: ReleaseEffect[] } {
  let state = newRelease(request);
  const effects: ReleaseEffect[] = [];
  for (const input of inputs) {
    const step = stepRelease(state, input, decide);
    state = step.next;
    effects.push(...step.effects);
  }
  return { state, effects };
}

function journalled(effects: readonly ReleaseEffect[]): readonly JournalEntry[] {
  return effects.flatMap((effect) => (effect.type === 'journal' ? [effect.write.entry] : []));
}

const clock = (now: number): ReleaseInput<Fact> => ({
  type: 'clock',
  now,
  entryId: new Uint8Array(16).fill(1),
  salt: new Uint8Array(32).fill(2),
});

describe('the release protocol', () => {
  test('PRIV-05: nothing leaves before its journal entry is synced, and the leaf commits to that entry', () => {
    const before = drive([{ type: 'start' }, { type: 'locked' }, { type: 'facts', facts: factsOf() }]);
    expect(before.effects.map((effect) => effect.type)).toEqual(['lock', 'readFacts', 'journal']);
    const [entry] = journalled(before.effects);
    const after = stepRelease(before.state, { type: 'synced' }, decide);
    const [prepare, readClock] = after.effects;
    expect(readClock?.type).toBe('readClock');
    if (prepare?.type !== 'prepare' || !entry) throw new Error('nothing was prepared');
    const expected = entryCommitment(journalEntryCodec.encode(entry), new Uint8Array(32).fill(8));
    expect(equalBytes(prepare.leaf.entry, expected)).toBe(true);
    expect(prepare.leaf.releaseBefore).toBe(104_000);
    expect(stepRelease(after.next, clock(104_000), decide).effects).toEqual([{ type: 'release' }]);
  });

  test('a record of several patients is released only if every one of them permits', () => {
    const { effects } = drive([
      { type: 'start' },
      { type: 'locked' },
      { type: 'facts', facts: factsOf() },
      { type: 'synced' },
    ]);
    const [entry] = journalled(effects);
    expect(entry).toMatchObject({ event: 'disclosure', subjects: ['p1'], withheld: 1, ruleIds: ['rule-1'] });
    expect(entry?.description).toEqual([{ type: 'Observation', count: 1 }]);
    const prepared = effects.find((effect) => effect.type === 'prepare');
    expect(prepared?.released).toEqual([0]);
    expect(prepared?.leaf.records).toEqual(recordsDigest(commitments.slice(0, 1)));
  });

  test.each([
    ['more than 5 s behind', 94_999],
    ['more than 1 s ahead', 101_001],
  ])('a head %s of the clock releases nothing', (_, time) => {
    const head = { engineHeight: 9, time, headerHash: new Uint8Array(32) as HeaderHash };
    const { effects, state } = drive([
      { type: 'start' },
      { type: 'locked' },
      { type: 'facts', facts: factsOf({ head }) },
      { type: 'synced' },
    ]);
    expect(journalled(effects)[0]).toMatchObject({ event: 'refusal', reason: 'release/ledger-stale' });
    expect(state.phase).toBe('refused');
  });

  test('an emergency goes on with a stale head, marked late', () => {
    const head = { engineHeight: 9, time: 1, headerHash: new Uint8Array(32) as HeaderHash };
    const facts = factsOf({
      head,
      subjects: [{ subject: 'p1', facts: { outcome: 'permit', ground: 'emergency' } }],
      records: factsOf().records.slice(0, 1),
    });
    const { effects } = drive([
      { type: 'start' },
      { type: 'locked' },
      { type: 'facts', facts },
      { type: 'synced' },
      clock(104_999),
    ]);
    expect(journalled(effects)[0]).toMatchObject({ event: 'disclosure', late: true, ground: 'emergency' });
    expect(effects.at(-1)).toEqual({ type: 'release' });
  });

  test('a pause after the decision ends in a refusal that names the announced disclosure', () => {
    const { effects, state } = drive([
      { type: 'start' },
      { type: 'locked' },
      { type: 'facts', facts: factsOf() },
      { type: 'synced' },
      clock(104_001),
      { type: 'synced' },
    ]);
    const [announced, refused] = journalled(effects);
    expect(refused).toMatchObject({ event: 'refusal', reason: 'release/too-late' });
    expect(announced && refused?.counterpartEntry).toEqual(
      announced && entryCommitment(journalEntryCodec.encode(announced), new Uint8Array(32).fill(8)),
    );
    expect(effects.some((effect) => effect.type === 'release')).toBe(false);
    expect(state.phase).toBe('refused');
  });

  test('PRIV-26: a denial is journalled alike whether or not the patient exists', () => {
    const shapeFor = (subject: string): readonly string[] =>
      drive([
        { type: 'start' },
        { type: 'locked' },
        {
          type: 'facts',
          facts: factsOf({ subjects: [{ subject, facts: { outcome: 'deny' } }], records: [] }),
        },
        { type: 'synced' },
      ]).effects.map((effect) => effect.type);
    expect(shapeFor('p1')).toEqual(shapeFor(''));
    expect(shapeFor('')).toEqual(['lock', 'readFacts', 'journal', 'refuse', 'unlock']);
  });

  test('a failed sync releases nothing and gives the lock back', () => {
    const { effects, state } = drive([
      { type: 'start' },
      { type: 'locked' },
      { type: 'facts', facts: factsOf() },
      { type: 'failed' },
    ]);
    expect(effects.at(-1)).toEqual({ type: 'unlock' });
    expect(state.phase).toBe('failed');
  });

  test('between chunks the lock is given back, so that a revocation takes its turn', () => {
    const { effects } = drive([
      { type: 'start' },
      { type: 'locked' },
      { type: 'facts', facts: factsOf({ last: false }) },
      { type: 'synced' },
      clock(100_000),
      { type: 'written' },
    ]);
    expect(effects.slice(-2).map((effect) => effect.type)).toEqual(['unlock', 'lock']);
  });
});
