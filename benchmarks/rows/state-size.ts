import type { Benchmark, BenchmarkContext, Row } from '../benchmark.ts';
import { sized } from '../benchmark.ts';
import { at, type Network, startNetwork, submitEverywhere } from '../network/network.ts';
import { prepared } from '../network/prepared.ts';

async function rate(context: BenchmarkContext, network: Network): Promise<number> {
  const count = sized(context.scale, { full: 16_000, quick: 3_000, smoke: 20 });
  const transactions = await prepared(count, () => network.consortium.put(0, 32));
  const outcome = await submitEverywhere(network, transactions, 4_096);
  return outcome.transactionsPerSecond;
}

/** The same load on a state that grows: every transaction writes a new key at a random place of the tree. */
async function measure(context: BenchmarkContext, sizes: readonly number[]): Promise<readonly Row[]> {
  const network = await startNetwork(context, { members: 1 });
  try {
    const seed = at(network.consortium.signerSeeds, 0);
    // Once unmeasured: the first round would pay for the compiler.
    await rate(context, network);
    const empty = await rate(context, network);
    const row = (keys: number, value: number): Row => ({
      id: `state/${keys}`,
      what: keys === 0 ? 'into a small state' : `at ${keys.toLocaleString('en-US')} keys`,
      value,
      unit: 'tx/s',
      better: 'more',
      counts: 'certified and durable, one new key each, 1 validator',
      bottleneck: 'reading and writing the tree from its root to the key, twenty levels at a million',
      details: { 'of the small state': value / empty },
    });
    const rows = [row(0, empty)];
    let filled = 0;
    for (const keys of sizes) {
      context.say(`writing up to ${keys} keys`);
      await at(network.nodes, 0).fillState({ seed, from: filled, keys });
      filled = keys;
      rows.push(row(keys, await rate(context, network)));
    }
    return rows;
  } finally {
    await network.end();
  }
}

export const stateSize: Benchmark = {
  name: 'state',
  title: 'Throughput over the number of keys in the state (a million: --only state-million)',
  ids: ['PERF-04'],
  run: (context) =>
    measure(
      context,
      sized<readonly number[]>(context.scale, {
        ...{ full: [10_000, 100_000], quick: [10_000], smoke: [100] },
      }),
    ),
};

/** By name alone: writing a million keys takes a quarter of an hour. */
export const stateMillion: Benchmark = {
  name: 'state-million',
  title: 'Throughput at a million keys in the state',
  ids: ['PERF-04'],
  onlyByName: true,
  run: async (context) => {
    const sizes = { full: [1_000_000], quick: [200_000], smoke: [200] };
    const rows = await measure(context, sized<readonly number[]>(context.scale, sizes));
    return rows.map((row) => ({ ...row, id: row.id.replace('state/', 'state-million/') }));
  },
};
