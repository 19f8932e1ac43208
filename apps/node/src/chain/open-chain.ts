import {
  type Block,
  type BlockHeader,
  type ChainTip,
  type FinalityCertificate,
  type Genesis,
  MerkleAccumulator,
  merkleLeafHash,
  TrustedChain,
  validatorSetCodec,
} from '@careledger/ledger';
import { type ChainId, type HeaderHash, InvariantError, invariant } from '@careledger/primitives';
import { type Catalog, createApplication, initChain, isInReplayWindow } from '@careledger/state-machine';
import { messageOf, NodeError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { TransactionVerifier } from '../signatures/transaction-verifier.ts';
import { verifyWithSodium } from '../signatures/verify-batch.ts';
import { BlockStore } from '../store/block-store.ts';
import { OpeningMark } from '../store/index-guard.ts';
import { IndexFaultError, type LedgerIndex } from '../store/ledger-index.ts';
import { isWhole } from '../store/stored-block.ts';
import { Chain } from './chain.ts';
import { restoreFromSnapshot } from './restore-snapshot.ts';

/** While the index is rebuilt, the log says how far it is this often. */
const PROGRESS_BLOCKS = 1_000;

export interface OpenChainOptions {
  readonly folder: string;
  readonly chain: ChainId;
  /** The genesis document's bytes, and what they say. */
  readonly genesisBytes: Uint8Array;
  readonly genesis: Genesis;
  readonly catalog: Catalog;
  readonly verifier: TransactionVerifier;
  readonly log: Log;
  readonly stateHeightsKept?: number | undefined;
}

/**
 * Opens the store and brings the index up to the last block on disk. An index at fault is dropped and rebuilt from
 * the blocks by executing them again, which gives the same state root (LED-05) or stops the node.
 */
export async function openChain(options: OpenChainOptions): Promise<Chain> {
  const mark = new OpeningMark(options.folder);
  const dropIndex = mark.isLeftOver;
  if (dropIndex) options.log.warn('the process before died while it opened the index: it will be rebuilt');
  try {
    return await openOnce({ ...options, dropIndex });
  } catch (fault) {
    // The state machine states as invariants what a whole index holds; which is what is in question here.
    if (!(fault instanceof IndexFaultError || fault instanceof InvariantError)) throw fault;
    options.log.warn({ problem: fault.message }, 'the index is damaged: it will be rebuilt from the blocks');
    return openOnce({ ...options, dropIndex: true });
  }
}

async function openOnce(options: OpenChainOptions & { readonly dropIndex: boolean }): Promise<Chain> {
  const { folder, log, stateHeightsKept } = options;
  const mark = new OpeningMark(folder);
  mark.set();
  const store = await BlockStore.open({
    folder,
    log,
    mark,
    stateHeightsKept,
    dropIndex: options.dropIndex,
  });
  try {
    const chain = openOver(store, options);
    mark.clear();
    await replayRest(chain, store, log);
    return chain;
  } catch (fault) {
    await store.close();
    throw fault;
  }
}

function openOver(store: BlockStore, options: OpenChainOptions): Chain {
  const { genesis, catalog, verifier, log } = options;
  const { index } = store;
  if (index.height === undefined && store.prunedBelow > 1) {
    restoreFromSnapshot(store, genesisTrust(options), options);
  } else if (index.height === undefined) {
    index.apply({ batch: initChain({ genesis, catalog }), transactions: [] });
  }
  const height = index.height ?? 0;
  const header = index.header(height);
  if (!header) throw new IndexFaultError('the newest header is missing');
  const application = createApplication({
    genesis,
    catalog,
    store: index.state,
    verifyTransaction: verifier.verify,
    head: header,
  });
  application.restoreReplayWindow(recentBlocks(store, header));
  const tip: ChainTip = { header, headerHash: hashAt(index, height), history: historyOf(index, height) };
  const certificate = store.certified(height)?.certificate ?? genesisCertificate(header, hashAt(index, 0));
  const trusted = trustedChain(options, index, store);
  return new Chain({ application, store, catalog, verifier, trusted, tip, log }, certificate);
}

async function replayRest(chain: Chain, store: BlockStore, log: Log): Promise<void> {
  const from = chain.height + 1;
  const to = store.lastHeight;
  if (from > to) return;
  log.info({ from, to }, 'replaying blocks into the index');
  const began = Date.now();
  for (let height = from; height <= to; height += 1) {
    const block = store.block(height);
    invariant(block, 'a stored height has a block');
    await chain.replay(block);
    if (height % PROGRESS_BLOCKS === 0) log.info({ height, to }, 'replaying blocks into the index');
  }
  log.info({ height: to, milliseconds: Date.now() - began }, 'the index is up to date');
}

/** The blocks whose transactions could still be shown again, in order of height. */
function recentBlocks(store: BlockStore, head: BlockHeader): readonly Block[] {
  const blocks: Block[] = [];
  for (let height = head.height; height > 0; height -= 1) {
    const stored = store.stored(height);
    if (!stored || !isInReplayWindow(stored.header.time, head.time)) break;
    invariant(isWhole(stored), 'blocks of the replay window keep their bodies');
    blocks.push(stored);
  }
  return blocks.reverse();
}

function hashAt(index: LedgerIndex, height: number): HeaderHash {
  const hash = index.headerHash(height);
  if (!hash) throw new IndexFaultError(`the header hash at height ${height} is missing`);
  return hash;
}

function historyOf(index: LedgerIndex, height: number): MerkleAccumulator {
  let history = MerkleAccumulator.empty;
  for (let at = 0; at <= height; at += 1) history = history.append(merkleLeafHash(hashAt(index, at)));
  return history;
}

/** Nobody signs genesis: its chain id is its trust. */
function genesisCertificate(header: BlockHeader, headerHash: HeaderHash): FinalityCertificate {
  return { engineHeight: 0, view: 0, time: header.time, ledgerHeight: 0, headerHash, signatures: [] };
}

/** Genesis and every change of the validator set since, each verified by the set before. */
function trustedChain(options: OpenChainOptions, index: LedgerIndex, store: BlockStore): TrustedChain {
  const trusted = genesisTrust(options);
  for (const { height, validators } of index.reigns()) {
    const certified = store.certified(height);
    trusted.offerValidators(validatorSetCodec.decode(validators));
    const learnt = certified && trusted.verifyHeader(certified, verifyWithSodium);
    if (!learnt?.ok)
      throw new IndexFaultError(`the change of validators at height ${height}: ${messageOf(learnt)}`);
  }
  return trusted;
}

function genesisTrust({ genesisBytes, chain }: OpenChainOptions): TrustedChain {
  const trusted = TrustedChain.fromGenesis({ genesis: genesisBytes, expectedChain: chain });
  if (trusted.ok) return trusted.value;
  throw new NodeError('genesis/invalid', trusted.error.detail, 'Use the genesis file of this chain.');
}
