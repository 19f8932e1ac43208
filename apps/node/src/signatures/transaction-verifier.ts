import { hash } from 'node:crypto';
import type { ChainParameters, Transaction } from '@careledger/ledger';
import type { ChainId, SignatureClaim } from '@careledger/primitives';
import {
  type Catalog,
  type VerifiedTransaction,
  type VerifyTransaction,
  verifyTransactionWith,
} from '@careledger/state-machine';
import type { SignaturePool } from './signature-pool.ts';
import { verifyWithSodium } from './verify-batch.ts';

/** What the remembered verdicts may take together. */
const CACHE_BYTES_MAX = 64 * 1024 * 1024;
/** A decoded transaction in memory, besides its bytes. */
const ENTRY_BYTES = 2_048;

export interface TransactionVerifierOptions {
  readonly pool: SignaturePool;
  readonly catalog: Pick<Catalog, 'capabilities'>;
  readonly chain: ChainId;
  readonly parameters: Pick<ChainParameters, 'transactionBytesMax' | 'detectorVersion'>;
}

interface Examined {
  readonly verdict: VerifiedTransaction;
  /** The envelope's signature first, then the inner ones. */
  readonly claims: readonly SignatureClaim[];
  readonly bytes: Uint8Array;
}

/**
 * Every signature of a transaction, envelope and inner, checked once on this node and ahead of execution. A verdict
 * is remembered under the public key and the SHA-256 of the whole bytes: an id would not cover the signature. Whether
 * a key is in force is no part of it; execution reads that from state.
 *
 * The very same array is recognized without hashing it again: whoever hands bytes in does not change them afterwards.
 */
export class TransactionVerifier {
  readonly #pool: SignaturePool;
  readonly #inline: VerifyTransaction;
  readonly #examine: VerifyTransaction;
  readonly #cache = new Map<string, { readonly verdict: VerifiedTransaction; readonly bytes: number }>();
  readonly #known = new WeakMap<Uint8Array, VerifiedTransaction>();
  #claims: SignatureClaim[] = [];
  #cacheBytes = 0;
  /** Signatures checked since the start. */
  verified = 0;

  constructor({ pool, ...options }: TransactionVerifierOptions) {
    this.#pool = pool;
    this.#inline = verifyTransactionWith({ ...options, verifySignature: (claim) => this.#verifyHere(claim) });
    this.#examine = verifyTransactionWith({
      ...options,
      verifySignature: (claim) => this.#claims.push(claim) > 0,
    });
  }

  /** Checks these in the workers, so that `verify` answers from memory when they are executed. */
  async prepare(transactions: readonly Uint8Array[]): Promise<void> {
    const fresh = transactions.filter((bytes) => this.#recall(bytes) === undefined);
    const examined = fresh.map((bytes) => this.#examineForm(bytes));
    const claims = examined.flatMap((entry) => entry.claims);
    this.verified += claims.length;
    const verdicts = await this.#pool.verify(claims);
    let offset = 0;
    for (const entry of examined) {
      const holds = verdicts.slice(offset, offset + entry.claims.length);
      offset += entry.claims.length;
      this.#remember(entry.bytes, judge(entry.verdict, holds));
    }
  }

  /** The verdict on one transaction: from memory, else checked on the spot. */
  readonly verify: VerifyTransaction = (bytes) => {
    const known = this.#recall(bytes);
    if (known) return known;
    const verdict = this.#inline(bytes);
    this.#remember(bytes, verdict);
    return verdict;
  };

  /** The decoded transaction of a well-formed and well-signed one. */
  decoded(bytes: Uint8Array): Transaction | undefined {
    const verdict = this.verify(bytes);
    return verdict.ok ? verdict.transaction : undefined;
  }

  #verifyHere(claim: SignatureClaim): boolean {
    this.verified += 1;
    return verifyWithSodium(claim);
  }

  #examineForm(bytes: Uint8Array): Examined {
    this.#claims = [];
    const verdict = this.#examine(bytes);
    const claims = verdict.ok ? this.#claims : [];
    this.#claims = [];
    return { verdict, claims, bytes };
  }

  #recall(bytes: Uint8Array): VerifiedTransaction | undefined {
    const known = this.#known.get(bytes);
    if (known) return known;
    const same = this.#cache.get(nameOf(bytes))?.verdict;
    if (same) this.#known.set(bytes, same);
    return same;
  }

  #remember(bytes: Uint8Array, verdict: VerifiedTransaction): void {
    this.#known.set(bytes, verdict);
    const name = nameOf(bytes);
    if (this.#cache.has(name)) return;
    const size = bytes.length + ENTRY_BYTES;
    this.#cache.set(name, { verdict, bytes: size });
    this.#cacheBytes += size;
    for (const [oldest, entry] of this.#cache) {
      if (this.#cacheBytes <= CACHE_BYTES_MAX) return;
      this.#cache.delete(oldest);
      this.#cacheBytes -= entry.bytes;
    }
  }
}

/** The public key stands in the envelope, so one hash over the whole bytes covers both. */
function nameOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'base64');
}

function judge(verdict: VerifiedTransaction, holds: readonly boolean[]): VerifiedTransaction {
  if (!verdict.ok || holds.every((one) => one)) return verdict;
  return { ok: false, reason: holds[0] ? 'transaction/inner-signature' : 'transaction/signature' };
}
