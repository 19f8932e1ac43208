/** What fits into a mempool. */
export interface MempoolLimits {
  readonly countMax: number;
  readonly bytesMax: number;
  /** One transaction. */
  readonly transactionBytesMax: number;
}

export const DEFAULT_MEMPOOL_LIMITS: MempoolLimits = {
  countMax: 10_000,
  bytesMax: 32 * 1024 * 1024,
  transactionBytesMax: 1024 * 1024,
};

export interface PendingTransaction {
  /** Hexadecimal. */
  readonly id: string;
  readonly bytes: Uint8Array;
  /** Block time in milliseconds after which it can no longer be included. */
  readonly expiresAt: number;
}

/** Why a transaction was not taken. `known` is no fault of the sender: gossip brings things twice. */
export type MempoolRefusal =
  | 'mempool/known'
  | 'mempool/full'
  | 'mempool/transaction-too-large'
  | 'mempool/expired';

/**
 * Transactions that wait to be ordered, in the order of their arrival. Bounded by count and bytes; a full mempool
 * refuses the newcomer and never drops what it took.
 */
export class Mempool {
  readonly limits: MempoolLimits;
  readonly #pending = new Map<string, PendingTransaction>();
  #bytes = 0;

  constructor(limits: Partial<MempoolLimits> = {}) {
    this.limits = { ...DEFAULT_MEMPOOL_LIMITS, ...limits };
  }

  get count(): number {
    return this.#pending.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(id: string): boolean {
    return this.#pending.has(id);
  }

  /** Takes a checked transaction. @returns why not, or `undefined` when it was taken. */
  add(transaction: PendingTransaction, now: number): MempoolRefusal | undefined {
    if (this.#pending.has(transaction.id)) return 'mempool/known';
    const size = transaction.bytes.length;
    if (size > this.limits.transactionBytesMax) return 'mempool/transaction-too-large';
    if (transaction.expiresAt < now) return 'mempool/expired';
    if (this.#pending.size >= this.limits.countMax) return 'mempool/full';
    if (this.#bytes + size > this.limits.bytesMax) return 'mempool/full';
    this.#pending.set(transaction.id, transaction);
    this.#bytes += size;
    return undefined;
  }

  /** A final block holds these, whatever became of them. Ids that are not here are passed over. */
  remove(ids: Iterable<string>): void {
    for (const id of ids) {
      const transaction = this.#pending.get(id);
      if (!transaction) continue;
      this.#pending.delete(id);
      this.#bytes -= transaction.bytes.length;
    }
  }

  /** Drops what can no longer be included. @returns what was dropped, so that whoever waits for it can be told. */
  expire(now: number): readonly PendingTransaction[] {
    const expired = [...this.#pending.values()].filter((transaction) => transaction.expiresAt < now);
    this.remove(expired.map((transaction) => transaction.id));
    return expired;
  }

  /** The oldest transactions, at most `countMax`, that fit into `bytesMax` together, in order. They stay until removed. */
  reap(bytesMax: number, countMax: number = this.limits.countMax): readonly PendingTransaction[] {
    const reaped: PendingTransaction[] = [];
    let bytes = 0;
    for (const transaction of this.#pending.values()) {
      if (reaped.length >= countMax || bytes + transaction.bytes.length > bytesMax) break;
      bytes += transaction.bytes.length;
      reaped.push(transaction);
    }
    return reaped;
  }
}
