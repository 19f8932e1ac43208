import type { Benchmark, BenchmarkContext, Row } from '../benchmark.ts';
import { sized } from '../benchmark.ts';
import { at, forEachSize, startNetwork } from '../network/network.ts';

const RECORDS_IN_BATCH = 8_192;

async function measure(context: BenchmarkContext, validators: number): Promise<Row> {
  const batches = sized(context.scale, { full: 64, quick: 16, smoke: 1 });
  const recordsInBatch = sized(context.scale, {
    full: RECORDS_IN_BATCH,
    quick: RECORDS_IN_BATCH,
    smoke: 16,
  });
  const network = await startNetwork(context, { members: validators });
  try {
    const seed = at(network.consortium.signerSeeds, 0);
    const { records, milliseconds } = await at(network.nodes, 0).anchorRecords({
      seed,
      batches,
      recordsInBatch,
    });
    return {
      id: `records/${validators}`,
      what: `records anchored, ${validators} validator${validators > 1 ? 's' : ''}`,
      value: (records * 1000) / milliseconds,
      unit: 'records/s',
      better: 'more',
      counts: `once committed to: the tree over each batch of ${recordsInBatch}, every record's proof, one certified anchor a batch`,
      bottleneck: 'SHA-256 over the leaves, on the one thread of the member that anchors',
    };
  } finally {
    await network.end();
  }
}

export const records: Benchmark = {
  name: 'records',
  title: 'Records anchored in batches',
  ids: ['LED-33'],
  run: (context) => forEachSize(context, (validators) => measure(context, validators)),
};
