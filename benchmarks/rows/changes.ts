import type { Benchmark, BenchmarkContext, Row } from '../benchmark.ts';
import { sized } from '../benchmark.ts';
import { at, startNetwork, submitEverywhere } from '../network/network.ts';
import { prepared } from '../network/prepared.ts';

/** What changes often: one transaction for each change, or the digest of them all by one (LED-33). */
async function measure(context: BenchmarkContext): Promise<readonly Row[]> {
  const changes = sized(context.scale, { full: 8_192, quick: 1_024, smoke: 8 });
  const network = await startNetwork(context, { members: 1 });
  try {
    const { consortium, nodes } = network;
    const node = at(nodes, 0);
    const name = new Uint8Array(16);
    const transactions = await prepared(changes, () => consortium.put(0, 32, name));
    const before = await node.state();
    const each = await submitEverywhere(network, transactions, 4_096);
    const between = await node.state();
    const batch = await node.anchorRecords({
      seed: at(consortium.signerSeeds, 0),
      batches: 1,
      recordsInBatch: changes,
    });
    const after = await node.state();
    const counts = `${changes} changes of one attribute, until certified, 1 validator`;
    const row = (id: string, what: string, milliseconds: number, bytes: number): Row => ({
      id: `changes/${id}`,
      what,
      value: milliseconds,
      unit: 'ms',
      better: 'less',
      counts,
      details: { 'ledger bytes': bytes, 'ledger bytes a change': bytes / changes },
    });
    return [
      row(
        'each',
        `one transaction a change (${changes})`,
        each.seconds * 1000,
        between.segmentBytes - before.segmentBytes,
      ),
      row(
        'one',
        'one anchored digest for all',
        batch.milliseconds,
        after.segmentBytes - between.segmentBytes,
      ),
    ];
  } finally {
    await network.end();
  }
}

export const changes: Benchmark = {
  name: 'changes',
  title: 'Frequent changes: a transaction each, or one digest for many',
  ids: ['LED-33'],
  run: measure,
};
