import {
  type BatchList,
  batchLeaves,
  ENTRY_ID_BYTES,
  ENTRY_SALT_BYTES,
  entryCommitment,
  type JournalBatch,
  type JournalEntry,
  type JournalRecord,
  type JournalWrite,
  journalBatchCodec,
  journalEntryCodec,
  PLAINTEXT_BYTES,
  padPlaintext,
  unpadPlaintext,
} from '@careledger/custody';
import {
  bytes,
  encodeCbor,
  equalBytes,
  fixedBytes,
  invariant,
  optional,
  struct,
  toHex,
} from '@careledger/primitives';
import { JOURNAL_KEY, type Keystore } from '../../keystore/index.ts';
import { ExchangeError } from '../errors.ts';
import { JournalFile } from './journal-file.ts';

/** What a sealed record holds: an entry with its salt, or a batch. */
const contentCodec = struct({
  salt: optional(fixedBytes(ENTRY_SALT_BYTES)),
  entry: optional(bytes({ bytesMax: PLAINTEXT_BYTES })),
  batch: optional(bytes({ bytesMax: PLAINTEXT_BYTES })),
});

export interface JournalOptions {
  /** `gateway/journal`. */
  readonly folder: string;
  readonly keystore: Pick<Keystore, 'wrap' | 'unwrap'>;
  readonly random: (length: number) => Uint8Array;
}

/** An entry of the journal, as far as memory holds it. The rest is read from the file when somebody asks. */
export interface IndexedEntry {
  readonly sequence: number;
  readonly commitment: Uint8Array;
  readonly event: JournalEntry['event'];
  readonly time: number;
  readonly subjects: readonly string[];
  /** For a receipt: the custodian's entry. */
  readonly counterpartEntry: Uint8Array | undefined;
}

export interface OpenedEntry {
  readonly entry: JournalEntry;
  readonly entryBytes: Uint8Array;
  readonly salt: Uint8Array;
}

export interface StoredBatch extends JournalBatch {
  /** Where the batch record itself stands. */
  readonly sequence: number;
  /** The chain's hash at the last record before the batch's own. */
  readonly head: Uint8Array;
}

const DOMAIN = 'careledger/journal/1';

/**
 * What this organization did with patients' records: written ahead, synced, hash-chained, sealed under a keystore key
 * in records of one length. What may be read of it comes out of reports.
 */
export class Journal {
  readonly #options: JournalOptions;
  #file: JournalFile | undefined;
  readonly #entries = new Map<number, IndexedEntry>();
  readonly #pending: Readonly<Record<BatchList, Map<number, IndexedEntry>>> = {
    anchor: new Map(),
    acknowledge: new Map(),
  };
  readonly #byCommitment = new Map<string, IndexedEntry>();
  readonly #batches: StoredBatch[] = [];
  readonly #batched = new Map<number, StoredBatch>();

  private constructor(options: JournalOptions) {
    this.#options = options;
  }

  /**
   * Opens the journal and checks its chain.
   * @throws {@link ExchangeError} `journal/altered`: which record was changed, moved, left out or sealed by another.
   */
  static async open(options: JournalOptions): Promise<Journal> {
    const journal = new Journal(options);
    journal.#file = await JournalFile.open(options.folder, (record) => journal.#take(record));
    return journal;
  }

  get length(): number {
    return this.#journal.length;
  }

  /** The chain's hash at its end. */
  get head(): Uint8Array {
    return this.#journal.head;
  }

  get batches(): readonly StoredBatch[] {
    return this.#batches;
  }

  /** Writes an entry ahead of what it announces; resolves when it is synced. */
  async append(write: JournalWrite): Promise<IndexedEntry> {
    const entry = journalEntryCodec.encode(write.entry);
    const commitment = entryCommitment(entry, write.salt);
    const content = { id: write.entry.id, leaf: commitment };
    const plaintext = contentCodec.encode({ salt: write.salt, entry });
    const { sequence } = await this.#journal.append({ ...content, sealed: this.#seal(content, plaintext) });
    return this.#index(sequence, write.entry, commitment);
  }

  /** Remembers a batch before it is submitted. */
  async appendBatch(batch: JournalBatch): Promise<StoredBatch> {
    const content = { id: this.#options.random(ENTRY_ID_BYTES), leaf: batch.root };
    const plaintext = contentCodec.encode({ batch: journalBatchCodec.encode(batch) });
    const head = this.#journal.head;
    const { sequence } = await this.#journal.append({ ...content, sealed: this.#seal(content, plaintext) });
    return this.#remember({ ...batch, sequence, head });
  }

  /** Entries that no batch of this list holds yet, oldest first. */
  pending(list: BatchList, countMax: number): readonly IndexedEntry[] {
    return [...this.#pending[list].values()].slice(0, countMax);
  }

  /** The batch in which an entry is anchored, if it is in one. */
  batchOf(sequence: number): StoredBatch | undefined {
    return this.#batched.get(sequence);
  }

  /** Every entry that concerns a patient, oldest first. */
  entriesOf(subject: string): readonly IndexedEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.subjects.includes(subject));
  }

  /** The entry behind a leaf that we signed. */
  byCommitment(commitment: Uint8Array): IndexedEntry | undefined {
    return this.#byCommitment.get(toHex(commitment));
  }

  /** The leaf of an entry. */
  commitmentOf(sequence: number): Uint8Array {
    return this.#leafOf('anchor', sequence);
  }

  /** The tree of a batch. */
  leavesOf(batch: StoredBatch): readonly Uint8Array[] {
    const commitments = batch.sequences.map((sequence) => this.#leafOf(batch.list, sequence));
    return batchLeaves(commitments, batch.paddingSeed);
  }

  /** Reads an entry back. @throws {@link ExchangeError} `journal/altered`. */
  async read(sequence: number): Promise<OpenedEntry> {
    const opened = this.#open(await this.#journal.read(sequence));
    if (!opened.entry || !opened.salt) throw altered(sequence);
    return { entry: journalEntryCodec.decode(opened.entry), entryBytes: opened.entry, salt: opened.salt };
  }

  close(): Promise<void> {
    return this.#journal.close();
  }

  get #journal(): JournalFile {
    invariant(this.#file, 'a journal is used once it is open');
    return this.#file;
  }

  #leafOf(list: BatchList, sequence: number): Uint8Array {
    const entry = this.#entries.get(sequence);
    const leaf = list === 'anchor' ? entry?.commitment : entry?.counterpartEntry;
    if (!leaf) throw altered(sequence);
    return leaf;
  }

  #context(record: Pick<JournalRecord, 'id' | 'leaf'>): Uint8Array {
    return encodeCbor([DOMAIN, record.id, record.leaf]);
  }

  #seal(record: Pick<JournalRecord, 'id' | 'leaf'>, plaintext: Uint8Array): Uint8Array {
    return this.#options.keystore.wrap(JOURNAL_KEY, padPlaintext(plaintext), this.#context(record));
  }

  #open(record: JournalRecord): ReturnType<typeof contentCodec.decode> {
    const padded = this.#options.keystore.unwrap(JOURNAL_KEY, record.sealed, this.#context(record));
    const plaintext = padded && unpadPlaintext(padded);
    if (!plaintext) throw altered(record.sequence);
    return contentCodec.decode(plaintext);
  }

  #take(record: JournalRecord): void {
    const { salt, entry, batch } = this.#open(record);
    if (entry && salt) {
      if (!equalBytes(entryCommitment(entry, salt), record.leaf)) throw altered(record.sequence);
      this.#index(record.sequence, journalEntryCodec.decode(entry), record.leaf);
    } else if (batch) {
      const decoded = journalBatchCodec.decode(batch);
      this.#remember({ ...decoded, sequence: record.sequence, head: record.previousHash });
    } else throw altered(record.sequence);
  }

  #index(sequence: number, entry: JournalEntry, commitment: Uint8Array): IndexedEntry {
    const { event, time, subjects, counterpartEntry } = entry;
    const indexed = { sequence, commitment, event, time, subjects, counterpartEntry };
    this.#entries.set(sequence, indexed);
    this.#byCommitment.set(toHex(commitment), indexed);
    this.#pending.anchor.set(sequence, indexed);
    if (event === 'receipt' && counterpartEntry) this.#pending.acknowledge.set(sequence, indexed);
    return indexed;
  }

  #remember(batch: StoredBatch): StoredBatch {
    this.#batches.push(batch);
    for (const sequence of batch.sequences) {
      this.#pending[batch.list].delete(sequence);
      if (batch.list === 'anchor') this.#batched.set(sequence, batch);
    }
    return batch;
  }
}

function altered(sequence: number): ExchangeError {
  return new ExchangeError('journal/altered', `Record ${sequence} of the journal is altered (content).`);
}
