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
} from '@careledger/primitives';
import { JOURNAL_KEY, type Keystore } from '../../keystore/index.ts';
import { ExchangeError } from '../errors.ts';
import { JournalFile } from './journal-file.ts';
import { type IndexedEntry, type IndexedRecord, JournalIndex, type StoredBatch } from './journal-index.ts';

/** What a sealed record holds: an entry with its salt, or a batch. */
const contentCodec = struct({
  salt: optional(fixedBytes(ENTRY_SALT_BYTES)),
  entry: optional(bytes({ bytesMax: PLAINTEXT_BYTES })),
  batch: optional(bytes({ bytesMax: PLAINTEXT_BYTES })),
});

export interface JournalOptions {
  /** `gateway/journal`. */
  readonly folder: string;
  /** The vault's folder: which entries are about whom is patient data. */
  readonly indexFolder: string;
  readonly keystore: Pick<Keystore, 'wrap' | 'unwrap'>;
  readonly random: (length: number) => Uint8Array;
}

export interface OpenedEntry {
  readonly entry: JournalEntry;
  readonly entryBytes: Uint8Array;
  readonly salt: Uint8Array;
}

const DOMAIN = 'careledger/journal/1';

/**
 * What this organization did with patients' records: written ahead, synced, hash-chained, sealed under a keystore key
 * in records of one length. What may be read of it comes out of reports.
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #index: JournalIndex;
  #file: JournalFile | undefined;

  private constructor(options: JournalOptions, index: JournalIndex) {
    this.#options = options;
    this.#index = index;
  }

  /**
   * Opens the journal, checks its chain and every record, and brings the index up to it.
   * @throws {@link ExchangeError} `journal/altered`: which record was changed, moved, left out or sealed by another.
   */
  static async open(options: JournalOptions): Promise<Journal> {
    const index = await JournalIndex.open(options.indexFolder);
    const journal = new Journal(options, index);
    try {
      await journal.#readThrough();
      if (!index.isAt(journal.length, journal.head)) {
        // Of another journal, or of more of this one than there is: what is derived is made anew.
        await journal.#journal.close();
        index.clear();
        await journal.#readThrough();
      }
      return journal;
    } catch (error) {
      index.close();
      throw error;
    }
  }

  async #readThrough(): Promise<void> {
    this.#index.beginMany();
    try {
      this.#file = await JournalFile.open(this.#options.folder, (record, hash) => this.#take(record, hash));
    } finally {
      this.#index.endMany();
    }
  }

  get length(): number {
    return this.#journal.length;
  }

  /** The chain's hash at its end. */
  get head(): Uint8Array {
    return this.#journal.head;
  }

  /** Writes an entry ahead of what it announces; resolves when it is synced. */
  async append(write: JournalWrite): Promise<IndexedEntry> {
    const entry = journalEntryCodec.encode(write.entry);
    const commitment = entryCommitment(entry, write.salt);
    const content = { id: write.entry.id, leaf: commitment };
    const plaintext = contentCodec.encode({ salt: write.salt, entry });
    const written = await this.#journal.append({ ...content, sealed: this.#seal(content, plaintext) });
    const indexed = indexedEntry(write.entry, commitment);
    this.#follow({ ...written, entry: indexed });
    return { ...indexed, sequence: written.sequence };
  }

  /** Remembers a batch before it is submitted. */
  async appendBatch(batch: JournalBatch): Promise<StoredBatch> {
    const content = { id: this.#options.random(ENTRY_ID_BYTES), leaf: batch.root };
    const plaintext = contentCodec.encode({ batch: journalBatchCodec.encode(batch) });
    const written = await this.#journal.append({ ...content, sealed: this.#seal(content, plaintext) });
    this.#follow({ ...written, batch });
    return { ...batch, sequence: written.sequence, head: written.previousHash };
  }

  /** Entries that no batch of this list holds yet, oldest first. */
  pending(list: BatchList, countMax: number): readonly IndexedEntry[] {
    return this.#index.pending(list, countMax);
  }

  /** The batch in which an entry is anchored, if it is in one. */
  batchOf(sequence: number): StoredBatch | undefined {
    return this.#index.batchOf(sequence);
  }

  /** Every entry that concerns a patient, oldest first. */
  entriesOf(subject: string): readonly IndexedEntry[] {
    return this.#index.entriesOf(subject);
  }

  /** The entry behind a leaf that we signed. */
  byCommitment(commitment: Uint8Array): IndexedEntry | undefined {
    return this.#index.byCommitment(commitment);
  }

  /** Batches that are not known to stand on the ledger, oldest first. */
  openBatches(list: BatchList): readonly StoredBatch[] {
    return this.#index.openBatches(list);
  }

  /** The ledger holds this root there. @returns False when no batch of this journal has it. */
  land(list: BatchList, root: Uint8Array, position: number): boolean {
    return this.#index.land(list, root, position);
  }

  /** Where a batch stands on the ledger, as {@link Journal.land} said. */
  positionOf(batch: StoredBatch): number | undefined {
    return this.#index.positionOf(batch);
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

  async close(): Promise<void> {
    await this.#journal.close();
    this.#index.close();
  }

  get #journal(): JournalFile {
    invariant(this.#file, 'a journal is used once it is open');
    return this.#file;
  }

  #leafOf(list: BatchList, sequence: number): Uint8Array {
    const entry = this.#index.entry(sequence);
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

  #take(record: JournalRecord, hash: Uint8Array): void {
    const { salt, entry, batch } = this.#open(record);
    const { sequence, previousHash, leaf } = record;
    if (entry && salt) {
      if (!equalBytes(entryCommitment(entry, salt), leaf)) throw altered(sequence);
      const indexed = indexedEntry(journalEntryCodec.decode(entry), leaf);
      this.#index.take({ sequence, previousHash, hash, entry: indexed });
    } else if (batch) {
      this.#index.take({ sequence, previousHash, hash, batch: journalBatchCodec.decode(batch) });
    } else throw altered(sequence);
  }

  /**
   * The record is on the disk. An index that cannot follow is like a disk that cannot: nothing is reported any more, and
   * the next start makes up for it.
   */
  #follow(record: IndexedRecord): void {
    try {
      if (this.#index.take(record)) return;
    } catch (error) {
      throw new ExchangeError('journal/failed', 'The journal’s index cannot be written.', { cause: error });
    }
    throw new ExchangeError('journal/failed', 'The journal’s index is behind.');
  }
}

function indexedEntry(entry: JournalEntry, commitment: Uint8Array): Omit<IndexedEntry, 'sequence'> {
  const { event, time, subjects, counterpartEntry } = entry;
  return { commitment, event, time, subjects, counterpartEntry };
}

function altered(sequence: number): ExchangeError {
  return new ExchangeError('journal/altered', `Record ${sequence} of the journal is altered (content).`);
}
