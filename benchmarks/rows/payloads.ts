import type { Benchmark, BenchmarkContext, Row } from '../benchmark.ts';
import { sized } from '../benchmark.ts';
import { startNetwork, submitEverywhere } from '../network/network.ts';
import { prepared } from '../network/prepared.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** What the envelope takes of the largest transaction that a charter may allow. */
const ENVELOPE_BYTES = 512;
const BLOCK_BYTES_MAX = 4 * MIB;

interface Measurement {
  readonly validators: number;
  readonly contentBytes: number;
}

async function measure(context: BenchmarkContext, { validators, contentBytes }: Measurement): Promise<Row> {
  const bytesInAll = sized(context.scale, { full: 24 * MIB, quick: 3 * MIB, smoke: 16 * KIB });
  const countMax = sized(context.scale, { full: 8_000, quick: 1_000, smoke: 8 });
  const count = Math.max(validators, Math.min(countMax, Math.floor(bytesInAll / contentBytes)));
  const network = await startNetwork(context, {
    members: validators,
    transactionBytesMax: MIB,
    blockBytesMax: BLOCK_BYTES_MAX,
  });
  try {
    const share = Math.ceil(count / validators);
    const transactions = await prepared(count, (index) =>
      network.consortium.put(Math.floor(index / share), contentBytes),
    );
    // No more on the way than a mempool holds.
    const window = Math.min(2_048, Math.max(validators, Math.floor((16 * MIB) / contentBytes)));
    const outcome = await submitEverywhere(network, transactions, window);
    return {
      id: `payload/${contentBytes}/${validators}`,
      what: `${sizeOf(contentBytes)} of content, ${validators} validator${validators > 1 ? 's' : ''}`,
      value: outcome.transactionsPerSecond,
      unit: 'tx/s',
      better: 'more',
      counts: 'certified, durable on every node, every signature verified',
      bottleneck:
        contentBytes < 10 * KIB ? 'the work for each transaction' : 'hashing, copying and sealing its bytes',
      details: { 'MB/s': (outcome.transactionsPerSecond * contentBytes) / 1e6 },
    };
  } finally {
    await network.end();
  }
}

function sizeOf(bytes: number): string {
  if (bytes >= MIB - ENVELOPE_BYTES) return '1 MiB';
  return bytes < KIB ? `${bytes} B` : `${bytes / KIB} KiB`;
}

async function measureAll(context: BenchmarkContext): Promise<readonly Row[]> {
  const sizes = sized<readonly number[]>(context.scale, {
    full: [100, KIB, 10 * KIB, 100 * KIB, MIB - ENVELOPE_BYTES],
    quick: [100, 10 * KIB, MIB - ENVELOPE_BYTES],
    smoke: [100, 10 * KIB],
  });
  const validators = sized<readonly number[]>(context.scale, { full: [1, 4], quick: [1], smoke: [1] });
  const rows: Row[] = [];
  for (const count of validators)
    for (const contentBytes of sizes) rows.push(await measure(context, { validators: count, contentBytes }));
  return rows;
}

export const payloads: Benchmark = {
  name: 'payloads',
  title: 'Throughput over the size of a transaction',
  ids: ['PERF-03', 'PERF-07'],
  run: measureAll,
};

/** How the same load fares with more nodes, all on this one machine. */
export const nodeCounts: Benchmark = {
  name: 'nodes',
  title: 'Throughput over the number of nodes',
  ids: ['PERF-03'],
  run: async (context) => {
    const counts = sized<readonly number[]>(context.scale, { full: [1, 2, 4, 7], quick: [2], smoke: [1] });
    const rows: Row[] = [];
    for (const validators of counts) {
      const row = await measure(context, { validators, contentBytes: 2 * KIB });
      rows.push({ ...row, id: `nodes/${validators}` });
    }
    return rows;
  },
};
