import { existsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { catalog as wholeCatalog } from '@careledger/capabilities';
import {
  type Block,
  type BlockHeader,
  type ChainTip,
  chainIdOf,
  decodeBlock,
  decodeGenesis,
  type Genesis,
  MerkleAccumulator,
  nextTip,
  sortValidators,
  TrustedChain,
  verifyBlockLink,
} from '@careledger/ledger';
import { equalBytes, useSha256 } from '@careledger/primitives';
import {
  type Catalog,
  createApplication,
  initChain,
  type LedgerApplication,
  MemoryStore,
  verifyTransactionWith,
} from '@careledger/state-machine';
import { NodeError } from '../errors.ts';
import type { StoreVerdict } from '../ledger-node.ts';
import { nativeSha256 } from '../native-hash.ts';
import { verifyWithSodium } from '../signatures/verify-batch.ts';
import { DamagedRecordError } from '../store/block-record.ts';
import { SegmentStore } from '../store/segments.ts';

/** Other work gets its turn after so many blocks. */
const BLOCKS_IN_TURN = 16;
const EXECUTED_FIELDS = ['stateRoot', 'resultsRoot', 'nextValidatorsHash', 'historyRoot'] as const;

interface Walk {
  readonly application: LedgerApplication;
  readonly state: MemoryStore;
  readonly trusted: TrustedChain;
  tip: ChainTip;
}

/**
 * Checks a folder of block files, a copy perhaps, with nothing but the genesis document: every record, link, root and
 * certificate, and every state root by executing the blocks again in memory. Writes nothing and needs no node.
 *
 * @returns The first height and field that do not hold, with the file.
 * @throws NodeError `genesis/invalid`, `store/not-found`.
 * @example
 * const verdict = await verifyBlockFiles({ folder: 'copy/segments', genesis });
 * if (!verdict.ok) console.error(verdict.height, verdict.field, verdict.file);
 */
export async function verifyBlockFiles(options: {
  readonly folder: string;
  readonly genesis: Uint8Array;
  readonly catalog?: Catalog;
}): Promise<StoreVerdict> {
  const { folder, catalog = wholeCatalog } = options;
  useSha256(nativeSha256);
  const genesis = decodeGenesis(options.genesis);
  if (!genesis.ok)
    throw new NodeError('genesis/invalid', genesis.error, 'Use the genesis file of this chain.');
  if (!existsSync(folder)) {
    throw new NodeError(
      'store/not-found',
      `there is no folder ${folder}`,
      'Name a folder of .segment files.',
    );
  }
  const walk = beginWalk(options.genesis, genesis.value, catalog);
  let segments: SegmentStore;
  try {
    segments = SegmentStore.open({ folder, acknowledgedHeight: 0, isReadOnly: true });
  } catch (fault) {
    return damage(fault);
  }
  try {
    return await walkAll(walk, segments);
  } finally {
    await segments.close();
  }
}

function beginWalk(bytes: Uint8Array, genesis: Genesis, catalog: Catalog): Walk {
  const chain = chainIdOf(bytes);
  const trusted = TrustedChain.fromGenesis({ genesis: bytes, expectedChain: chain });
  if (!trusted.ok)
    throw new NodeError('genesis/invalid', trusted.error.detail, 'Use the genesis file of this chain.');
  const state = new MemoryStore();
  const first = initChain({ genesis, catalog });
  state.apply(first);
  const { parameters } = genesis;
  const verifyTransaction = verifyTransactionWith({
    verifySignature: verifyWithSodium,
    catalog,
    chain,
    parameters,
  });
  const application = createApplication({ genesis, catalog, store: state, verifyTransaction });
  return { application, state, trusted: trusted.value, tip: nextTip(MerkleAccumulator.empty, first.header) };
}

async function walkAll(walk: Walk, segments: SegmentStore): Promise<StoreVerdict> {
  const { lastHeight } = segments;
  for (let height = 1; height <= lastHeight; height += 1) {
    const problem = checkHeight(walk, segments, height);
    if (problem) return problem;
    if (height % BLOCKS_IN_TURN === 0) await nextTurn();
  }
  return { ok: true, height: lastHeight };
}

function checkHeight(walk: Walk, segments: SegmentStore, height: number): StoreVerdict | undefined {
  const file = segments.fileOf(height);
  const fails = (field: string, message: string): StoreVerdict => ({
    ok: false,
    height,
    field,
    file,
    message,
  });
  let stored: Uint8Array | undefined;
  try {
    stored = segments.read(height);
  } catch (fault) {
    return damage(fault);
  }
  const block = stored && decodeBlock(stored);
  if (!block?.ok) return fails('record', 'the record holds no block');
  const { tip, trusted } = walk;
  const linked = verifyBlockLink({ tip, block: block.value, trusted, verifySignature: verifyWithSodium });
  if (!linked.ok) return fails(linked.error.code.replace('block/', ''), linked.error.detail);
  const computed = executeAgain(walk, block.value);
  if (computed) {
    const field = EXECUTED_FIELDS.find((name) => !equalBytes(computed[name], block.value.header[name]));
    return fails(field ?? 'header', 'executing the block gives another value');
  }
  walk.tip = linked.value;
  return undefined;
}

/** Executes a block over the one before; gives the header that this makes when it is another than the stored one. */
function executeAgain({ application, state, trusted, tip }: Walk, block: Block): BlockHeader | undefined {
  const { height, time, proposer } = block.header;
  const { transactions, certificate } = block;
  const draft = application.execute({ height, time, proposer, transactions, parentHash: tip.headerHash });
  if (!equalBytes(draft.headerHash, certificate.headerHash)) return draft.header;
  state.apply(application.finalize(draft.headerHash));
  application.commit(draft.headerHash);
  trusted.offerValidators(sortValidators(application.info().validators));
  return undefined;
}

function damage(fault: unknown): StoreVerdict {
  if (!(fault instanceof DamagedRecordError)) throw fault;
  const { height, file, message } = fault;
  return { ok: false, height, field: 'record', file, message };
}
