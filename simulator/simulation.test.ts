import { describe, expect, test } from 'vitest';
import { CALM } from './network.ts';
import type { EngineName } from './replica.ts';
import { optionsFromSeed, Simulation, type SimulationOptions } from './simulation.ts';
import { VILLAINIES, type Villainy } from './villain.ts';

/** More by hand: `node simulator/run.ts --seeds 2000`. */
const SEEDS = 30;

function calm(part: Partial<SimulationOptions>): SimulationOptions {
  return {
    seed: 1,
    engine: 'pbft',
    count: 4,
    villains: new Map(),
    conditions: CALM,
    partitions: false,
    crashes: false,
    faultsMs: 3_000,
    timing: {},
    transactionEveryMs: 100,
    skipSync: false,
    divergent: undefined,
    ...part,
  };
}

describe.each<EngineName>(['pbft', 'authority'])('%s', (engine) => {
  test(`NET-18: CON-06: ${SEEDS} seeds of loss, delay, duplication, partitions, crashes and villains: one chain, and progress after healing`, () => {
    const failed: string[] = [];
    let blocks = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const result = new Simulation(optionsFromSeed(seed, engine)).run();
      blocks += result.ledgerHeight;
      for (const violation of result.violations) failed.push(`seed ${seed}: ${violation}`);
    }
    expect(failed).toEqual([]);
    expect(blocks).toBeGreaterThan(5 * SEEDS);
  });

  test.each(VILLAINIES)(
    'NET-18: one of four that is a villain (%s) neither splits nor stops the others',
    (villainy) => {
      for (let index = 0; index < 2; index += 1) {
        const villains = new Map<number, Villainy>([[index, villainy]]);
        const result = new Simulation(calm({ engine, seed: 7 + index, villains })).run();
        expect(result.violations).toEqual([]);
        expect(result.ledgerHeight).toBeGreaterThan(0);
      }
    },
  );

  test('LED-21: an equivocator is outvoted, and evidence names it', () => {
    const villains = new Map<number, Villainy>([[0, 'equivocate']]);
    const result = new Simulation(calm({ engine, villains })).run();
    expect(result.violations).toEqual([]);
    expect(result.villains.get(0)?.equivocations).toBeGreaterThan(0);
    const named = result.replicas
      .slice(1)
      .flatMap((replica) => replica.evidence.map(({ against }) => against));
    expect(new Set(named)).toEqual(new Set([result.replicas[0]?.key]));
  });

  test('NET-15: crashes that lose every unsynced write, again and again: nothing decided is lost', () => {
    let crashes = 0;
    for (let seed = 100; seed < 105; seed += 1) {
      const result = new Simulation(calm({ engine, seed, crashes: true, faultsMs: 6_000 })).run();
      expect(result.violations).toEqual([]);
      crashes += result.crashes;
    }
    expect(crashes).toBeGreaterThan(10);
  });

  test('SC-12: a node whose application computes another hash halts; the others go on', () => {
    const divergent = { index: 2, ledgerHeight: 5 };
    const result = new Simulation(calm({ engine, divergent })).run();
    expect(result.violations).toEqual([]);
    expect(result.replicas[2]?.halted?.reason).toContain('does not compute');
    expect(result.replicas[2]?.chain.length).toBe(4);
    expect(result.ledgerHeight).toBeGreaterThan(6);
  });
});

test('the same seed gives the same run', () => {
  const run = (): unknown => {
    const { ledgerHeight, engineHeight, healedAfterMs, replicas } = new Simulation(
      optionsFromSeed(42, 'pbft'),
    ).run();
    return { ledgerHeight, engineHeight, healedAfterMs, heads: replicas.map((replica) => replica.headHash) };
  };
  expect(run()).toEqual(run());
});

test('the checks can fail: two villains of four that say two things are no longer outvoted, and evidence names them', () => {
  let forks = 0;
  for (let seed = 1; seed <= 12; seed += 1) {
    const villains = new Map<number, Villainy>([
      [0, 'equivocate'],
      [1, 'equivocate'],
    ]);
    const result = new Simulation(calm({ seed, villains })).run();
    const forked = result.violations.some((violation) => violation.startsWith('A1'));
    const evidence = result.replicas.slice(2).flatMap((replica) => replica.evidence);
    if (forked) forks += 1;
    if (forked) expect(evidence.length).toBeGreaterThan(0);
  }
  expect(forks).toBeGreaterThan(0);
});

test('the checks can fail: votes that are not synced before they are sent are caught', () => {
  let caught = 0;
  for (let seed = 1; seed <= 40 && caught === 0; seed += 1) {
    const options = {
      ...optionsFromSeed(seed, 'pbft'),
      count: 4,
      villains: new Map(),
      crashes: true,
      skipSync: true,
    };
    if (new Simulation(options).run().violations.length > 0) caught += 1;
  }
  expect(caught).toBeGreaterThan(0);
});
