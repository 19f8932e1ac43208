import {
  acknowledgeDisclosuresCodec,
  acknowledgements,
  anchorDisclosuresCodec,
  disclosureAnchors,
} from '@careledger/capabilities';
import {
  ANCHOR_WITHIN_MS,
  BATCH_ENTRIES_MAX,
  type BatchList,
  type LedgerPort,
  makeBatch,
} from '@careledger/custody';
import type { OrganizationId } from '@careledger/primitives';
import { ExchangeError } from '../errors.ts';
import type { LedgerWriter } from '../ledger-writer.ts';
import type { Journal } from './journal.ts';
import type { IndexedEntry, StoredBatch } from './journal-index.ts';

export interface AnchoringOptions {
  readonly journal: Journal;
  readonly ledger: Pick<LedgerPort, 'get' | 'scan'>;
  readonly writer: LedgerWriter;
  readonly organization: OrganizationId;
  readonly random: (length: number) => Uint8Array;
  /** Told about a failed attempt; the next one follows by itself. */
  readonly onFailure: (error: unknown) => void;
}

/** The loop runs this often: what was written just after a run is anchored well within the promised time. */
const EVERY_MS = ANCHOR_WITHIN_MS / 2;
const SEED_BYTES = 32;
const LISTS: readonly BatchList[] = ['anchor', 'acknowledge'];

/**
 * Puts the journal's roots on the ledger, in order and each once: a batch is in the journal before it is submitted, and
 * a batch whose root the ledger does not hold is submitted again.
 */
export class Anchoring {
  readonly #options: AnchoringOptions;
  /** First position of each list whose root no batch of the journal has. */
  readonly #unknown: { -readonly [List in BatchList]?: number } = {};
  readonly #known: Record<BatchList, number> = { anchor: 0, acknowledge: 0 };
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AnchoringOptions) {
    this.#options = options;
  }

  /** Anchors every few seconds until {@link Anchoring.stop}. */
  start(): void {
    this.#timer = setInterval(() => {
      this.flush().catch(this.#options.onFailure);
    }, EVERY_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running.catch(() => undefined);
  }

  /** Anchors everything that is written by now; resolves when it is final. @throws {@link ExchangeError} without quorum. */
  flush(): Promise<void> {
    const turn = this.#running.catch(() => undefined).then(() => this.#anchorAll());
    this.#running = turn;
    return turn;
  }

  /** Where a batch's root stands in the organization's list, or `undefined` while it does not. */
  indexOf(batch: StoredBatch): number | undefined {
    this.#refresh(batch.list);
    return this.#options.journal.positionOf(batch);
  }

  /**
   * Compares the ledger's list with the journal: a root that the journal does not remember means that its end was cut
   * off, or that somebody else signs with our key.
   * @throws {@link ExchangeError} `journal/truncated`.
   */
  checkAgainstLedger(): void {
    this.#refresh('anchor');
    const index = this.#unknown.anchor;
    if (index === undefined) return;
    throw new ExchangeError('journal/truncated', `The journal does not hold what root ${index} anchors.`);
  }

  async #anchorAll(): Promise<void> {
    const { journal } = this.#options;
    for (const list of LISTS) {
      this.#refresh(list);
      for (const batch of journal.openBatches(list)) {
        if (this.indexOf(batch) === undefined) await this.#submit(batch);
      }
      for (;;) {
        const pending = journal.pending(list, BATCH_ENTRIES_MAX);
        if (pending.length === 0) break;
        await this.#submit(await journal.appendBatch(this.#batchOf(list, pending)));
      }
    }
  }

  #batchOf(list: BatchList, pending: readonly IndexedEntry[]): ReturnType<typeof makeBatch> {
    const entries = pending.flatMap(({ sequence, commitment, counterpartEntry }) => {
      const leaf = list === 'anchor' ? commitment : counterpartEntry;
      return leaf ? [{ sequence, commitment: leaf }] : [];
    });
    return makeBatch(list, entries, this.#options.random(SEED_BYTES));
  }

  async #submit(batch: StoredBatch): Promise<void> {
    const { journal, writer } = this.#options;
    const { root, head } = batch;
    const size = journal.leavesOf(batch).length;
    const { result } =
      batch.list === 'anchor'
        ? await writer.submit('disclosures/anchor', anchorDisclosuresCodec.encode({ root, size, head }))
        : await writer.submit('disclosures/acknowledge', acknowledgeDisclosuresCodec.encode({ root, size }));
    if (result.code === 0) return;
    throw new ExchangeError(
      'exchange/ledger-refused',
      `The ledger refused a journal root (code ${result.code}).`,
    );
  }

  #refresh(list: BatchList): void {
    const { ledger, organization, journal } = this.#options;
    const dense = list === 'anchor' ? disclosureAnchors : acknowledgements;
    const count = dense.count(ledger, organization);
    for (let index = this.#known[list]; index < count; index += 1) {
      const item = dense.read(ledger, organization, index);
      if (item && !journal.land(list, item.root, index)) this.#unknown[list] ??= index;
    }
    this.#known[list] = count;
  }
}
