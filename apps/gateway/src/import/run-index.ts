import { createHmac, randomBytes } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

/** Pages of the index that stay in memory; the rest goes to a temporary file of the system's. In KiB. */
const CACHE_KIB = 16 * 1024;
const TOKEN_BYTES = 16;

/** What is known of one record of an import. */
export interface KnownRecord {
  /** `Observation/<id here>`. */
  readonly reference: string;
  /** Keyed hash of the content that this run has settled, or `null` before. */
  readonly content: Uint8Array | null;
}

/**
 * What one run knows of the records it meets, however many they are: a temporary SQLite file without a name, which the
 * system deletes with the process. URLs and identifiers stand in it as keyed hashes alone, under a key of this run.
 */
export class RunIndex {
  readonly #database = new DatabaseSync('');
  readonly #key = randomBytes(32);
  readonly #addRecord: StatementSync;
  readonly #addHolder: StatementSync;
  readonly #find: StatementSync;
  readonly #settle: StatementSync;
  readonly #remove: StatementSync;
  readonly #findHolders: StatementSync;
  readonly #findReference: StatementSync;

  constructor() {
    this.#database.exec(`
      pragma journal_mode = off;
      pragma synchronous = off;
      pragma cache_size = -${CACHE_KIB};
      create table record (token blob primary key, reference text not null, removed integer not null default 0, content blob)
        without rowid;
      create index record_reference on record (reference);
      create table holder (identifier blob, token blob, primary key (identifier, token)) without rowid;
    `);
    const prepare = (sql: string): StatementSync => this.#database.prepare(sql);
    this.#addRecord = prepare('insert into record (token, reference) values (?, ?) on conflict do nothing');
    this.#addHolder = prepare('insert into holder values (?, ?) on conflict do nothing');
    this.#find = prepare('select reference, content from record where token = ? and removed = 0');
    this.#settle = prepare('update record set content = ? where token = ?');
    this.#remove = prepare('update record set removed = 1 where token = ?');
    this.#findHolders = prepare(
      'select reference from holder join record using (token) where identifier = ? and removed = 0 limit 2',
    );
    this.#findReference = prepare('select 1 from record where reference = ?');
  }

  token(text: string): Uint8Array {
    return createHmac('sha256', this.#key).update(text, 'utf8').digest().subarray(0, TOKEN_BYTES);
  }

  /** True the first time. */
  add(fullUrl: string, reference: string, identifiers: readonly string[]): boolean {
    const token = this.token(fullUrl);
    const isNew = this.#addRecord.run(token, reference).changes > 0;
    if (isNew) for (const each of identifiers) this.#addHolder.run(this.token(each), token);
    return isNew;
  }

  find(fullUrl: string): KnownRecord | undefined {
    return this.#find.get(this.token(fullUrl)) as KnownRecord | undefined;
  }

  settle(fullUrl: string, content: Uint8Array): void {
    this.#settle.run(content, this.token(fullUrl));
  }

  remove(fullUrl: string): void {
    this.#remove.run(this.token(fullUrl));
  }

  /** References of the records that hold an identifier: two at most, for two are too many already. */
  holders(identifier: string): readonly string[] {
    return this.#findHolders.all(this.token(identifier)).map((row) => String(row.reference));
  }

  /** Was there an entry whose record here is this one, stored or refused? */
  hasReference(reference: string): boolean {
    return this.#findReference.get(reference) !== undefined;
  }

  close(): void {
    this.#database.close();
  }
}
