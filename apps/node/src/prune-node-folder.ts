import type { Catalog } from '@careledger/state-machine';
import { pruneBodies } from './chain/prune-bodies.ts';
import type { PruneReport } from './ledger-node.ts';
import { type Closing, closeAll, openLedger } from './open-node.ts';
import type { NodeOptions } from './options.ts';

/**
 * Prunes the folder of a stopped node: see `LedgerNode.pruneBodies`. The folder is locked, its index brought up to
 * date, a snapshot of the newest state written, then the bodies of the blocks below a height are taken out.
 *
 * @param options.below Bodies of blocks below this height go; those of the last eleven minutes of the chain stay.
 * @returns What is left, in bytes.
 * @throws NodeError `store/in-use`, `store/other-chain`, `store/damaged`, `store/snapshot-fault`.
 * @example
 * const { segmentBytesBefore, segmentBytesAfter } = await pruneNodeFolder('home/node', { genesis, below: 100_000 });
 */
export async function pruneNodeFolder(
  folder: string,
  options: Pick<NodeOptions, 'genesis' | 'log'> & {
    readonly below: number;
    readonly catalog?: Catalog;
    /** As the node has it. */
    readonly stateHeightsKept?: number;
  },
): Promise<PruneReport> {
  const { below, genesis, ...rest } = options;
  const closing: Closing = [];
  try {
    const { chain } = await openLedger({ folder, genesis, ...rest }, closing);
    return await pruneBodies(chain, { genesis, below });
  } finally {
    await closeAll(closing);
  }
}
