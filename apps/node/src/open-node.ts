import { nodeByFingerprint, catalog as wholeCatalog } from '@careledger/capabilities';
import { chainIdOf, decodeGenesis, type Genesis } from '@careledger/ledger';
import { type ChainId, useSha256 } from '@careledger/primitives';
import { fingerprintOf } from './certificates.ts';
import type { Chain } from './chain/chain.ts';
import { openChain } from './chain/open-chain.ts';
import { VoteFile } from './engines/embedded/vote-file.ts';
import { NodeError } from './errors.ts';
import { type Log, openLog } from './log.ts';
import { nativeSha256 } from './native-hash.ts';
import type { NodeOptions } from './options.ts';
import { SignaturePool } from './signatures/signature-pool.ts';
import { TransactionVerifier } from './signatures/transaction-verifier.ts';
import { checkFolderFormat, lockFolder } from './store/data-folder.ts';

/** What must be closed, the last opened first. */
export type Closing = (() => Promise<void> | void)[];

/** What is needed to open a folder, whoever opens it. */
export type LedgerOptions = Pick<NodeOptions, 'folder' | 'genesis' | 'catalog' | 'log' | 'stateHeightsKept'>;

/** The ledger of one folder, locked, open and up to date with its blocks. */
export interface OpenedLedger {
  readonly chainId: ChainId;
  readonly genesis: Genesis;
  readonly log: Log;
  readonly chain: Chain;
  readonly verifier: TransactionVerifier;
}

/** What a node has from its folder before it speaks to anybody. */
export interface OpenedNode extends OpenedLedger {
  readonly options: NodeOptions;
  readonly votes: VoteFile;
  readonly closing: Closing;
}

/**
 * Locks and checks the folder, opens the store and brings it up to date.
 * @throws NodeError with what stands in the way; what was opened by then is in `closing`.
 */
export async function openLedger(options: LedgerOptions, closing: Closing): Promise<OpenedLedger> {
  const { folder, stateHeightsKept, catalog = wholeCatalog } = options;
  useSha256(nativeSha256);
  const chainId = chainIdOf(options.genesis);
  const genesis = decodeGenesis(options.genesis);
  if (!genesis.ok) {
    throw new NodeError(
      'genesis/invalid',
      `the genesis document is wrong: ${genesis.error}`,
      'Use the file of this chain.',
    );
  }
  const { log, close } = openLog(options.log);
  closing.push(close);
  const lock = lockFolder(folder);
  closing.push(lock.release);
  checkFolderFormat(folder, chainId);
  const pool = new SignaturePool();
  closing.push(() => pool.close());
  const { parameters } = genesis.value;
  const verifier = new TransactionVerifier({ pool, catalog, chain: chainId, parameters });
  const chain = await openChain({
    folder,
    chain: chainId,
    genesisBytes: options.genesis,
    genesis: genesis.value,
    catalog,
    verifier,
    log,
    stateHeightsKept,
  });
  closing.push(() => chain.store.close());
  return { chainId, genesis: genesis.value, log, chain, verifier };
}

/** Opens the ledger of a node, and what its validator has promised. @throws as {@link openLedger}. */
export async function openNode(options: NodeOptions, closing: Closing): Promise<OpenedNode> {
  const ledger = await openLedger(options, closing);
  const votes = await VoteFile.open(options.folder);
  closing.push(() => votes.close());
  warnUnlessMember(options, ledger.chain, ledger.log);
  return { ...ledger, options, votes, closing };
}

function warnUnlessMember(options: NodeOptions, chain: Chain, log: Log): void {
  const own = nodeByFingerprint(chain.store.index.state, fingerprintOf(options.tls.certificate));
  if (own?.node === options.node) return;
  log.warn({ node: options.node }, 'no node in force has this certificate yet: peers will refuse it');
}

export async function closeAll(closing: Closing): Promise<void> {
  for (let close = closing.pop(); close; close = closing.pop()) await close();
}
