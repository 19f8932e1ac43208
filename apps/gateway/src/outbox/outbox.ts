import { randomBytes } from 'node:crypto';
import { retiredKey } from '@careledger/capabilities';
import type { FinalTransaction, LedgerPort } from '@careledger/custody';
import {
  inclusionProofCodec,
  RECEIPT_KIND,
  type Receipt,
  recordLeafCodec,
  type StateEvidence,
  type TrustPath,
} from '@careledger/ledger';
import type { Signer } from '@careledger/primitives';
import type { Vault } from '../vault/index.ts';
import { OutboxStore, type SignedBatch } from './outbox-store.ts';

/** How long the outbox waits for more versions to share a batch, in milliseconds. */
export const BATCH_WAIT_MS = 100;
/** A critical version is to stand on the ledger within this time: its service level objective, in milliseconds. */
export const CRITICAL_ANCHORED_WITHIN_MS = 3_000;
/** Anchors under way at once: the next batch does not wait for the last one's block. */
export const IN_FLIGHT_MAX = 4;
const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 10_000;

export interface OutboxOptions {
  readonly vault: Vault;
  readonly ledger: LedgerPort;
  /** Signs this organization's anchors: a key in force with the role `custodian`. */
  readonly signer: Signer;
  readonly now?: () => number;
  readonly random?: (length: number) => Uint8Array;
  readonly batchWaitMs?: number;
  /** Validator-set changes since genesis, for receipts. None unless given. */
  readonly trustPath?: () => TrustPath;
  /** Hears why anchoring does not go on: result codes and error codes, nothing else. */
  readonly onTrouble?: (trouble: OutboxTrouble) => void;
  /** Test seam: called between two durable steps; a throw there stands for a crash. */
  readonly failpoint?: (name: OutboxFailpoint) => void;
}

export type OutboxFailpoint = 'signed' | 'submitted';

export interface OutboxTrouble {
  readonly batch: number;
  /** Result code of a refused anchor. */
  readonly resultCode?: number;
  /** `code` of the error that submitting threw. */
  readonly errorCode?: string;
}

/** How far anchoring is behind. */
export interface OutboxMetrics {
  readonly waiting: number;
  /** Age of the oldest version that no final anchor holds, in milliseconds; 0 when all are anchored. */
  readonly lagMs: number;
  /** The same of the critical versions alone; the objective is {@link CRITICAL_ANCHORED_WITHIN_MS}. */
  readonly criticalLagMs: number;
  readonly inFlight: number;
  readonly anchoredBatches: number;
  readonly refusals: number;
}

export interface VersionKey {
  readonly type: string;
  readonly id: string;
  readonly version: number;
}

/**
 * Anchors what the vault has acknowledged. A batch and its signed anchor are written down before it is submitted, so
 * that after any crash the same transaction is looked up or sent again: exactly once. Without a quorum the vault goes
 * on and the outbox waits.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #store: OutboxStore;
  readonly #now: () => number;
  readonly #inFlight = new Set<Promise<void>>();
  #isRunning = false;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #anchoredBatches = 0;
  #refusals = 0;
  #idle: (() => void)[] = [];
  readonly #sleepers = new Set<() => void>();
  #stopped = Promise.withResolvers<void>();

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#store = new OutboxStore({
      vault: options.vault,
      ledger: options.ledger,
      signer: options.signer,
      now: this.#now,
      random: options.random ?? randomBytes,
    });
  }

  /** Takes up what an earlier run left, then waits for {@link Outbox.wake}. */
  async start(): Promise<void> {
    this.#isRunning = true;
    this.#stopped = Promise.withResolvers<void>();
    this.#options.vault.whenCritical(() => this.#wakeAtOnce());
    for (const signed of await this.#store.signed()) this.#launch(signed);
    this.wake();
  }

  /** There is something to anchor, or may be. */
  wake(): void {
    this.#wakeIn(this.#options.batchWaitMs ?? BATCH_WAIT_MS);
  }

  /** Something critical is durable: it does not wait for others to share its batch. */
  #wakeAtOnce(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#wakeIn(0);
  }

  #wakeIn(milliseconds: number): void {
    if (!this.#isRunning || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#turn = this.#turn.then(() => this.#drain());
    }, milliseconds);
  }

  /** Stops. What is under way stays written down for the next start. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#stopped.resolve();
    for (const wakeUp of this.#sleepers) wakeUp();
    await this.#turn;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #drain(): Promise<void> {
    try {
      while (this.#isRunning) {
        if (this.#inFlight.size >= IN_FLIGHT_MAX) {
          await Promise.race([...this.#inFlight, this.#stopped.promise]);
          continue;
        }
        const signed = await this.#store.sealBatch();
        if (!signed) break;
        this.#options.failpoint?.('signed');
        this.#launch(signed);
      }
    } catch (error) {
      this.#report({ batch: 0, errorCode: codeOf(error) });
      this.#wakeIn(RETRY_MS_MAX);
    }
    this.#settleWaiters();
  }

  #launch(signed: SignedBatch): void {
    const work: Promise<void> = this.#anchor(signed)
      .catch((error: unknown) => this.#report({ batch: signed.batch, errorCode: codeOf(error) }))
      .finally(() => {
        this.#inFlight.delete(work);
        this.#settleWaiters();
      });
    this.#inFlight.add(work);
  }

  async #anchor(first: SignedBatch): Promise<void> {
    let signed = first;
    let wait = RETRY_MS_MIN;
    while (this.#isRunning) {
      const final = await this.#submit(signed);
      if (!this.#isRunning) return;
      this.#options.failpoint?.('submitted');
      if (final?.result.code === 0 && (await this.#settle(signed, final))) return;
      const isRefused = final !== undefined && final.result.code !== 0;
      if (isRefused) {
        this.#refusals += 1;
        this.#report({ batch: signed.batch, resultCode: final.result.code });
      }
      await this.#sleep(wait);
      wait = Math.min(wait * 2, RETRY_MS_MAX);
      if (isRefused || (!final && this.#isLost(signed))) signed = await this.#store.remake(signed);
    }
  }

  /** False when the vault could not write it down now: it is looked up and written down later. */
  async #settle(signed: SignedBatch, final: FinalTransaction): Promise<boolean> {
    try {
      await this.#store.settle(signed.batch, final);
      this.#anchoredBatches += 1;
      return true;
    } catch (error) {
      this.#report({ batch: signed.batch, errorCode: codeOf(error) });
      return false;
    }
  }

  /** Looks the anchor up, or sends it. `undefined` when nobody knows yet what became of it. */
  async #submit(signed: SignedBatch): Promise<FinalTransaction | undefined> {
    const { ledger } = this.#options;
    const known = ledger.find(signed.transactionId);
    if (known) return known;
    try {
      return await ledger.submit(signed.bytes);
    } catch (error) {
      this.#report({ batch: signed.batch, errorCode: codeOf(error) });
      return ledger.find(signed.transactionId);
    }
  }

  /** Is it certain that no block holds this anchor and none ever will? The head is read before the look-up. */
  #isLost(signed: SignedBatch): boolean {
    const { ledger } = this.#options;
    return ledger.head().time > signed.expires && ledger.find(signed.transactionId) === undefined;
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const wakeUp = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wakeUp);
        resolve();
      };
      const timer = setTimeout(wakeUp, milliseconds);
      this.#sleepers.add(wakeUp);
    });
  }

  #report(trouble: OutboxTrouble): void {
    this.#options.onTrouble?.(trouble);
  }

  #settleWaiters(): void {
    if (this.#inFlight.size > 0 || this.#timer) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves once everything that the vault holds now is anchored. */
  async settled(): Promise<void> {
    while (this.#isRunning && (await this.#store.status()).waiting > 0) {
      this.wake();
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  async metrics(): Promise<OutboxMetrics> {
    const { waiting, oldest, oldestCritical } = await this.#store.status();
    const ageOf = (queued: number | undefined): number =>
      queued === undefined ? 0 : Math.max(this.#now() - queued, 0);
    return {
      waiting,
      lagMs: ageOf(oldest),
      criticalLagMs: ageOf(oldestCritical),
      inFlight: this.#inFlight.size,
      anchoredBatches: this.#anchoredBatches,
      refusals: this.#refusals,
    };
  }

  /**
   * The receipt of one version: shows offline that this organization anchored it.
   * @returns `undefined` while its anchor is not final, for what is not there, and for a deletion, which is proven by
   * {@link Outbox.retirementOf} of the version before it.
   */
  async receiptOf(key: VersionKey): Promise<Receipt | undefined> {
    const row = await this.#options.vault.reader
      .selectFrom('version')
      .innerJoin('batch', 'batch.batch', 'version.batch')
      .select(['version.leaf', 'version.leaf_proof', 'batch.height', 'batch.position'])
      .where('type', '=', key.type)
      .where('id', '=', key.id)
      .where('version', '=', key.version)
      .where('state', '=', 'anchored')
      .executeTakeFirst();
    return row && this.#receipt(row);
  }

  /** The receipt of a document's own leaf, by the name of its chunk file. Its record is `documentManifest`. */
  async receiptOfDocument(name: string): Promise<Receipt | undefined> {
    const row = await this.#options.vault.reader
      .selectFrom('document')
      .innerJoin('version', 'version.seq', 'document.seq')
      .innerJoin('batch', 'batch.batch', 'version.batch')
      .select(['document.leaf', 'document.leaf_proof', 'batch.height', 'batch.position'])
      .where('document.name', '=', name)
      .where('document.leaf', 'is not', null)
      .where('state', '=', 'anchored')
      .orderBy('document.seq', 'desc')
      .executeTakeFirst();
    return row && this.#receipt(row);
  }

  #receipt(row: {
    readonly leaf: Uint8Array | null;
    readonly leaf_proof: Uint8Array | null;
    readonly height: number | null;
    readonly position: number | null;
  }): Receipt | undefined {
    const { ledger, trustPath } = this.#options;
    const { leaf, leaf_proof: leafProof, height, position } = row;
    if (leaf === null || leafProof === null || height === null || position === null) return undefined;
    return {
      kind: RECEIPT_KIND,
      leaf: recordLeafCodec.decode(leaf),
      leafProof: inclusionProofCodec.decode(leafProof),
      anchor: ledger.proveTransaction({ height, index: position }),
      trust: trustPath?.() ?? { genesis: ledger.genesis, changes: [], validatorSets: [] },
    };
  }

  /**
   * Evidence of what stands in a version's place: the successor's leaf hash, or, while the version stands, proof that
   * nothing does. `undefined` for a version that is not there or is itself a deletion.
   */
  async retirementOf(key: VersionKey): Promise<StateEvidence | undefined> {
    const { vault, ledger } = this.#options;
    const row = await vault.reader
      .selectFrom('version')
      .select(['leaf', 'deleted'])
      .where('type', '=', key.type)
      .where('id', '=', key.id)
      .where('version', '=', key.version)
      .executeTakeFirst();
    if (!row || row.deleted === 1) return undefined;
    return ledger.proveState(retiredKey(recordLeafCodec.decode(row.leaf).retireKey));
  }
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'unknown';
}
