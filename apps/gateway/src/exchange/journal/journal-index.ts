import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import {
  type BatchList,
  JOURNAL_START,
  type JournalBatch,
  type JournalEntry,
  journalBatchCodec,
} from '@careledger/custody';
import { equalBytes } from '@careledger/primitives';
import { hasIndexTables, remakeIndexTables } from './journal-index-tables.ts';

/** An entry of the journal, as far as its index holds it. The rest is read from the file when somebody asks. */
export interface IndexedEntry {
  readonly sequence: number;
  readonly commitment: Uint8Array;
  readonly event: JournalEntry['event'];
  readonly time: number;
  readonly subjects: readonly string[];
  /** For a receipt: the custodian's entry. */
  readonly counterpartEntry: Uint8Array | undefined;
}

export interface StoredBatch extends JournalBatch {
  /** Where the batch record itself stands. */
  readonly sequence: number;
  /** The chain's hash at the last record before the batch's own. */
  readonly head: Uint8Array;
}

/** One record of the journal, opened: an entry, or a batch. */
export type IndexedRecord = {
  readonly sequence: number;
  /** The chain's hash before this record, and with it. */
  readonly previousHash: Uint8Array;
  readonly hash: Uint8Array;
} & (
  | { readonly entry: Omit<IndexedEntry, 'sequence'> }
  | { readonly batch: Omit<StoredBatch, 'sequence' | 'head'> }
);

/** Records that one transaction of a rebuilding takes in. */
const STEP_RECORDS = 4_096;
/** How long the index waits for another connection's lock, in milliseconds. */
const BUSY_MS_MAX = 5_000;

interface EntryRow {
  readonly sequence: number;
  readonly commitment: Uint8Array;
  readonly event: JournalEntry['event'];
  readonly time: number;
  readonly counterpart_entry: Uint8Array | null;
}

interface BatchRow {
  readonly sequence: number;
  readonly content: Uint8Array;
  readonly head: Uint8Array;
}

/** What waits for a batch of each list, and the column that says in which batch it is. */
const LISTS = {
  anchor: { column: 'anchored_in', waiting: 'anchored_in is null' },
  acknowledge: {
    column: 'acknowledged_in',
    waiting: 'must_acknowledge = 1 and acknowledged_in is null',
  },
} as const satisfies Readonly<Record<BatchList, { readonly column: string; readonly waiting: string }>>;

const ENTRY = 'select sequence, commitment, event, time, counterpart_entry from entry';

/**
 * Where the journal's entries are found by patient, by commitment and by batch: derived from the journal's file, on disk,
 * so that no history makes the process larger. It stands in the vault's folder, because subjects are patients' ids, is
 * never backed up, and is built anew when it is missing or does not continue the file's chain.
 */
export class JournalIndex {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #length: number;
  #head: Uint8Array;
  /** Records in the transaction that is open, of a rebuilding. */
  #step: number | undefined;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    const progress = this.#one<{ length: number; head: Uint8Array }>('select length, head from progress');
    this.#length = progress?.length ?? 0;
    this.#head = progress ? new Uint8Array(progress.head) : JOURNAL_START;
  }

  /** Opens `journal-index.sqlite` in a folder, or makes it. */
  static async open(folder: string): Promise<JournalIndex> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const database = new DatabaseSync(join(folder, 'journal-index.sqlite'), { timeout: BUSY_MS_MAX });
    database.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma secure_delete = on');
    if (!hasIndexTables(database)) remakeIndexTables(database);
    // The ledger says it again at every start: what is written here could be of another ledger.
    database.exec('update batch set position = null where position is not null');
    return new JournalIndex(database);
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  /** Records that it has taken in. */
  get length(): number {
    return this.#length;
  }

  /** Forgets everything. */
  clear(): void {
    this.#statements.clear();
    remakeIndexTables(this.#database);
    this.#length = 0;
    this.#head = JOURNAL_START;
  }

  /** Has it taken in the journal up to this record, and no other journal? */
  isAt(length: number, head: Uint8Array): boolean {
    return this.#length === length && equalBytes(this.#head, head);
  }

  /** Many records will come: they share transactions until {@link JournalIndex.endMany}. */
  beginMany(): void {
    this.#database.exec('begin');
    this.#step = 0;
  }

  endMany(): void {
    this.#step = undefined;
    this.#database.exec('commit');
  }

  /** Takes in the next record. @returns False for one that does not continue what it holds: nothing is changed. */
  take(record: IndexedRecord): boolean {
    if (record.sequence !== this.#length || !equalBytes(record.previousHash, this.#head)) return false;
    if (this.#step === undefined) this.#inTransaction(() => this.#insert(record));
    else {
      this.#insert(record);
      this.#step += 1;
      if (this.#step % STEP_RECORDS === 0) this.#database.exec('commit; begin');
    }
    this.#length = record.sequence + 1;
    this.#head = record.hash;
    return true;
  }

  #insert(record: IndexedRecord): void {
    const { sequence, hash } = record;
    if ('entry' in record) this.#insertEntry(sequence, record.entry);
    else this.#insertBatch({ ...record.batch, sequence, head: record.previousHash });
    this.#run('insert or replace into progress (one, length, head) values (1, ?, ?)', sequence + 1, hash);
  }

  #insertEntry(sequence: number, entry: Omit<IndexedEntry, 'sequence'>): void {
    const { commitment, event, time, subjects, counterpartEntry } = entry;
    this.#run(
      `insert into entry (sequence, commitment, event, time, counterpart_entry, must_acknowledge)
       values (?, ?, ?, ?, ?, ?)`,
      ...[sequence, commitment, event, time, counterpartEntry ?? null],
      event === 'receipt' && counterpartEntry ? 1 : 0,
    );
    for (const [place, patient] of subjects.entries()) {
      this.#run('insert into subject (patient, sequence, place) values (?, ?, ?)', patient, sequence, place);
    }
  }

  #insertBatch({ sequence, head, ...batch }: StoredBatch): void {
    const content = journalBatchCodec.encode(batch);
    this.#run(
      'insert into batch (sequence, list, root, content, head) values (?, ?, ?, ?, ?)',
      ...[sequence, batch.list, batch.root, content, head],
    );
    for (const entry of batch.sequences) {
      this.#run(`update entry set ${LISTS[batch.list].column} = ? where sequence = ?`, sequence, entry);
    }
  }

  /** Entries that no batch of this list holds yet, oldest first. */
  pending(list: BatchList, countMax: number): readonly IndexedEntry[] {
    return this.#all<EntryRow>(
      `${ENTRY} where ${LISTS[list].waiting} order by sequence limit ?`,
      countMax,
    ).map((row) => this.#entryOf(row));
  }

  entry(sequence: number): IndexedEntry | undefined {
    const row = this.#one<EntryRow>(`${ENTRY} where sequence = ?`, sequence);
    return row && this.#entryOf(row);
  }

  /** Every entry that concerns a patient, oldest first. */
  entriesOf(subject: string): readonly IndexedEntry[] {
    const named = 'sequence in (select sequence from subject where patient = ?)';
    return this.#all<EntryRow>(`${ENTRY} where ${named} order by sequence`, subject).map((row) =>
      this.#entryOf(row),
    );
  }

  byCommitment(commitment: Uint8Array): IndexedEntry | undefined {
    const row = this.#one<EntryRow>(`${ENTRY} where commitment = ? order by sequence desc`, commitment);
    return row && this.#entryOf(row);
  }

  /** The batch in which an entry is anchored, if it is in one. */
  batchOf(sequence: number): StoredBatch | undefined {
    const row = this.#one<BatchRow>(
      `select batch.sequence, content, head from batch join entry on entry.anchored_in = batch.sequence
       where entry.sequence = ?`,
      sequence,
    );
    return row && batchOf(row);
  }

  /** Batches of which nobody has said where they stand on the ledger, oldest first. */
  openBatches(list: BatchList): readonly StoredBatch[] {
    const open =
      'select sequence, content, head from batch where list = ? and position is null order by sequence';
    return this.#all<BatchRow>(open, list).map(batchOf);
  }

  /** Says where a root stands in the organization's list. @returns False for the root of no batch of ours. */
  land(list: BatchList, root: Uint8Array, position: number): boolean {
    const { changes } = this.#statement('update batch set position = ? where list = ? and root = ?').run(
      ...[position, list, root],
    );
    return Number(changes) > 0;
  }

  /** Where a batch stands in the organization's list on the ledger. */
  positionOf(batch: StoredBatch): number | undefined {
    const row = this.#one<{ position: number | null }>(
      'select position from batch where sequence = ?',
      batch.sequence,
    );
    return row?.position ?? undefined;
  }

  #entryOf(row: EntryRow): IndexedEntry {
    const { sequence, commitment, event, time, counterpart_entry: counterpartEntry } = row;
    const subjects = this.#all<{ patient: string }>(
      'select patient from subject where sequence = ? order by place',
      sequence,
    );
    return {
      ...{ sequence, event, time },
      commitment: new Uint8Array(commitment),
      subjects: subjects.map(({ patient }) => patient),
      counterpartEntry: counterpartEntry === null ? undefined : new Uint8Array(counterpartEntry),
    };
  }

  #inTransaction(work: () => void): void {
    this.#database.exec('begin');
    try {
      work();
      this.#database.exec('commit');
    } catch (error) {
      this.#database.exec('rollback');
      throw error;
    }
  }

  #statement(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known) return known;
    const prepared = this.#database.prepare(text);
    this.#statements.set(text, prepared);
    return prepared;
  }

  #run(text: string, ...values: readonly SQLInputValue[]): void {
    this.#statement(text).run(...values);
  }

  #all<Row>(text: string, ...values: readonly SQLInputValue[]): readonly Row[] {
    return this.#statement(text).all(...values) as unknown as readonly Row[];
  }

  #one<Row>(text: string, ...values: readonly SQLInputValue[]): Row | undefined {
    return this.#statement(text).get(...values) as Row | undefined;
  }
}

function batchOf({ sequence, content, head }: BatchRow): StoredBatch {
  return { ...journalBatchCodec.decode(new Uint8Array(content)), sequence, head: new Uint8Array(head) };
}
