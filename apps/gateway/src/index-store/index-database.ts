import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { SCHEMA, SCHEMA_VERSION } from './index-schema.ts';
import type { SqlFragment } from './sql-fragment.ts';

/** Prepared statements that are kept: preparing costs more than most of our queries. */
const STATEMENTS_MAX = 512;
const BUSY_MS_MAX = 5_000;
/** Pages that the log collects before they go into the file: keyed hashes come in no order, so pages change again and again. */
const LOG_PAGES = 8_192;
/** Memory for pages of the file, in KiB. */
const CACHE_KIB = 64 * 1_024;

/**
 * The index's SQLite file. Directly, not through Kysely: a search runs several small queries and a write inserts some
 * dozens of rows, each of which costs less than composing it would (docs/decisions/0010).
 */
export class IndexDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @param path File, or `:memory:`. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: BUSY_MS_MAX });
    this.#database.exec('pragma journal_mode = wal');
    // A crash may lose the newest commits, never the file: the vault has them, and the index catches up.
    this.#database.exec('pragma synchronous = normal');
    this.#database.exec(`pragma wal_autocheckpoint = ${LOG_PAGES}`);
    this.#database.exec('pragma secure_delete = on');
    this.#database.exec('pragma temp_store = memory');
    this.#database.exec(`pragma cache_size = -${CACHE_KIB}`);
    this.#bringUp();
  }

  /** The index is derived: another shape drops everything and has it rebuilt. */
  #bringUp(): void {
    const version = this.#database.prepare('pragma user_version').get()?.user_version;
    if (version === SCHEMA_VERSION) return;
    const tables = this.#database
      .prepare(`select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'`)
      .all();
    for (const table of tables) this.#database.exec(`drop table "${table.name}"`);
    this.#database.exec(SCHEMA);
    this.#database.exec(`pragma user_version = ${SCHEMA_VERSION}`);
  }

  #statement(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known) {
      // Moved to the end: the map's order is the order of last use.
      this.#statements.delete(text);
      this.#statements.set(text, known);
      return known;
    }
    const statement = this.#database.prepare(text);
    this.#statements.set(text, statement);
    if (this.#statements.size > STATEMENTS_MAX) {
      const oldest = this.#statements.keys().next().value;
      if (oldest !== undefined) this.#statements.delete(oldest);
    }
    return statement;
  }

  run(text: string, ...values: readonly SQLInputValue[]): void {
    this.#statement(text).run(...values);
  }

  all<Row>({ text, values }: SqlFragment): readonly Row[] {
    return this.#statement(text).all(...values) as unknown as readonly Row[];
  }

  one<Row>({ text, values }: SqlFragment): Row | undefined {
    return this.#statement(text).get(...values) as unknown as Row | undefined;
  }

  /** All of the work or nothing of it. */
  transaction(work: () => void): void {
    this.run('begin immediate');
    try {
      work();
      this.run('commit');
    } catch (error) {
      this.run('rollback');
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}
