import type { Benchmark, BenchmarkContext, Row } from '../benchmark.ts';
import { sized } from '../benchmark.ts';
import { startNetwork, submitEverywhere } from '../network/network.ts';
import { prepared } from '../network/prepared.ts';

/** One block at the most in so many milliseconds, for the rows at equal blocks a second. */
const INTERVAL_MS = 100;

async function measure(context: BenchmarkContext, batch: number): Promise<readonly Row[]> {
  const perBatch = sized(context.scale, { full: 40, quick: 8, smoke: 2 });
  const flatOut = await outcomeOf(context, {
    count: Math.min(Math.max(batch * perBatch, 200), 12_000),
    batching: { transactionsMax: batch, batchCount: batch },
  });
  const evenly = await outcomeOf(context, {
    count: Math.min(batch * sized(context.scale, { full: 20, quick: 6, smoke: 2 }), 12_000),
    // Never full before its time: the interval alone says when a block is proposed.
    batching: { transactionsMax: batch, batchCount: 1_000_000, batchBytes: 1_000_000_000 },
    timings: { batchIntervalMs: INTERVAL_MS },
  });
  const counts = 'certified and durable, 1 validator';
  return [
    {
      id: `curve/flat-out/${batch}`,
      what: `${batch} transactions a block, flat out`,
      value: flatOut.transactionsPerSecond,
      unit: 'tx/s',
      better: 'more',
      counts,
      details: { 'blocks/s': flatOut.blocksPerSecond },
    },
    {
      id: `curve/evenly/${batch}`,
      what: `${batch} transactions a block, a block each ${INTERVAL_MS} ms`,
      value: evenly.transactionsPerSecond,
      unit: 'tx/s',
      better: 'none',
      counts,
      details: { 'blocks/s': evenly.blocksPerSecond },
    },
  ];
}

async function outcomeOf(
  context: BenchmarkContext,
  options: Pick<Parameters<typeof startNetwork>[1], 'batching' | 'timings'> & { readonly count: number },
) {
  const { count, ...settings } = options;
  const network = await startNetwork(context, { members: 1, ...settings });
  try {
    const transactions = await prepared(count, () => network.consortium.anchor(0));
    return await submitEverywhere(network, transactions, 4_096);
  } finally {
    await network.end();
  }
}

export const batchCurve: Benchmark = {
  name: 'curve',
  title: 'Transactions a second over the size of a batch',
  ids: ['LED-11', 'PERF-02'],
  run: async (context) => {
    const batches = sized<readonly number[]>(context.scale, {
      full: [1, 4, 16, 64, 256, 1_024],
      quick: [1, 32, 512],
      smoke: [1, 8],
    });
    const rows: Row[] = [];
    for (const batch of batches) rows.push(...(await measure(context, batch)));
    return rows;
  },
};
