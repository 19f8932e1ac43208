import { Mempool } from '@careledger/consensus';
import type { Block, Transaction } from '@careledger/ledger';
import { type TransactionId, toHex } from '@careledger/primitives';
import type { Chain } from '../chain/chain.ts';
import { NodeError } from '../errors.ts';
import type { FinalTransaction } from '../ledger-node.ts';
import type { Log } from '../log.ts';
import type { TransactionVerifier } from '../signatures/transaction-verifier.ts';
import type { PeerMessage } from '../transport/peer-message.ts';
import { explain } from './explain.ts';
import { GossipShares } from './gossip-share.ts';
import { SignerShares } from './signer-shares.ts';

/** Candidates for one block: somewhat more than fit, because dead ones among them are limited. */
const CANDIDATES_BYTES_MAX = 2 * 1024 * 1024;
/** Transactions in one message to a peer. */
const GOSSIP_BYTES_MAX = 1024 * 1024;
/** What was submitted here and is not final after so long is told to the peers again. */
const AGAIN_MS = 2_000;

/** Callers that wait for one and the same transaction. */
const WAITING_MAX = 64;
type TransactionsMessage = Extract<PeerMessage, { readonly kind: 'transactions' }>;

interface Waiting {
  readonly resolve: (final: FinalTransaction) => void;
  readonly reject: (fault: NodeError) => void;
}

interface Submission {
  readonly bytes: Uint8Array;
  readonly waiting: Waiting[];
  readonly acceptedAt: number;
  /** When the peers were told last. */
  toldAt: number;
}

export interface Accepted {
  readonly id: TransactionId;
  readonly final: Promise<FinalTransaction>;
}

export interface TransactionDeskOptions {
  readonly chain: Chain;
  readonly verifier: TransactionVerifier;
  readonly log: Log;
  readonly broadcast: (message: TransactionsMessage) => void;
  /** The mempool holds more or less than before. */
  readonly onChange: () => void;
}

/** Takes transactions from members and peers, keeps them until they are final, and tells whoever waits. */
export class TransactionDesk {
  readonly #options: TransactionDeskOptions;
  readonly mempool = new Mempool();
  readonly #submissions = new Map<string, Submission>();
  #untold: Uint8Array[] = [];
  #isClosed = false;
  readonly gossip = new GossipShares();
  readonly #signers = new SignerShares();
  /** Told how long a submission of this node took until it was final, in milliseconds. */
  onFinality: (milliseconds: number) => void = () => undefined;
  /** Transactions refused here since the start, by reason. */
  readonly refused = new Map<string, number>();

  constructor(options: TransactionDeskOptions) {
    this.#options = options;
  }

  /** See `LedgerNode.submit`. */
  async submit(bytes: Uint8Array): Promise<FinalTransaction> {
    const { final } = await this.accept(bytes);
    return final;
  }

  /** Checks and spreads a transaction; `final` settles later. @throws NodeError with the code of the refusal. */
  async accept(bytes: Uint8Array): Promise<Accepted> {
    if (this.#isClosed) throw stopping();
    await this.#options.verifier.prepare([bytes]);
    const transaction = this.#check(bytes);
    const id = toHex(transaction.id);
    if (!this.mempool.has(id)) this.#take(transaction);
    const now = Date.now();
    const submission = this.#submissions.get(id) ?? { bytes, waiting: [], acceptedAt: now, toldAt: now };
    if (submission.waiting.length >= WAITING_MAX) throw explain('mempool/too-many-waiting');
    const { promise: final, resolve, reject } = Promise.withResolvers<FinalTransaction>();
    // Whoever does not wait need not hear of a late refusal.
    final.catch(() => undefined);
    submission.waiting.push({ resolve, reject });
    this.#submissions.set(id, submission);
    this.#tell(bytes);
    return { id: transaction.id, final };
  }

  /** What a peer passes on. What this node would refuse from a member, it refuses from a peer. */
  async receive(transactions: readonly Uint8Array[], peer: string): Promise<void> {
    const size = transactions.reduce((sum, bytes) => sum + bytes.length, 0);
    if (!this.gossip.admit(peer, size, Date.now())) return;
    let refused = 0;
    try {
      await this.#options.verifier.prepare(transactions);
      refused = this.#takeFromPeer(transactions);
    } finally {
      this.gossip.done(peer, size, refused);
    }
  }

  /** @returns how many were refused for what they are; a full mempool is no fault of the peer's. */
  #takeFromPeer(transactions: readonly Uint8Array[]): number {
    let refused = 0;
    for (const bytes of transactions) {
      try {
        const known = this.#options.verifier.decoded(bytes);
        if (known && this.mempool.has(toHex(known.id))) continue;
        this.#take(this.#check(bytes));
      } catch (fault) {
        if (!(fault instanceof NodeError)) throw fault;
        if (fault.code.startsWith('transaction/')) refused += 1;
        this.#options.log.debug({ code: fault.code }, 'a transaction from a peer is refused');
      }
    }
    return refused;
  }

  /** The oldest waiting transactions. */
  candidates(countMax?: number): readonly Uint8Array[] {
    return this.mempool.reap(CANDIDATES_BYTES_MAX, countMax).map(({ bytes }) => bytes);
  }

  /** A block or a heartbeat is final: what it holds, or what it leaves too late, no longer waits. */
  onFinal(block: Block | undefined, time: number): void {
    for (const [index, bytes] of (block?.transactions ?? []).entries()) {
      const transaction = this.#options.verifier.decoded(bytes);
      if (block && transaction) this.#settle(transaction, block, index);
    }
    for (const { id } of this.mempool.expire(time)) {
      this.#signers.remove(id);
      this.#reject(id, explain('transaction/expired'));
    }
    this.#tellAgain();
  }

  /** Tells a peer that has just connected what waits here. */
  tellNewPeer(send: (message: TransactionsMessage) => void): void {
    const transactions = this.mempool.reap(GOSSIP_BYTES_MAX).map(({ bytes }) => bytes);
    if (transactions.length > 0) send({ kind: 'transactions', transactions });
  }

  /** Tells all who wait that this node will not know. */
  close(): void {
    this.#isClosed = true;
    for (const id of [...this.#submissions.keys()]) this.#reject(id, stopping());
  }

  /** @throws NodeError with the code of the refusal. */
  #check(bytes: Uint8Array): Transaction {
    const { chain, verifier } = this.#options;
    const { reason, detail } = chain.application.checkTransaction(bytes, Date.now());
    const transaction = verifier.decoded(bytes);
    if (reason === '' && transaction) return transaction;
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
    throw explain(reason, detail);
  }

  #take(transaction: Transaction): void {
    const { payload, bytes } = transaction;
    const [id, signer] = [toHex(transaction.id), toHex(transaction.signer)];
    const { count, limits } = this.mempool;
    const used = Math.max(count / limits.countMax, this.mempool.bytes / limits.bytesMax);
    if (this.#signers.isOverShare(signer, used, limits.countMax)) {
      throw explain('mempool/signer-share');
    }
    const refusal = this.mempool.add({ id, bytes, expiresAt: payload.expiresAt }, Date.now());
    if (refusal && refusal !== 'mempool/known') throw explain(refusal);
    if (!refusal) this.#signers.add(id, signer);
    this.#options.onChange();
  }

  #settle(transaction: Transaction, block: Block, index: number): void {
    const id = toHex(transaction.id);
    this.mempool.remove([id]);
    this.#signers.remove(id);
    const { height, time } = block.header;
    const result = block.results[index];
    const submission = this.#submissions.get(id);
    if (!submission || !result) return;
    this.#submissions.delete(id);
    this.onFinality(Date.now() - submission.acceptedAt);
    for (const { resolve } of submission.waiting)
      resolve({ id: transaction.id, height, index, time, result });
  }

  #reject(id: string, fault: NodeError): void {
    const submission = this.#submissions.get(id);
    this.#submissions.delete(id);
    for (const { reject } of submission?.waiting ?? []) reject(fault);
  }

  /** Gathers what came in the same turn of the event loop into one message. */
  #tell(bytes: Uint8Array): void {
    if (this.#untold.push(bytes) > 1) return;
    setImmediate(() => {
      const untold = this.#untold;
      this.#untold = [];
      for (const transactions of inBatches(untold))
        this.#options.broadcast({ kind: 'transactions', transactions });
    });
  }

  #tellAgain(): void {
    const now = Date.now();
    for (const submission of this.#submissions.values()) {
      if (now - submission.toldAt < AGAIN_MS) continue;
      submission.toldAt = now;
      this.#tell(submission.bytes);
    }
  }
}

function stopping(): NodeError {
  return new NodeError(
    'node/stopping',
    'the node stops before it knows what became of the transaction',
    'Ask for the transaction by its id once the node runs again.',
  );
}

function inBatches(transactions: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const batches: Uint8Array[][] = [];
  let bytes = GOSSIP_BYTES_MAX;
  for (const transaction of transactions) {
    bytes += transaction.length;
    if (bytes > GOSSIP_BYTES_MAX) {
      batches.push([]);
      bytes = transaction.length;
    }
    batches.at(-1)?.push(transaction);
  }
  return batches;
}
