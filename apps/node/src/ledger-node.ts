import type {
  Block,
  FinalHead,
  FinalTransaction,
  StateEvidence,
  TransactionEvidence,
  TrustPath,
} from '@careledger/ledger';
import type { ChainId, HeaderHash, NodeId, TransactionId } from '@careledger/primitives';
import type { NodeAddresses, PeerAddress } from './options.ts';

export type { FinalHead, FinalTransaction };

/** What `verifyStore` found: everything in order up to a height, or the first thing that is not. */
export type StoreVerdict =
  | {
      readonly ok: true;
      readonly height: number;
      /** So many of the first blocks have no body any more: of them link, header and certificate were verified. */
      readonly withoutBodies: number;
      /**
       * The state of so many of the first blocks could not be computed again: it begins with the snapshot at this
       * height, which hashes to the state root there. Given by `verifyBlockFiles` alone, which executes.
       */
      readonly withoutExecution?: number;
    }
  | {
      readonly ok: false;
      readonly height: number;
      /** `record`, `previousHash`, `transactionsRoot`, `certificate`, ... */
      readonly field: string;
      readonly file: string;
      readonly message: string;
    };

/** What pruning left, in bytes of files. */
export interface PruneReport {
  /** Blocks below this height have no body any more; 1 when none was pruned. */
  readonly prunedBelow: number;
  /** The height whose state is kept for a start without the bodies; 0 when there is none. */
  readonly snapshotHeight: number;
  readonly snapshotBytes: number;
  readonly segmentBytesBefore: number;
  readonly segmentBytesAfter: number;
}

export interface NodeStatus {
  readonly node: NodeId;
  readonly chain: ChainId;
  readonly engine: { readonly id: string; readonly version: number };
  readonly engineHeight: number;
  readonly height: number;
  readonly headerHash: HeaderHash;
  readonly stateRoot: Uint8Array;
  /** Time of the newest final engine block. */
  readonly time: number;
  readonly peers: readonly { readonly node: NodeId; readonly connected: boolean }[];
  readonly mempool: { readonly transactions: number; readonly bytes: number };
  /** Stored bytes of the segment files; with `transactions` and `height` this is bytes per transaction and block. */
  readonly storage: {
    readonly segmentBytes: number;
    readonly transactions: number;
    /** Blocks below this height have no body any more; 1 when none was pruned. */
    readonly prunedBelow: number;
  };
  readonly halted: string | undefined;
}

/**
 * A running ledger node. It is the `LedgerPort` of `@careledger/custody` by structure: a gateway in the same process
 * asks it directly, everybody else over its HTTPS API.
 */
export interface LedgerNode {
  readonly chain: ChainId;
  /** The genesis document's bytes: the start of every offline verification. */
  readonly genesis: Uint8Array;
  /**
   * Opens the store (replaying what the index lacks), listens, and joins its peers. Resolves when it serves, which may
   * be before it has a quorum.
   * @throws NodeError `store/in-use`, `store/other-chain`, `store/other-version`, `node/port-in-use`, ...
   */
  start(): Promise<NodeAddresses>;
  /** Finishes what is being written, closes everything. Safe to call twice. */
  stop(): Promise<void>;
  /** More addresses of peers, as they become known. */
  addPeers(peers: readonly PeerAddress[]): void;
  status(): NodeStatus;
  /** Reads every stored block and checks checksums, links, roots and certificates. */
  verifyStore(): Promise<StoreVerdict>;
  /**
   * Writes a snapshot of the newest state and takes the bodies out of the blocks below a height; their headers and
   * certificates stay. Blocks whose transactions could still be shown again (some eleven minutes) keep their bodies.
   * The node takes no part in consensus while it does so.
   * @throws NodeError `store/snapshot-fault`; nothing was pruned then.
   */
  pruneBodies(options: { readonly below: number }): Promise<PruneReport>;

  /**
   * Checks and spreads a signed transaction; resolves once it is final. A refusal in a block resolves with its code.
   * @throws NodeError when CheckTransaction refuses it, the mempool is full, or it expired unordered.
   */
  submit(transaction: Uint8Array): Promise<FinalTransaction>;
  /** Where this transaction stands, or `undefined` while no final block holds it. */
  find(id: TransactionId): FinalTransaction | undefined;
  head(): FinalHead;
  /** Calls back for every final engine block in order; `block` is absent for a heartbeat. Returns the unsubscriber. */
  onFinal(listener: (head: FinalHead, block: Block | undefined) => void): () => void;
  /** Latest committed value. */
  get(key: Uint8Array): Uint8Array | undefined;
  /** Entries with this prefix in key order, at most `countMax`. */
  scan(prefix: Uint8Array, countMax: number): Iterable<readonly [Uint8Array, Uint8Array]>;
  /**
   * @throws NodeError `store/damaged` naming height and file when the record's checksum does not hold; `ledger/pruned`.
   */
  block(height: number): Block | undefined;
  /** A value or its absence under the newest certified header, or at an earlier kept height. */
  proveState(key: Uint8Array, height?: number): StateEvidence;
  proveTransaction(position: { readonly height: number; readonly index: number }): TransactionEvidence;
  /** Genesis and every change of the validator set since: what travels with evidence to be judged offline. */
  trustPath(): TrustPath;
}
