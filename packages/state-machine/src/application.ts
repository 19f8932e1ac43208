import type {
  Block,
  BlockHeader,
  FinalityCertificate,
  Transaction,
  TransactionResult,
  Validator,
} from '@careledger/ledger';
import type { HeaderHash, PublicKey } from '@careledger/primitives';
import type { Refusal } from './refusals.ts';

/** What an engine puts forward for one height. Time and proposer survive a view change. */
export interface BlockProposal {
  readonly height: number;
  readonly parentHash: HeaderHash;
  readonly time: number;
  readonly proposer: PublicKey;
  readonly transactions: readonly Uint8Array[];
}

/** A transaction whose form and whose every signature (envelope and inner) a worker has already checked, or why not. */
export type VerifiedTransaction =
  | {
      readonly ok: true;
      readonly transaction: Transaction;
      /** The body, decoded by the codec of the transaction's type. */
      readonly message: unknown;
    }
  | {
      readonly ok: false;
      readonly reason: Refusal;
      /** Which field, never its content. */
      readonly detail?: string;
    };

/**
 * Decodes and checks one transaction. The node answers from its cache of verified signatures, filled by worker
 * threads ahead of execution; a test answers by verifying on the spot.
 */
export type VerifyTransaction = (bytes: Uint8Array) => VerifiedTransaction;

export interface Draft {
  readonly header: BlockHeader;
  readonly headerHash: HeaderHash;
  readonly results: readonly TransactionResult[];
}

/** One write of one transaction. Another transaction of the same block may have written the key again. */
export interface KeyChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  /** Its place in the block. */
  readonly transaction: number;
}

/** What a finalized branch adds to the store. All of it is derivable from the block and the state before. */
export interface CommitBatch {
  readonly header: BlockHeader;
  readonly headerHash: HeaderHash;
  readonly transactions: readonly Uint8Array[];
  readonly results: readonly TransactionResult[];
  /** Written keys with their new value, `undefined` for a removed one. Sorted by key. */
  readonly writes: readonly { readonly key: Uint8Array; readonly value: Uint8Array | undefined }[];
  /** What each transaction wrote, in block order: the history of a key. The block's own keys (`chain/`) have none. */
  readonly changes: readonly KeyChange[];
  /** New nodes of the state tree by hash. */
  readonly nodes: readonly { readonly hash: Uint8Array; readonly bytes: Uint8Array }[];
}

export interface CheckResult {
  readonly code: number;
  /** `transaction/expired`, `consent/not-found`, ... Empty when accepted. */
  readonly reason: string;
  /** For a malformed body: which field, never its content. */
  readonly detail?: string;
}

export interface ApplicationInfo {
  readonly height: number;
  readonly headerHash: HeaderHash;
  readonly header: BlockHeader;
  /** The set that signs the next header. */
  readonly validators: readonly Validator[];
}

/** The port between an engine and the state machine, shaped like ABCI 2.0. Synchronous and deterministic. */
export interface Application {
  /** What is durable: the height that the last `commit` was for. */
  info(): ApplicationInfo;
  /** Judges one transaction against the committed state and the node's own clock (CheckTx). */
  checkTransaction(bytes: Uint8Array, now: number): CheckResult;
  /** Chooses and orders what goes into a block: within the byte limit, refusals at most a quarter while live ones wait. */
  prepareProposal(
    candidates: readonly Uint8Array[],
    context: { readonly time: number },
  ): readonly Uint8Array[];
  /** Refuses only what no honest proposer could include. `undefined` is acceptance, else the reason. */
  processProposal(proposal: BlockProposal): string | undefined;
  /** Executes on a branch of its own over `parentHash`. Several drafts may stand side by side. */
  execute(proposal: BlockProposal): Draft;
  /** Keeps this branch, drops its siblings. */
  finalize(headerHash: HeaderHash): CommitBatch;
  /** The batch is durable: state, replay window and `info` move on. */
  commit(headerHash: HeaderHash): void;
}

/** Read access to committed state. Implemented over LMDB on a node, in memory in tests. */
export interface StateStore {
  /** The latest committed value of a key. */
  readonly get: (key: Uint8Array) => Uint8Array | undefined;
  /** Entries with this prefix in key order, at most `countMax`. */
  readonly scan: (prefix: Uint8Array, countMax: number) => Iterable<readonly [Uint8Array, Uint8Array]>;
  /** One node of the state tree. */
  readonly node: (hash: Uint8Array) => Uint8Array | undefined;
}

export type { Block, FinalityCertificate };
