import { catalog } from '@careledger/capabilities';
import { chainIdOf, decodeGenesis } from '@careledger/ledger';
import { initChain } from '@careledger/state-machine';
import { NodeError } from '../errors.ts';
import type { StoreVerdict } from '../ledger-node.ts';
import { DamagedRecordError } from '../store/block-record.ts';
import { SegmentStore } from '../store/segments.ts';
import { verifySegments } from './verify-store.ts';

export interface VerifyCopyOptions {
  /** A folder of segment files: a copy, a backup. A torn record after its last whole one is cut off. */
  readonly folder: string;
  /** The genesis document's bytes, trusted. */
  readonly genesis: Uint8Array;
  /** The height that the copy must reach: a shorter one has lost blocks. */
  readonly height: number;
  /** Encoded validator sets since genesis, where there was a change. */
  readonly validatorSets?: readonly Uint8Array[];
}

/**
 * Checks a copy of a node's block files against the genesis document alone: every checksum, link, root and certificate.
 *
 * @returns The first height, field and file that do not hold.
 * @example await verifyCopy({ folder: '/backup/segments', genesis, height: 1200 });
 */
export async function verifyCopy(options: VerifyCopyOptions): Promise<StoreVerdict> {
  const decoded = decodeGenesis(options.genesis);
  if (!decoded.ok)
    throw new NodeError('genesis/invalid', decoded.error, 'Use the genesis file of this chain.');
  const { header } = initChain({ genesis: decoded.value, catalog });
  let segments: SegmentStore | undefined;
  try {
    segments = SegmentStore.open({ folder: options.folder, acknowledgedHeight: options.height });
    if (segments.lastHeight < options.height) {
      const height = segments.lastHeight + 1;
      return { ok: false, height, field: 'record', file: options.folder, message: 'the block is missing' };
    }
    return await verifySegments(segments, {
      genesis: { bytes: options.genesis, chain: chainIdOf(options.genesis) },
      genesisHeader: header,
      validatorSets: options.validatorSets ?? [],
    });
  } catch (fault) {
    if (!(fault instanceof DamagedRecordError)) throw fault;
    const { height, file, message } = fault;
    return { ok: false, height, field: 'record', file, message };
  } finally {
    await segments?.close();
  }
}
