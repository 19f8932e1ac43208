import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type ChainTip,
  MerkleAccumulator,
  nextTip,
  TrustedChain,
  validatorSetCodec,
} from '@careledger/ledger';
import { type ChainId, invariant } from '@careledger/primitives';
import { NodeError } from '../errors.ts';
import type { StoreVerdict } from '../ledger-node.ts';
import { DamagedRecordError } from '../store/block-record.ts';
import type { BlockStore } from '../store/block-store.ts';
import { decodeStored } from '../store/stored-block.ts';
import { verifyStoredLink } from './stored-link.ts';

/** Other work gets its turn after so many blocks. */
const BLOCKS_IN_TURN = 64;

/**
 * Walks every stored block from genesis: record checksum, link, roots, certificate; of pruned blocks link and
 * certificate. Trusts the genesis document alone.
 * @returns The first height and field that do not hold.
 */
export async function verifyStore(
  store: BlockStore,
  genesis: { readonly bytes: Uint8Array; readonly chain: ChainId },
): Promise<StoreVerdict> {
  const trusted = TrustedChain.fromGenesis({ genesis: genesis.bytes, expectedChain: genesis.chain });
  if (!trusted.ok)
    throw new NodeError('genesis/invalid', trusted.error.detail, 'Use the genesis file of this chain.');
  // A set is believed only once a verified header names its hash, so the index may offer them all.
  for (const { validators } of store.index.reigns())
    trusted.value.offerValidators(validatorSetCodec.decode(validators));
  const genesisHeader = store.index.header(0);
  invariant(genesisHeader, 'the index begins with genesis');
  let tip: ChainTip = nextTip(MerkleAccumulator.empty, genesisHeader);
  const { lastHeight } = store;
  for (let height = 1; height <= lastHeight; height += 1) {
    const next = verifyHeight(store, { height, tip, trusted: trusted.value });
    if ('ok' in next) return next;
    tip = next;
    if (height % BLOCKS_IN_TURN === 0) await nextTurn();
  }
  return { ok: true, height: lastHeight, withoutBodies: store.prunedBelow - 1 };
}

function verifyHeight(
  store: BlockStore,
  at: { readonly height: number; readonly tip: ChainTip; readonly trusted: TrustedChain },
): ChainTip | StoreVerdict {
  const { height, tip, trusted } = at;
  const file = store.segments.fileOf(height);
  try {
    const bytes = store.segments.read(height);
    const stored = bytes && decodeStored(bytes);
    if (!stored?.ok)
      return { ok: false, height, field: 'record', file, message: 'the record holds no block' };
    const next = verifyStoredLink(tip, stored.value, trusted);
    if (next.ok) return next.value;
    const { code, detail } = next.error;
    return { ok: false, height, field: code.replace('block/', ''), file, message: detail };
  } catch (fault) {
    if (!(fault instanceof DamagedRecordError)) throw fault;
    return { ok: false, height, field: 'record', file, message: fault.message };
  }
}
