import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Kysely, type Selectable, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { migrate, openSqlite } from '../vault/index.ts';
import { FILE_RECORDS_MAX } from './limits.ts';

export type JobState = 'listing' | 'ready' | 'refused';

/** One export. It holds places in the vault, never bytes of a record. */
export interface JobTable {
  job: string;
  /** Who asked: organization, kind of caller, client or user id, and the token's patient; nobody else sees the job. */
  actor: string;
  state: JobState;
  /** The kick-off, sealed: a search or a Group may say something about a patient. */
  request: Uint8Array;
  created: number;
  expires: number;
  /** The highest place in the vault that the export looks at. */
  until_seq: number;
  /** Listing has come so far. */
  listed_seq: number;
}

/** One record version of a job. */
export interface ItemTable {
  job: string;
  /** 1 for a deletion after `_since`. */
  deleted: 0 | 1;
  type: string;
  /** Name of a key of one of its subjects: one patient's records stand together in a file. */
  owner: string;
  seq: number;
}

export interface ExportTables {
  job: JobTable;
  item: ItemTable;
}

export type Job = Selectable<JobTable>;
export type Item = Omit<ItemTable, 'job'>;

/** A file of a job: the `part`-th stretch of one type. */
export interface ExportFile {
  readonly deleted: 0 | 1;
  readonly type: string;
  /** From 0. */
  readonly part: number;
}

type Schema = Pick<Kysely<unknown>, 'schema'>;
const INSERT_ROWS_MAX = 500;

async function createTables({ schema }: Schema): Promise<void> {
  await schema
    .createTable('job')
    .addColumn('job', 'text', (column) => column.primaryKey())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('request', 'blob', (column) => column.notNull())
    .addColumn('created', 'integer', (column) => column.notNull())
    .addColumn('expires', 'integer', (column) => column.notNull())
    .addColumn('until_seq', 'integer', (column) => column.notNull())
    .addColumn('listed_seq', 'integer', (column) => column.notNull())
    .execute();
  await schema
    .createTable('item')
    .addColumn('job', 'text', (column) => column.notNull())
    .addColumn('deleted', 'integer', (column) => column.notNull())
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('item_place', ['job', 'deleted', 'type', 'owner', 'seq'])
    .execute();
}

function migrations(): Record<string, Migration> {
  return { '0001-exports': { up: createTables } };
}

/** The jobs of bulk exports and the record versions in each. They end with the job. */
export class ExportStore {
  readonly #db: Kysely<ExportTables>;

  private constructor(db: Kysely<ExportTables>) {
    this.#db = db;
  }

  /** Opens `exports.sqlite` in the vault's folder, or makes it: which records belong together is patient data. */
  static async open(folder: string): Promise<ExportStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const db = openSqlite<ExportTables>({ path: join(folder, 'exports.sqlite'), durability: 'full' });
    await migrate(db, migrations());
    return new ExportStore(db);
  }

  async add(job: Job): Promise<void> {
    await this.#db.insertInto('job').values(job).execute();
  }

  find(job: string): Promise<Job | undefined> {
    return this.#db.selectFrom('job').selectAll().where('job', '=', job).executeTakeFirst();
  }

  all(): Promise<readonly Job[]> {
    return this.#db.selectFrom('job').selectAll().orderBy('created').execute();
  }

  /** Adds what one step of listing found, and how far it came: both or neither. */
  async addItems(job: string, items: readonly Item[], listedSeq: number): Promise<void> {
    await this.#db.transaction().execute(async (tx) => {
      for (let start = 0; start < items.length; start += INSERT_ROWS_MAX) {
        const rows = items.slice(start, start + INSERT_ROWS_MAX).map((item) => ({ job, ...item }));
        await tx.insertInto('item').values(rows).execute();
      }
      await tx.updateTable('job').set({ listed_seq: listedSeq }).where('job', '=', job).execute();
    });
  }

  async setState(job: string, state: JobState): Promise<void> {
    await this.#db.updateTable('job').set({ state }).where('job', '=', job).execute();
  }

  async remove(job: string): Promise<void> {
    await this.#db.transaction().execute(async (tx) => {
      await tx.deleteFrom('item').where('job', '=', job).execute();
      await tx.deleteFrom('job').where('job', '=', job).execute();
    });
  }

  async count(job: string): Promise<number> {
    const row = await this.#db
      .selectFrom('item')
      .select((select) => select.fn.countAll<number>().as('count'))
      .where('job', '=', job)
      .executeTakeFirst();
    return row?.count ?? 0;
  }

  /** The files of a job, by type. */
  async files(job: string): Promise<readonly ExportFile[]> {
    const rows = await this.#db
      .selectFrom('item')
      .select(['deleted', 'type', (select) => select.fn.countAll<number>().as('count')])
      .where('job', '=', job)
      .groupBy(['deleted', 'type'])
      .orderBy('deleted')
      .orderBy('type')
      .execute();
    return rows.flatMap(({ deleted, type, count }) =>
      Array.from({ length: Math.ceil(count / FILE_RECORDS_MAX) }, (_, part) => ({ deleted, type, part })),
    );
  }

  /** Where a file begins, or `undefined` for one that the job does not have. */
  async startOf(job: string, { deleted, type, part }: ExportFile): Promise<Item | undefined> {
    return this.#db
      .selectFrom('item')
      .select(['deleted', 'type', 'owner', 'seq'])
      .where('job', '=', job)
      .where('deleted', '=', deleted)
      .where('type', '=', type)
      .orderBy('owner')
      .orderBy('seq')
      .offset(part * FILE_RECORDS_MAX)
      .limit(1)
      .executeTakeFirst();
  }

  /** Items from a place on, that place included, in the order of the file. */
  itemsFrom(job: string, from: Item, countMax: number): Promise<readonly Item[]> {
    return this.#db
      .selectFrom('item')
      .select(['deleted', 'type', 'owner', 'seq'])
      .where('job', '=', job)
      .where('deleted', '=', from.deleted)
      .where('type', '=', from.type)
      .where(sql<boolean>`(owner > ${from.owner} or (owner = ${from.owner} and seq >= ${from.seq}))`)
      .orderBy('owner')
      .orderBy('seq')
      .limit(countMax)
      .execute();
  }

  async close(): Promise<void> {
    await this.#db.destroy();
  }
}
