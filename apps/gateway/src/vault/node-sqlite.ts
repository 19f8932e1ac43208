import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { Kysely, SqliteDialect } from 'kysely';

/** Prepared statements that one connection keeps: preparing costs more than most of our queries. */
const STATEMENTS_MAX = 256;
/** Memory for pages of the file, in KiB. */
const CACHE_KIB = 32 * 1_024;
/** How long a connection waits for another one's lock, in milliseconds. */
const BUSY_MS_MAX = 5_000;

/** `full`: a commit is on the disk when it returns. `derived`: a crash may lose the newest commits, never the file. */
export type Durability = 'full' | 'derived';

export interface OpenSqliteOptions {
  /** File, or `:memory:`. */
  readonly path: string;
  readonly durability: Durability;
  readonly isReadOnly?: boolean;
}

interface PreparedStatement {
  readonly reader: boolean;
  all(parameters: readonly unknown[]): unknown[];
  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  iterate(parameters: readonly unknown[]): IterableIterator<unknown>;
}

function adaptStatement(statement: StatementSync): PreparedStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...(parameters as readonly SQLInputValue[])),
    run: (parameters) => statement.run(...(parameters as readonly SQLInputValue[])),
    iterate: (parameters) => statement.iterate(...(parameters as readonly SQLInputValue[])),
  };
}

/** The part of better-sqlite3's interface that Kysely's SQLite dialect asks for, over `node:sqlite`. */
class NodeSqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, PreparedStatement>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  prepare(sql: string): PreparedStatement {
    const known = this.#statements.get(sql);
    if (known) {
      // Moved to the end: the map's order is the order of last use.
      this.#statements.delete(sql);
      this.#statements.set(sql, known);
      return known;
    }
    const statement = adaptStatement(this.#database.prepare(sql));
    this.#statements.set(sql, statement);
    if (this.#statements.size > STATEMENTS_MAX) {
      const oldest = this.#statements.keys().next().value;
      if (oldest !== undefined) this.#statements.delete(oldest);
    }
    return statement;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}

/**
 * Opens an SQLite file through Kysely. Deleted content is overwritten (`secure_delete`), because a deleted row would
 * else stay readable in the file.
 */
export function openSqlite<Tables>(options: OpenSqliteOptions): Kysely<Tables> {
  const readOnly = options.isReadOnly ?? false;
  const database = new DatabaseSync(options.path, { readOnly, timeout: BUSY_MS_MAX });
  if (!readOnly) {
    database.exec('pragma journal_mode = wal');
    database.exec(`pragma synchronous = ${options.durability === 'full' ? 'full' : 'normal'}`);
    database.exec('pragma secure_delete = on');
  }
  database.exec('pragma foreign_keys = on');
  database.exec(`pragma cache_size = -${CACHE_KIB}`);
  database.exec('pragma temp_store = memory');
  return new Kysely<Tables>({ dialect: new SqliteDialect({ database: new NodeSqliteDatabase(database) }) });
}
