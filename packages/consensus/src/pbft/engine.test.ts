import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ConsensusValidator, Input } from '../protocol.ts';
import { Cluster } from '../testing/cluster.ts';
import { GENESIS_HASH, keyOf, optionsFor, validatorsOf } from '../testing/keys.ts';
import { createPbft } from './pbft.ts';
import { hasHonest, isQuorum } from './quorum.ts';

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value))
    return;
  if (value instanceof Map || value instanceof Set) {
    const refuse = (): never => {
      throw new Error('a state is never changed in place');
    };
    Object.assign(value, { set: refuse, add: refuse, delete: refuse });
    for (const [key, item] of value.entries()) {
      freeze(key);
      freeze(item);
    }
  }
  Object.freeze(value);
  for (const item of Object.values(value)) freeze(item);
}

test('CON-01: a step changes nothing in place, and the same state and input give the same result', () => {
  const inputs: Input[] = [];
  const cluster = new Cluster({
    create: (options) => {
      const protocol = createPbft(options);
      if (options.self !== keyOf('b')) return protocol;
      return {
        ...protocol,
        step: (state, input) => {
          inputs.push(input);
          freeze(state);
          freeze(input);
          const first = protocol.step(state, input);
          expect(protocol.step(state, input)).toEqual(first);
          return first;
        },
      };
    },
    count: 4,
  });
  cluster.submit(1);
  cluster.pass(200);
  cluster.nodes[0]?.stop();
  cluster.submit(1);
  cluster.pass(2_500);
  expect(cluster.nodes[1]?.chain).toHaveLength(2);

  const again = createPbft(optionsFor(keyOf('b')));
  let state = again.initial;
  for (const input of inputs) state = again.step(state, input).next;
  expect(state).toEqual(cluster.nodes[1]?.state);
});

test('CON-06: two quorums share more than a third of the power, for any powers', () => {
  const powers = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(powers, fc.nat(), fc.nat(), (list, first, second) => {
      const validators: ConsensusValidator[] = list.map((power, index) => ({ key: `${index}`, power }));
      const chosen = (mask: number): string[] =>
        validators.filter((_, index) => (mask >> index) & 1).map(({ key }) => key);
      const [left, right] = [chosen(first), chosen(second)];
      if (!isQuorum(validators, left) || !isQuorum(validators, right)) return;
      const shared = left.filter((key) => right.includes(key));
      expect(hasHonest(validators, shared)).toBe(true);
    }),
  );
});

test.each([
  [1, 1, 0],
  [3, 3, 2],
  [4, 3, 2],
  [5, 4, 3],
  [7, 5, 4],
])('CON-06: of %d equal validators %d are a quorum and %d are not', (count, enough, fewer) => {
  const validators = validatorsOf([...'abcdefg'].slice(0, count));
  const keys = validators.map(({ key }) => key);
  expect(isQuorum(validators, keys.slice(0, enough))).toBe(true);
  expect(isQuorum(validators, keys.slice(0, fewer))).toBe(false);
});

test('votes that cannot be read stop the node instead of letting it vote anew', () => {
  const options = { ...optionsFor(keyOf('a')), restored: Uint8Array.of(1, 2, 3) };
  expect(() => createPbft(options)).toThrow();
});

test('CON-06: a store that lost blocks does not make the node vote again where it voted', () => {
  const cluster = new Cluster({ create: createPbft, count: 1 });
  for (let round = 0; round < 3; round += 1) {
    cluster.submit(1);
    cluster.pass(100);
  }
  const [node] = cluster.nodes;
  const protocol = createPbft({ ...optionsFor(keyOf('a')), restored: node?.record });
  let state = protocol.initial;
  const effects = [];
  const inputs: Input[] = [
    { type: 'tick', now: 1_000 },
    {
      type: 'advanced',
      engineHeight: 0,
      time: 0,
      ledgerHeight: 0,
      headerHash: GENESIS_HASH,
      certificate: undefined,
      validators: validatorsOf(['a']),
    },
    { type: 'pending', count: 1_000, bytes: 1 },
    ...Array.from({ length: 10 }, (_, index): Input => ({ type: 'tick', now: 2_000 + 1_000 * index })),
  ];
  for (const input of inputs) {
    const step = protocol.step(state, input);
    state = step.next;
    effects.push(...step.effects);
  }
  expect(effects).toEqual([]);
});

test('NET-18: what one validator sends for later heights and views is kept within bounds', () => {
  const cluster = new Cluster({ create: createPbft, count: 4 });
  const node = cluster.nodes[3];
  const other = new Cluster({ create: createPbft, count: 4 });
  for (let round = 0; round < 30; round += 1) {
    other.submit(1);
    other.pass(50);
  }
  for (const { bytes } of other.nodes[1]?.seen('broadcast') ?? []) {
    node?.input({ type: 'message', from: keyOf('b'), bytes });
  }
  const kept = [...(node?.state?.early.values() ?? [])].flat();
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.length).toBeLessThanOrEqual(32);
  expect(Math.max(...kept.map(({ engineHeight }) => engineHeight))).toBeLessThanOrEqual(5);
});
