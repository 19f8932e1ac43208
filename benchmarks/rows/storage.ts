import type { Benchmark, BenchmarkContext, Row } from '../benchmark.ts';
import { sized } from '../benchmark.ts';
import { at, forEachSize, startNetwork, submitEverywhere } from '../network/network.ts';
import { prepared } from '../network/prepared.ts';

const RECORDS_IN_BATCH = 1_024;

/** What every node keeps for good: bytes in the block files, and in the index that can be rebuilt from them. */
async function measure(context: BenchmarkContext, validators: number): Promise<readonly Row[]> {
  const count = sized(context.scale, { full: 4_000, quick: 1_000, smoke: 20 });
  const blocks = sized(context.scale, { full: 200, quick: 50, smoke: 4 });
  const name = `${validators} validator${validators > 1 ? 's' : ''}`;
  const full = await startNetwork(context, { members: validators });
  const rows: Row[] = [];
  const row = (id: string, what: string, value: number, details: Record<string, number> = {}): void => {
    const counts = 'in the block files of one node';
    rows.push({
      id: `storage/${validators}/${id}`,
      what: `${what}, ${name}`,
      value,
      unit: 'bytes',
      better: 'less',
      counts,
      details,
    });
  };
  try {
    const node = at(full.nodes, 0);
    const transactions = await prepared(count, () => full.consortium.anchor(0));
    const before = await node.state();
    await submitEverywhere(full, transactions.slice(0, count), 4_096);
    const after = await node.state();
    const each = (after.segmentBytes - before.segmentBytes) / count;
    row('transaction', 'a transaction in a full block', each, {
      'of it the transaction itself': transactions[0]?.length ?? 0,
      'in the index': (after.indexBytes - before.indexBytes) / count,
    });
    await node.anchorRecords({
      seed: at(full.consortium.signerSeeds, 0),
      batches: 8,
      recordsInBatch: RECORDS_IN_BATCH,
    });
    const anchored = await node.state();
    const recordBytes = (anchored.segmentBytes - after.segmentBytes) / (8 * RECORDS_IN_BATCH);
    row('record', `a record in a batch of ${RECORDS_IN_BATCH}`, recordBytes);
  } finally {
    await full.end();
  }
  const single = await startNetwork(context, {
    members: validators,
    batching: { transactionsMax: 1, batchCount: 1 },
  });
  try {
    const node = at(single.nodes, 0);
    const transactions = await prepared(blocks, () => single.consortium.anchor(0));
    const before = await node.state();
    await submitEverywhere(single, transactions, 16);
    const after = await node.state();
    const bytes = (after.segmentBytes - before.segmentBytes) / (after.height - before.height);
    row('block', 'a block of one transaction', bytes, {
      'in the index': (after.indexBytes - before.indexBytes) / (after.height - before.height),
    });
  } finally {
    await single.end();
  }
  return rows;
}

export const storage: Benchmark = {
  name: 'storage',
  title: 'Bytes kept for a transaction, a block and a record',
  ids: ['LED-34'],
  run: async (context) => (await forEachSize(context, (validators) => measure(context, validators))).flat(),
};
