import type { Benchmark, BenchmarkContext, Row } from '../benchmark.ts';
import { sized } from '../benchmark.ts';
import { forEachSize, startNetwork, submitEverywhere } from '../network/network.ts';
import { prepared } from '../network/prepared.ts';

const WINDOW = 64;

async function measure(context: BenchmarkContext, validators: number): Promise<Row> {
  const counts = { full: validators === 1 ? 10_000 : 3_000, quick: 600, smoke: 12 };
  const count = sized(context.scale, counts);
  const network = await startNetwork(context, {
    members: validators,
    batching: { transactionsMax: 1, batchCount: 1 },
  });
  try {
    const share = Math.ceil(count / validators);
    const transactions = await prepared(count, (index) =>
      network.consortium.anchor(Math.floor(index / share)),
    );
    const outcome = await submitEverywhere(network, transactions, WINDOW);
    return {
      id: `blocks/${validators}`,
      what: `blocks of one transaction, ${validators} validator${validators > 1 ? 's' : ''}`,
      value: outcome.blocksPerSecond,
      unit: 'blocks/s',
      better: 'more',
      counts: 'certified by a quorum and synced on every node that counts it',
      share: {
        of: 'raw synced writes',
        ratio: outcome.blocksPerSecond / context.limits.syncedWritesPerSecond,
      },
      bottleneck:
        validators === 1
          ? 'the syncs one after the other: the vote, then the block'
          : 'eight syncs a block on one disk, and two cores for four validators',
      details: { 'processor µs each': Math.round(outcome.cpuMicrosecondsEach) },
    };
  } finally {
    await network.end();
  }
}

export const blocks: Benchmark = {
  name: 'blocks',
  title: 'Blocks a second at one transaction a block',
  ids: ['PERF-01', 'PERF-06'],
  run: (context) => forEachSize(context, (validators) => measure(context, validators)),
};
