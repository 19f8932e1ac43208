import type {
  Block,
  FinalHead,
  FinalTransaction,
  StateEvidence,
  TransactionEvidence,
} from '@careledger/ledger';
import type { ChainId, TransactionId } from '@careledger/primitives';

export type { FinalHead, FinalTransaction };

/** What a gateway may ask of its member's own node. The node trusts its own store; others get the evidence. */
export interface LedgerPort {
  readonly chain: ChainId;
  /** The genesis document's bytes: the start of every offline verification. */
  readonly genesis: Uint8Array;
  /**
   * Checks and spreads a signed transaction; resolves once it is final. A refusal resolves with its code in `result`.
   * @throws an error with `code` when CheckTransaction refuses it, the mempool is full, or it expired unordered.
   */
  submit(transaction: Uint8Array): Promise<FinalTransaction>;
  /** Where this transaction stands, or `undefined` while no final block holds it. */
  find(id: TransactionId): FinalTransaction | undefined;
  head(): FinalHead;
  /** Calls back for every final engine block in order; `block` is absent for a heartbeat. Returns the unsubscriber. */
  onFinal(listener: (head: FinalHead, block: Block | undefined) => void): () => void;
  /** Latest committed value. */
  get(key: Uint8Array): Uint8Array | undefined;
  scan(prefix: Uint8Array, countMax: number): Iterable<readonly [Uint8Array, Uint8Array]>;
  block(height: number): Block | undefined;
  /** A value or its absence under the newest certified header, or at an earlier kept height. */
  proveState(key: Uint8Array, height?: number): StateEvidence;
  proveTransaction(position: { readonly height: number; readonly index: number }): TransactionEvidence;
}
