import {
  BLOCK_TRANSACTIONS_MAX,
  type Block,
  type BlockHeader,
  type Genesis,
  headerHash,
  type Transaction,
  type Validator,
} from '@careledger/ledger';
import { equalBytes, type HeaderHash, invariant } from '@careledger/primitives';
import type {
  Application,
  BlockProposal,
  CheckResult,
  CommitBatch,
  StateStore,
  VerifyTransaction,
} from './application.ts';
import { byteName } from './branch.ts';
import type { Catalog } from './catalog.ts';
import { admit, type ExecutedBlock, executeBlock, type Parent, transition } from './execute.ts';
import { initChain } from './init-chain.ts';
import { chooseTransactions } from './prepare-proposal.ts';
import { type Refusal, refusals } from './refusals.ts';
import {
  EXPIRY_AHEAD_MAX,
  type ReplayMinute,
  ReplayWindow,
  replayWindowFrom,
  replayWindowOf,
} from './replay-window.ts';
import { listBuckets } from './system-state.ts';

export interface ApplicationOptions {
  readonly genesis: Genesis;
  readonly catalog: Catalog;
  /** Must hold what {@link initChain} returned, or a later height together with `head`. */
  readonly store: StateStore;
  readonly verifyTransaction: VerifyTransaction;
  /** The newest durable header; the genesis header unless given. */
  readonly head?: BlockHeader;
}

/** The state machine behind the port, with what a node needs to start it again. */
export interface LedgerApplication extends Application {
  /**
   * Fills the memory of recent transaction ids from blocks in height order. Needed once before anything is judged,
   * when the head is not young: state holds open buckets whose ids only the blocks know.
   *
   * @throws InvariantError when these blocks do not yield what state counted: the store must be rebuilt.
   */
  restoreReplayWindow(blocks: Iterable<Pick<Block, 'header' | 'transactions' | 'results'>>): void;
  /** The same from a snapshot. */
  restoreReplayMinutes(minutes: readonly ReplayMinute[]): void;
  /** The remembered ids, for a snapshot. */
  replayMinutes(): readonly ReplayMinute[];
}

/** Refusals of which nobody knows the code by heart. */
const reasonByCode: ReadonlyMap<number, string> = new Map(
  Object.entries(refusals).map(([reason, code]) => [code, reason]),
);

class StateMachine implements LedgerApplication {
  readonly #options: ApplicationOptions;
  readonly #drafts = new Map<string, ExecutedBlock>();
  #committed: Parent;
  #replay: ReplayWindow;
  #isReplayKnown: boolean;

  constructor(options: ApplicationOptions) {
    const { store, catalog, genesis } = options;
    const header = options.head ?? initChain({ genesis, catalog }).header;
    this.#options = options;
    this.#replay = new ReplayWindow();
    this.#isReplayKnown = listBuckets(store).length === 0;
    this.#committed = this.#parentAt(header, headerHash(header), catalog.validators(store));
  }

  #parentAt(header: BlockHeader, hash: HeaderHash, validators: readonly Validator[]): Parent {
    return { header, headerHash: hash, state: this.#options.store, replay: this.#replay, validators };
  }

  info() {
    const { header, headerHash: hash, validators } = this.#committed;
    return { height: header.height, headerHash: hash, header, validators };
  }

  restoreReplayWindow(blocks: Iterable<Pick<Block, 'header' | 'transactions' | 'results'>>): void {
    this.#adoptReplay(replayWindowOf(blocks));
  }

  restoreReplayMinutes(minutes: readonly ReplayMinute[]): void {
    this.#adoptReplay(replayWindowFrom(minutes));
  }

  #adoptReplay(replay: ReplayWindow): void {
    invariant(this.#drafts.size === 0, 'the replay window is restored before anything is executed');
    const minute = replay.mismatch(this.#options.store);
    invariant(
      minute === undefined,
      `the blocks hold the transactions that state counted in minute ${minute}`,
    );
    const { header, headerHash: hash, validators } = this.#committed;
    this.#replay = replay;
    this.#isReplayKnown = true;
    this.#committed = this.#parentAt(header, hash, validators);
  }

  replayMinutes(): readonly ReplayMinute[] {
    return this.#replay.minutes();
  }

  checkTransaction(bytes: Uint8Array, now: number): CheckResult {
    invariant(this.#isReplayKnown, 'the replay window is restored before a transaction is judged');
    const verified = this.#options.verifyTransaction(bytes);
    if (!verified.ok) {
      const { reason, detail } = verified;
      return { code: refusals[reason], reason, ...(detail === undefined ? {} : { detail }) };
    }
    const { state, replay, header } = this.#committed;
    const { catalog } = this.#options;
    const circumstances = { catalog, state, replay, height: header.height + 1, time: now };
    const { code, key } = admit(verified.transaction, circumstances);
    if (!key) return { code, reason: reasonByCode.get(code) ?? '' };
    const { result, reason } = transition(verified, key, circumstances);
    return { code: result.code, reason };
  }

  prepareProposal(
    candidates: readonly Uint8Array[],
    { time }: { readonly time: number },
  ): readonly Uint8Array[] {
    invariant(this.#isReplayKnown, 'the replay window is restored before a transaction is judged');
    const { state, replay, header } = this.#committed;
    const { catalog, genesis, verifyTransaction } = this.#options;
    return chooseTransactions(candidates, {
      blockBytesMax: genesis.parameters.blockBytesMax,
      verifyTransaction,
      admissionOf: (transaction: Transaction) =>
        admit(transaction, { catalog, state, replay, height: header.height + 1, time }).code,
    });
  }

  processProposal(proposal: BlockProposal): string | undefined {
    const parent = this.#parentOf(proposal.parentHash);
    if (!parent) return 'proposal/unknown-parent';
    if (proposal.height !== parent.header.height + 1) return 'proposal/height';
    if (proposal.time < parent.header.time) return 'proposal/backward-time';
    const isValidator = parent.validators.some(({ publicKey }) => equalBytes(publicKey, proposal.proposer));
    if (!isValidator) return 'proposal/not-a-validator';
    const size = proposal.transactions.reduce((sum, bytes) => sum + bytes.length, 0);
    const isTooLarge = size > this.#options.genesis.parameters.blockBytesMax;
    if (isTooLarge || proposal.transactions.length > BLOCK_TRANSACTIONS_MAX) return 'proposal/too-large';
    for (const [index, bytes] of proposal.transactions.entries()) {
      const fault = this.#faultOf(bytes, proposal.time);
      if (fault) return `proposal/transaction ${index}: ${fault}`;
    }
    return undefined;
  }

  /** Why no honest proposer includes this: expired and replayed ones pass, their result says so. */
  #faultOf(bytes: Uint8Array, time: number): Refusal | undefined {
    const verified = this.#options.verifyTransaction(bytes);
    if (!verified.ok) return verified.reason;
    const { expiresAt } = verified.transaction.payload;
    return expiresAt > time + EXPIRY_AHEAD_MAX ? 'transaction/expires-too-late' : undefined;
  }

  #parentOf(hash: Uint8Array): Parent | undefined {
    if (equalBytes(hash, this.#committed.headerHash)) return this.#committed;
    return this.#drafts.get(byteName(hash));
  }

  execute(proposal: BlockProposal) {
    invariant(this.#isReplayKnown, 'the replay window is restored before a block is executed');
    const parent = this.#parentOf(proposal.parentHash);
    invariant(parent, 'a proposal is executed over a block that stands here');
    invariant(proposal.height === parent.header.height + 1, 'a proposal follows its parent');
    invariant(proposal.time >= parent.header.time, 'time does not go backwards');
    const executed = executeBlock(proposal, parent, this.#options);
    this.#drafts.set(byteName(executed.headerHash), executed);
    const { header, headerHash: hash, results } = executed;
    return { header, headerHash: hash, results };
  }

  finalize(hash: HeaderHash): CommitBatch {
    const executed = this.#draft(hash);
    for (const [name, draft] of this.#drafts) {
      if (draft !== executed && !this.#descends(draft, executed)) this.#drafts.delete(name);
    }
    const { header, transactions, results, state, changes } = executed;
    return {
      header,
      headerHash: executed.headerHash,
      transactions,
      results,
      writes: state.writes(),
      changes,
      nodes: state.nodes(),
    };
  }

  commit(hash: HeaderHash): void {
    const executed = this.#draft(hash);
    const { header, replay, validators } = executed;
    invariant(
      equalBytes(header.previousHash, this.#committed.headerHash),
      'blocks are committed one after the other',
    );
    this.#drafts.delete(byteName(hash));
    this.#replay.add(header.time, replay.ids);
    this.#committed = this.#parentAt(header, hash, validators);
    for (const draft of this.#drafts.values()) {
      if (!equalBytes(draft.header.previousHash, hash)) continue;
      draft.state.rebase(this.#options.store);
      draft.replay.rebase(this.#replay);
    }
  }

  #draft(hash: HeaderHash): ExecutedBlock {
    const draft = this.#drafts.get(byteName(hash));
    invariant(draft, 'only an executed draft becomes final');
    return draft;
  }

  /** Is `draft` built on `ancestor`, or one of the final blocks below it that are not committed yet? */
  #descends(draft: ExecutedBlock, ancestor: ExecutedBlock): boolean {
    return this.#isOver(draft, ancestor) || this.#isOver(ancestor, draft);
  }

  #isOver(upper: ExecutedBlock, lower: ExecutedBlock): boolean {
    let block: ExecutedBlock | undefined = upper;
    while (block) {
      if (block === lower) return true;
      block = this.#drafts.get(byteName(block.header.previousHash));
    }
    return false;
  }
}

/**
 * Makes the state machine of one chain over a store.
 *
 * @example
 * store.apply(initChain({ genesis, catalog }));
 * const application = createApplication({ genesis, catalog, store, verifyTransaction });
 * const { headerHash } = application.execute(proposal);
 * store.apply(application.finalize(headerHash));
 * application.commit(headerHash);
 */
export function createApplication(options: ApplicationOptions): LedgerApplication {
  return new StateMachine(options);
}
