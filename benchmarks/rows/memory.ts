import { setTimeout as wait } from 'node:timers/promises';
import type { Benchmark, BenchmarkContext, Row } from '../benchmark.ts';
import { percentile, sized } from '../benchmark.ts';
import { at, startNetwork } from '../network/network.ts';
import { prepared } from '../network/prepared.ts';

const PER_SECOND = 400;
const SAMPLES = 40;

interface Sample {
  readonly resident: number;
  readonly heap: number;
}

/** Does memory grow under an even load? The middle of the first third after warming up beside that of the last. */
async function measure(context: BenchmarkContext, seconds: number): Promise<readonly Row[]> {
  const network = await startNetwork(context, { members: 1 });
  try {
    const node = at(network.nodes, 0);
    const samples: Sample[] = [];
    const slice = seconds / SAMPLES;
    for (let sample = 0; sample < SAMPLES; sample += 1) {
      // Signed slice by slice: a transaction lives ten minutes at most.
      const transactions = await prepared(Math.ceil(slice * PER_SECOND), () => network.consortium.anchor(0));
      await Promise.all([node.submitPaced({ transactions, perSecond: PER_SECOND }), wait(slice * 1000)]);
      const { residentBytes, heapBytes } = await node.usage();
      samples.push({ resident: residentBytes / 2 ** 20, heap: heapBytes / 2 ** 20 });
    }
    const third = Math.floor(SAMPLES / 3);
    const middle = (part: readonly Sample[], of: keyof Sample): number =>
      percentile(
        part.map((sample) => sample[of]),
        0.5,
      );
    const first = samples.slice(third, 2 * third);
    const last = samples.slice(-third);
    const row = (of: keyof Sample, what: string): Row => ({
      id: `memory/${of}`,
      what: `${what} over ${Math.round(seconds)} s at ${PER_SECOND} tx/s`,
      value: middle(last, of),
      unit: 'MiB',
      better: 'less',
      counts: 'the middle of the last third; a node of 1 validator, its load in the same process',
      details: { 'MiB in the second third': middle(first, of), ratio: middle(last, of) / middle(first, of) },
    });
    return [row('resident', 'resident memory'), row('heap', 'JavaScript heap')];
  } finally {
    await network.end();
  }
}

/** Ten minutes, by name alone. */
export const memory: Benchmark = {
  name: 'memory',
  title: 'Memory over ten minutes of even load',
  ids: ['PERF-04'],
  onlyByName: true,
  run: (context) => measure(context, sized(context.scale, { full: 600, quick: 60, smoke: 0.4 })),
};

/** What a whole run has time for. */
export const memoryShort: Benchmark = {
  name: 'memory-short',
  title: 'Memory over half a minute of even load (ten minutes: --only memory)',
  ids: ['PERF-04'],
  run: async (context) => {
    const rows = await measure(context, sized(context.scale, { full: 30, quick: 6, smoke: 0.2 }));
    return rows.map((row) => ({ ...row, id: row.id.replace('memory/', 'memory-short/') }));
  },
};
