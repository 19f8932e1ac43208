import { existsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { catalog as wholeCatalog } from '@careledger/capabilities';
import {
  type Block,
  type BlockHeader,
  type ChainTip,
  chainIdOf,
  decodeGenesis,
  type Genesis,
  MerkleAccumulator,
  nextTip,
  sortValidators,
  TrustedChain,
} from '@careledger/ledger';
import { type ChainId, equalBytes, useSha256 } from '@careledger/primitives';
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
import { listSnapshots, type SnapshotFile } from '../store/snapshot-files.ts';
import { decodeStored, isWhole } from '../store/stored-block.ts';
import { openSnapshot, readValidatorSets } from './restore-snapshot.ts';
import { verifyStoredLink } from './stored-link.ts';

/** Other work gets its turn after so many blocks. */
const BLOCKS_IN_TURN = 16;
const EXECUTED_FIELDS = ['stateRoot', 'resultsRoot', 'nextValidatorsHash', 'historyRoot'] as const;

/** What executes the blocks again. */
interface Execution {
  readonly application: LedgerApplication;
  readonly state: MemoryStore;
}

interface Walk {
  readonly options: { readonly genesis: Genesis; readonly catalog: Catalog; readonly chain: ChainId };
  readonly trusted: TrustedChain;
  /** Where execution begins when the first bodies were pruned. */
  readonly snapshot: SnapshotFile | undefined;
  /** `undefined` below the snapshot. */
  execution: Execution | undefined;
  tip: ChainTip;
  withoutBodies: number;
}

/**
 * Checks a folder of block files, a copy perhaps, with nothing but the genesis document: every record, link, root and
 * certificate, and every state root by executing the blocks again in memory. Where the first bodies were pruned, their
 * headers and certificates are checked, and execution begins with the snapshot, checked by its header's state root.
 * Writes nothing and needs no node.
 *
 * @returns The first height and field that do not hold, with the file; or how many blocks were checked without bodies.
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
  let segments: SegmentStore;
  try {
    segments = SegmentStore.open({ folder, acknowledgedHeight: 0, isReadOnly: true });
  } catch (fault) {
    return damage(fault);
  }
  try {
    const walk = beginWalk({ bytes: options.genesis, genesis: genesis.value, catalog, segments, folder });
    return 'ok' in walk ? walk : await walkAll(walk, segments);
  } finally {
    await segments.close();
  }
}

function beginWalk(from: {
  readonly bytes: Uint8Array;
  readonly genesis: Genesis;
  readonly catalog: Catalog;
  readonly segments: SegmentStore;
  readonly folder: string;
}): Walk | StoreVerdict {
  const { bytes, genesis, catalog, segments, folder } = from;
  const chain = chainIdOf(bytes);
  const trusted = TrustedChain.fromGenesis({ genesis: bytes, expectedChain: chain });
  if (!trusted.ok)
    throw new NodeError('genesis/invalid', trusted.error.detail, 'Use the genesis file of this chain.');
  const first = initChain({ genesis, catalog });
  const tip = nextTip(MerkleAccumulator.empty, first.header);
  const walk = { options: { genesis, catalog, chain }, trusted: trusted.value, tip, withoutBodies: 0 };
  if (!isPruned(segments)) {
    const state = new MemoryStore();
    state.apply(first);
    return { ...walk, snapshot: undefined, execution: executionOver(walk.options, state) };
  }
  const [snapshot] = listSnapshots(folder);
  if (!snapshot) return snapshotFault(1, folder, 'the first bodies were pruned and there is no snapshot');
  for (const set of readValidatorSets(snapshot) ?? []) trusted.value.offerValidators(set);
  return { ...walk, snapshot, execution: undefined };
}

/** Bodies go from the first block on. A damaged first record is found, and named, by the walk. */
function isPruned(segments: SegmentStore): boolean {
  try {
    const first = segments.read(1);
    const stored = first && decodeStored(first);
    return stored?.ok === true && !isWhole(stored.value);
  } catch (fault) {
    if (fault instanceof DamagedRecordError) return false;
    throw fault;
  }
}

function executionOver(
  { genesis, catalog, chain }: Walk['options'],
  state: MemoryStore,
  head?: BlockHeader,
): Execution {
  const verifySignature = verifyWithSodium;
  const { parameters } = genesis;
  const verifyTransaction = verifyTransactionWith({ verifySignature, catalog, chain, parameters });
  const application = createApplication({
    genesis,
    catalog,
    store: state,
    verifyTransaction,
    ...(head && { head }),
  });
  return { application, state };
}

async function walkAll(walk: Walk, segments: SegmentStore): Promise<StoreVerdict> {
  const { lastHeight } = segments;
  const { snapshot } = walk;
  if (snapshot && snapshot.height > lastHeight)
    return snapshotFault(lastHeight, snapshot.path, 'it is of a later height than the last block');
  for (let height = 1; height <= lastHeight; height += 1) {
    const problem = checkHeight(walk, segments, height);
    if (problem) return problem;
    if (height % BLOCKS_IN_TURN === 0) await nextTurn();
  }
  const { withoutBodies } = walk;
  return { ok: true, height: lastHeight, withoutBodies, withoutExecution: snapshot?.height ?? 0 };
}

function snapshotFault(height: number, file: string, message: string): StoreVerdict {
  return { ok: false, height, field: 'snapshot', file, message };
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
  let bytes: Uint8Array | undefined;
  try {
    bytes = segments.read(height);
  } catch (fault) {
    return damage(fault);
  }
  const stored = bytes && decodeStored(bytes);
  if (!stored?.ok) return fails('record', 'the record holds no block');
  const linked = verifyStoredLink(walk.tip, stored.value, walk.trusted);
  if (!linked.ok) return fails(linked.error.code.replace('block/', ''), linked.error.detail);
  const problem = isWhole(stored.value)
    ? checkExecution(walk, stored.value)
    : checkPruned(walk, stored.value.header);
  if (problem) return fails(...problem);
  walk.tip = linked.value;
  return walk.snapshot?.height === height ? beginExecution(walk, walk.snapshot) : undefined;
}

type Problem = readonly [field: string, message: string];

function checkPruned(walk: Walk, { height }: BlockHeader): Problem | undefined {
  if (walk.withoutBodies !== height - 1) return ['body', 'the body is missing behind one that is there'];
  if (walk.execution) return ['body', 'the body is missing behind the snapshot'];
  walk.withoutBodies = height;
  return undefined;
}

function checkExecution(walk: Walk, block: Block): Problem | undefined {
  const computed = walk.execution && executeAgain(walk, walk.execution, block);
  if (!computed) return undefined;
  const field = EXECUTED_FIELDS.find((name) => !equalBytes(computed[name], block.header[name]));
  return [field ?? 'header', 'executing the block gives another value'];
}

/** From here on blocks are executed: the snapshot's state is the one that the certified header names. */
function beginExecution(walk: Walk, file: SnapshotFile): StoreVerdict | undefined {
  const { header } = walk.tip;
  const snapshot = openSnapshot(file, header);
  if (!snapshot) return snapshotFault(header.height, file.path, 'it is not the state of this header');
  const state = new MemoryStore();
  state.apply(snapshot.state);
  const execution = executionOver(walk.options, state, header);
  execution.application.restoreReplayMinutes(snapshot.state.replay);
  walk.execution = execution;
  walk.trusted.offerValidators(sortValidators(execution.application.info().validators));
  return undefined;
}

/** Executes a block over the one before; gives the header that this makes when it is another than the stored one. */
function executeAgain(
  { trusted, tip }: Walk,
  { application, state }: Execution,
  block: Block,
): BlockHeader | undefined {
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
