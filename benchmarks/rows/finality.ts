import type { Benchmark, BenchmarkContext, Row } from '../benchmark.ts';
import { percentile, sized } from '../benchmark.ts';
import { agreement, at, type Network, startNetwork } from '../network/network.ts';
import { prepared } from '../network/prepared.ts';

const PER_SECOND = 50;

interface Latencies {
  /** Until whoever submitted it knows that it is final. */
  readonly final: readonly number[];
  /** Until the last node has it in its state. */
  readonly everywhere: readonly number[];
}

async function latencies({ nodes, consortium }: Network, count: number): Promise<Latencies> {
  const share = Math.ceil(count / nodes.length);
  const loads = await Promise.all(nodes.map((_, place) => prepared(share, () => consortium.anchor(place))));
  const perSecond = PER_SECOND / nodes.length;
  const outcomes = await Promise.all(
    nodes.map((node, place) => node.submitPaced({ transactions: at(loads, place), perSecond })),
  );
  await agreement(nodes);
  const lastSeen = new Map<number, number>();
  for (const seen of await Promise.all(nodes.map((node) => node.seenBlocks()))) {
    for (const block of seen) lastSeen.set(block.height, Math.max(block.at, lastSeen.get(block.height) ?? 0));
  }
  const all = outcomes.flat();
  return {
    final: all.map(({ submittedAt, finalAt }) => finalAt - submittedAt),
    everywhere: all.map(({ submittedAt, height }) => (lastSeen.get(height) ?? Number.NaN) - submittedAt),
  };
}

async function measure(context: BenchmarkContext, validators: number): Promise<readonly Row[]> {
  const seconds = sized(context.scale, { full: 15, quick: 3, smoke: 0.2 });
  const network = await startNetwork(context, { members: validators });
  try {
    const { final, everywhere } = await latencies(network, seconds * PER_SECOND);
    const row = (id: string, what: string, values: readonly number[], share: number): Row => ({
      id: `finality/${validators}/${id}`,
      what: `${what}, ${validators} validator${validators > 1 ? 's' : ''}`,
      value: percentile(values, share),
      unit: 'ms',
      better: 'less',
      counts: `certified; ${PER_SECOND} transactions a second, evenly spread over the nodes`,
      bottleneck: 'the batch interval, then the syncs of vote and block one after the other',
    });
    return [
      row('p50', 'until final, p50', final, 0.5),
      row('p99', 'until final, p99', final, 0.99),
      row('everywhere-p50', 'until visible at every node, p50', everywhere, 0.5),
      row('everywhere-p99', 'until visible at every node, p99', everywhere, 0.99),
    ];
  } finally {
    await network.end();
  }
}

export const finality: Benchmark = {
  name: 'finality',
  title: 'How soon a transaction is final, and visible everywhere',
  ids: ['LED-31', 'PERF-10'],
  run: async (context) => [...(await measure(context, 1)), ...(await measure(context, 4))],
};
