import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Kysely, sql, type Transaction } from 'kysely';
import { migrate, openSqlite } from '../vault/index.ts';
import { chunksOf } from '../vault/vault-rows.ts';
import { type IndexTables, indexMigrations } from './index-schema.ts';
import type { Page, SearchPlan, Visibility } from './search-plan.ts';
import { pageQuery, totalQuery } from './search-sql.ts';
import type { SearchValues } from './search-values.ts';

const INSERT_ROWS_MAX = 500;

/** What changed in the vault, for the index to follow. */
export interface IndexChange {
  /** The place in the vault of the version that is current now. */
  readonly seq: number;
  readonly type: string;
  readonly id: string;
  /** `meta.lastUpdated` in milliseconds. */
  readonly time: number;
  readonly deleted: boolean;
  readonly subjects: readonly string[];
  readonly values: SearchValues;
}

/** Places in the vault of what was found, in order. */
export interface Found {
  readonly seqs: readonly number[];
  /** Absent when the plan did not ask for it. */
  readonly total?: number;
  /** Where the next page begins; absent on the last. */
  readonly next?: Page;
}

/**
 * The search index of the current versions: derived from the vault, rebuilt when missing. It holds keyed tokens, dates
 * and local ids.
 */
export class IndexStore {
  readonly #db: Kysely<IndexTables>;

  private constructor(db: Kysely<IndexTables>) {
    this.#db = db;
  }

  static async open(folder: string): Promise<IndexStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return IndexStore.#openFile(join(folder, 'index.sqlite'));
  }

  /** An index that stands in no file. */
  static inMemory(): Promise<IndexStore> {
    return IndexStore.#openFile(':memory:');
  }

  static async #openFile(path: string): Promise<IndexStore> {
    const db = openSqlite<IndexTables>({ path, durability: 'derived' });
    await migrate(db, indexMigrations());
    return new IndexStore(db);
  }

  /** The highest place in the vault that this index has taken in. */
  async appliedSeq(): Promise<number> {
    const row = await this.#db.selectFrom('progress').select('seq').executeTakeFirst();
    return row?.seq ?? 0;
  }

  /** Takes in changes, in the vault's order. The same change twice is the same as once. */
  async apply(changes: readonly IndexChange[]): Promise<void> {
    if (changes.length === 0) return;
    const newest = new Map(changes.map((change) => [`${change.type}/${change.id}`, change]));
    const kept = [...newest.values()];
    await this.#db.transaction().execute(async (tx) => {
      for (const { type, id } of kept) await removeEntry(tx, type, id);
      await insertEntries(
        tx,
        kept.filter(({ deleted }) => !deleted),
      );
      const seq = Math.max(...changes.map((change) => change.seq));
      await tx
        .insertInto('progress')
        .values({ name: 'vault', seq })
        .onConflict((conflict) =>
          conflict.column('name').doUpdateSet({ seq: sql<number>`max(progress.seq, ${seq})` }),
        )
        .execute();
    });
  }

  async search(plan: SearchPlan): Promise<Found> {
    const total = plan.countTotal ? await totalQuery(this.#db, plan) : undefined;
    const totalField = total === undefined ? {} : { total };
    if (plan.countMax === 0) return { seqs: [], ...totalField };
    const rows = await pageQuery(this.#db, plan);
    const seqs = rows.slice(0, plan.countMax).map(({ seq }) => seq);
    const last = rows[plan.countMax - 1];
    if (rows.length <= plan.countMax || !last) return { seqs, ...totalField };
    return { seqs, ...totalField, next: { seq: last.seq, key: last.key } };
  }

  async close(): Promise<void> {
    await this.#db.destroy();
  }
}

/**
 * Would the caller see this, once it is stored? Asked of what is about to be written, in an index of its own, so that
 * granular scopes mean the same for what is written as for what is found.
 */
export async function wouldFind(change: IndexChange, visibility: Visibility): Promise<boolean> {
  const index = await IndexStore.inMemory();
  try {
    await index.apply([change]);
    const sort = { by: '_lastUpdated', descending: false } as const;
    const plan = { type: change.type, criteria: [], visibility, sort, countMax: 0, countTotal: true };
    return (await index.search(plan)).total === 1;
  } finally {
    await index.close();
  }
}

async function removeEntry(tx: Transaction<IndexTables>, type: string, id: string): Promise<void> {
  const entry = await tx
    .selectFrom('entry')
    .select('seq')
    .where('type', '=', type)
    .where('id', '=', id)
    .executeTakeFirst();
  if (!entry) return;
  await tx.deleteFrom('token').where('seq', '=', entry.seq).execute();
  await tx.deleteFrom('date').where('seq', '=', entry.seq).execute();
  await tx.deleteFrom('subject').where('seq', '=', entry.seq).execute();
  await tx.deleteFrom('entry').where('seq', '=', entry.seq).execute();
}

async function insertEntries(tx: Transaction<IndexTables>, changes: readonly IndexChange[]): Promise<void> {
  const entries = changes.map(({ seq, type, id, time }) => ({ seq, type, id, time }));
  const subjects = changes.flatMap(({ seq, subjects: ids }) => ids.map((patient) => ({ seq, patient })));
  const tokens = changes.flatMap(({ seq, values }) => values.tokens.map((token) => ({ token, seq })));
  const dates = changes.flatMap(({ seq, values }) =>
    values.dates.map(({ parameter, low, high }) => ({ seq, parameter, low, high })),
  );
  for (const chunk of chunksOf(entries, INSERT_ROWS_MAX))
    await tx.insertInto('entry').values(chunk).execute();
  for (const chunk of chunksOf(subjects, INSERT_ROWS_MAX))
    await tx.insertInto('subject').values(chunk).execute();
  for (const chunk of chunksOf(tokens, INSERT_ROWS_MAX)) await tx.insertInto('token').values(chunk).execute();
  for (const chunk of chunksOf(dates, INSERT_ROWS_MAX)) await tx.insertInto('date').values(chunk).execute();
}
