import type { Benchmark, BenchmarkContext, Row } from '../benchmark.ts';
import { sized } from '../benchmark.ts';
import { forEachSize, startNetwork, submitEverywhere } from '../network/network.ts';
import { prepared } from '../network/prepared.ts';

/** Transactions on their way at one time, in the whole network. */
const WINDOW = 4_096;

async function measure(context: BenchmarkContext, validators: number): Promise<Row> {
  const count = sized(context.scale, { full: validators === 1 ? 60_000 : 18_000, quick: 8_000, smoke: 40 });
  const network = await startNetwork(context, { members: validators });
  try {
    const { consortium } = network;
    context.say(`signing ${count} transactions`);
    const share = Math.ceil(count / validators);
    const transactions = await prepared(count, (index) => consortium.anchor(Math.floor(index / share)));
    context.say('submitting them');
    const warmUp = Math.floor(count / 6);
    await submitEverywhere(network, transactions.slice(0, warmUp), WINDOW);
    const outcome = await submitEverywhere(network, transactions.slice(warmUp), WINDOW);
    return {
      id: `throughput/${validators}`,
      what: `transactions, ${validators} validator${validators > 1 ? 's' : ''}`,
      value: outcome.transactionsPerSecond,
      unit: 'tx/s',
      better: 'more',
      counts: 'certified, durable and visible where submitted; one signed anchor each, signed beforehand',
      share: {
        of: 'raw signatures',
        ratio: outcome.transactionsPerSecond / context.limits.signaturesPerSecond,
      },
      bottleneck:
        validators === 1
          ? 'the one thread that decodes, executes, hashes and indexes'
          : 'two cores: every validator does the whole work of the ledger',
      details: {
        'bytes each': transactions[0]?.length ?? 0,
        'transactions a block': Math.round(outcome.accepted / Math.max(1, outcome.blocks)),
        'blocks/s': Math.round(outcome.blocksPerSecond * 10) / 10,
        'processor µs each': Math.round(outcome.cpuMicrosecondsEach),
      },
    };
  } finally {
    await network.end();
  }
}

export const throughput: Benchmark = {
  name: 'throughput',
  title: 'Transactions a second',
  ids: ['PERF-01', 'PERF-06'],
  run: (context) => forEachSize(context, (validators) => measure(context, validators)),
};
