import { type TrustPath, trustPathCodec, validatorSetCodec } from '@careledger/ledger';
import { invariant } from '@careledger/primitives';
import { exportSnapshot, importSnapshot, isInReplayWindow } from '@careledger/state-machine';
import { NodeError } from '../errors.ts';
import type { PruneReport } from '../ledger-node.ts';
import type { BeforeStep } from '../store/durable-file.ts';
import {
  listSnapshots,
  removeSnapshotsBelow,
  snapshotBytes,
  writeSnapshot,
} from '../store/snapshot-files.ts';
import type { Chain } from './chain.ts';

export interface PruneOptions {
  /** The genesis document's bytes. */
  readonly genesis: Uint8Array;
  /** Bodies of blocks below this height go, as far as the replay window allows. */
  readonly below: number;
  /** Nothing is done for fewer bodies than this: a snapshot costs a reading of the whole state. */
  readonly atLeast?: number;
  readonly beforeStep?: BeforeStep;
}

/** Genesis and every change of the validator set up to the head, for who cannot execute the blocks any more. */
export function trustPathOf({ store }: Chain, genesis: Uint8Array): TrustPath {
  const reigns = [...store.index.reigns()];
  return {
    genesis,
    changes: reigns.map(({ height }) => {
      const certified = store.certified(height);
      invariant(certified, 'a change of validators is a stored block');
      return { header: certified.header, certificate: certified.certificate };
    }),
    validatorSets: reigns.map(({ validators }) => validatorSetCodec.decode(validators)),
  };
}

/**
 * Writes a snapshot of the state at the head, then takes the bodies out of the blocks below a height: header and
 * certificate stay, so every proof but those of these blocks' own transactions can still be made and checked. Blocks
 * of the replay window keep their bodies, whatever was asked for. A crash at any step leaves a folder that starts.
 *
 * The chain must stand still meanwhile. Its time goes into the snapshot: the whole state is read and hashed anew.
 *
 * @throws NodeError `store/snapshot-fault` when the state here is not that of the certified header; nothing was pruned.
 */
export async function pruneBodies(chain: Chain, options: PruneOptions): Promise<PruneReport> {
  const { store } = chain;
  const { atLeast = 1, beforeStep = () => undefined } = options;
  const folder = store.blockFolder;
  const segmentBytesBefore = store.segments.bytes;
  const until = Math.min(options.below, firstInReplayWindow(chain));
  if (until >= store.prunedBelow + atLeast) {
    writeHeadSnapshot(chain, options.genesis, beforeStep);
    await store.prune(until, beforeStep);
    removeSnapshotsBelow(folder, chain.height, beforeStep);
  }
  const [newest] = listSnapshots(folder);
  return {
    prunedBelow: store.prunedBelow,
    snapshotHeight: newest?.height ?? 0,
    snapshotBytes: snapshotBytes(folder),
    segmentBytesBefore,
    segmentBytesAfter: store.segments.bytes,
  };
}

function writeHeadSnapshot(chain: Chain, genesis: Uint8Array, beforeStep: BeforeStep): void {
  const { store, tip, application } = chain;
  const { header } = tip;
  store.index.settle();
  const state = exportSnapshot({ store: store.index.state, header, replay: application.replayMinutes() });
  // What could not be started from must never be the reason to let a body go.
  const imported = importSnapshot(state, { header });
  if (!imported.ok) {
    throw new NodeError(
      'store/snapshot-fault',
      `the state at height ${header.height} does not make a snapshot: ${imported.error}`,
      'Delete the folder `state` of the stopped node: it is rebuilt from the blocks at the next start.',
    );
  }
  const trust = trustPathCodec.encode(trustPathOf(chain, genesis));
  writeSnapshot(store.blockFolder, { height: header.height, state, trust }, beforeStep);
}

/** The lowest height whose transactions could still be shown again; block times never go back. */
function firstInReplayWindow({ store, tip }: Chain): number {
  let low = 1;
  let high = tip.header.height;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const header = store.index.header(middle);
    invariant(header, 'every height up to the head has a header');
    if (isInReplayWindow(header.time, tip.header.time)) high = middle;
    else low = middle + 1;
  }
  return low;
}
