import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type BlockHeader,
  type ChainTip,
  decodeBlock,
  MerkleAccumulator,
  nextTip,
  TrustedChain,
  validatorSetCodec,
  verifyBlockLink,
} from '@careledger/ledger';
import { type ChainId, invariant } from '@careledger/primitives';
import { NodeError } from '../errors.ts';
import type { StoreVerdict } from '../ledger-node.ts';
import { verifyWithSodium } from '../signatures/verify-batch.ts';
import { DamagedRecordError } from '../store/block-record.ts';
import type { BlockStore } from '../store/block-store.ts';
import type { SegmentStore } from '../store/segments.ts';

/** Other work gets its turn after so many blocks. */
const BLOCKS_IN_TURN = 64;

/** What a walk over stored blocks starts from: the genesis document is trusted, the sets are only offered. */
export interface StoreOrigin {
  readonly genesis: { readonly bytes: Uint8Array; readonly chain: ChainId };
  readonly genesisHeader: BlockHeader;
  /** Encoded validator sets since genesis: one is believed once a verified header names its hash. */
  readonly validatorSets: Iterable<Uint8Array>;
}

/**
 * Walks every stored block from genesis: record checksum, link, roots, certificate. Trusts the genesis document alone.
 * @returns The first height and field that do not hold.
 */
export async function verifyStore(
  store: BlockStore,
  genesis: { readonly bytes: Uint8Array; readonly chain: ChainId },
): Promise<StoreVerdict> {
  const genesisHeader = store.index.header(0);
  invariant(genesisHeader, 'the index begins with genesis');
  const validatorSets = [...store.index.reigns()].map(({ validators }) => validators);
  return verifySegments(store.segments, { genesis, genesisHeader, validatorSets });
}

/** The same walk over segment files alone, wherever they lie. */
export async function verifySegments(segments: SegmentStore, origin: StoreOrigin): Promise<StoreVerdict> {
  const { genesis, genesisHeader, validatorSets } = origin;
  const trusted = TrustedChain.fromGenesis({ genesis: genesis.bytes, expectedChain: genesis.chain });
  if (!trusted.ok)
    throw new NodeError('genesis/invalid', trusted.error.detail, 'Use the genesis file of this chain.');
  for (const validators of validatorSets) trusted.value.offerValidators(validatorSetCodec.decode(validators));
  let tip: ChainTip = nextTip(MerkleAccumulator.empty, genesisHeader);
  const { lastHeight } = segments;
  for (let height = 1; height <= lastHeight; height += 1) {
    const next = verifyHeight(segments, { height, tip, trusted: trusted.value });
    if ('ok' in next) return next;
    tip = next;
    if (height % BLOCKS_IN_TURN === 0) await nextTurn();
  }
  return { ok: true, height: lastHeight };
}

function verifyHeight(
  segments: SegmentStore,
  at: { readonly height: number; readonly tip: ChainTip; readonly trusted: TrustedChain },
): ChainTip | StoreVerdict {
  const { height, tip, trusted } = at;
  const file = segments.fileOf(height);
  try {
    const bytes = segments.read(height);
    const block = bytes && decodeBlock(bytes);
    if (!block?.ok) return { ok: false, height, field: 'record', file, message: 'the record holds no block' };
    const next = verifyBlockLink({ tip, block: block.value, trusted, verifySignature: verifyWithSodium });
    if (next.ok) return next.value;
    const { code, detail } = next.error;
    return { ok: false, height, field: code.replace('block/', ''), file, message: detail };
  } catch (fault) {
    if (!(fault instanceof DamagedRecordError)) throw fault;
    return { ok: false, height, field: 'record', file, message: fault.message };
  }
}
