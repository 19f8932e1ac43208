import type { OrganizationId } from '@careledger/primitives';
import type { Compilable, Kysely, Selectable, Transaction } from 'kysely';
import type { KeyName } from '../keystore/index.ts';
import { VaultError } from './errors.ts';
import { HotQuery } from './hot-query.ts';
import type { PriorityClass } from './priority-class.ts';
import type { WrappedKey } from './record-envelope.ts';
import type {
  CounterTable,
  DocumentTable,
  OutboxTable,
  VaultTables,
  VersionKeyTable,
  VersionTable,
} from './schema.ts';

export type VaultTransaction = Transaction<VaultTables>;
/** A connection or a transaction: what can be asked for rows. */
export type VaultReader = Kysely<VaultTables>;
export type VersionRow = Selectable<VersionTable>;
/** Names a record: {@link VersionRow}s of one key are its versions. */
export interface RecordKey {
  readonly type: string;
  readonly id: string;
}

export type DocumentRow = Selectable<DocumentTable>;

/** An interface's fields as a record of values. */
type Fields<Of> = { readonly [Name in keyof Of]: Of[Name] };

/** Values in one IN: well below SQLite's 32,766 parameters. */
const IN_VALUES_MAX = 1_024;

export function* chunksOf<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

export interface VersionToInsert {
  readonly row: VersionRow;
  readonly keys: readonly WrappedKey[];
  /** The secret of the version that this one retires. */
  readonly retires: Uint8Array | null;
  readonly document: DocumentRow | undefined;
  readonly priority: PriorityClass;
}

const VERSION_COLUMNS = [
  ...([
    'seq',
    'type',
    'id',
    'version',
    'time',
    'deleted',
    'current',
    'actor',
    'validation',
    'validator',
  ] as const),
  ...(['leaf', 'leaf_hash', 'envelope', 'batch', 'leaf_proof'] as const),
] satisfies readonly (keyof VersionTable)[];

const insertVersion = new HotQuery<VaultTables, Fields<VersionRow>>(VERSION_COLUMNS, (db, row) =>
  db.insertInto('version').values(row),
);
const insertOutbox = new HotQuery<VaultTables, Fields<Omit<Selectable<OutboxTable>, 'batch'>>>(
  ['seq', 'queued', 'retire_secret', 'priority'],
  (db, row) => db.insertInto('outbox').values({ ...row, batch: null }),
);
const insertKey = new HotQuery<VaultTables, Fields<VersionKeyTable>>(
  ['seq', 'key_name', 'wrapped'],
  (db, row) => db.insertInto('version_key').values(row),
);

/** Writes versions, their wrapped keys and their outbox rows: in one transaction, so that none is ever forgotten. */
export async function insertVersions(
  tx: VaultTransaction,
  versions: readonly VersionToInsert[],
  queued: number,
): Promise<void> {
  for (const { row, keys, retires, document, priority } of versions) {
    const { seq } = row;
    await insertVersion.run(tx, row);
    await insertOutbox.run(tx, { seq, queued, retire_secret: retires, priority });
    if (document) await tx.insertInto('document').values(document).execute();
    for (const { keyName, wrapped } of keys) await insertKey.run(tx, { seq, key_name: keyName, wrapped });
  }
}

const markReplaced = new HotQuery<VaultTables, { readonly seq: number }>(['seq'], (db, { seq }) =>
  db.updateTable('version').set({ current: 0 }).where('seq', '=', seq),
);

/** A version that a newer one replaces is current no more. */
export async function replaceVersion(tx: VaultTransaction, seq: number): Promise<void> {
  await markReplaced.run(tx, { seq });
}

const setBatch = new HotQuery<VaultTables, Fields<Pick<VersionRow, 'seq' | 'batch' | 'leaf_proof'>>>(
  ['seq', 'batch', 'leaf_proof'],
  (db, { seq, batch, leaf_proof }) =>
    db.updateTable('version').set({ batch, leaf_proof }).where('seq', '=', seq),
);

/** Writes down which anchor batch holds a version's leaf, and the proof that it does. */
export async function recordBatch(
  tx: VaultTransaction,
  {
    seq,
    batch,
    leafProof,
  }: { readonly seq: number; readonly batch: number; readonly leafProof: Uint8Array | null },
): Promise<void> {
  await setBatch.run(tx, { seq, batch, leaf_proof: leafProof });
}

const selectCurrent = new HotQuery<VaultTables, Fields<RecordKey>, VersionRow>(
  ['type', 'id'],
  (db, { type, id }) =>
    db
      .selectFrom('version')
      .selectAll()
      .where('type', '=', type)
      .where('id', '=', id)
      .orderBy('version', 'desc')
      .limit(1),
);

/** The newest version of a record, a deletion included. */
export async function currentRow(
  reader: VaultReader,
  { type, id }: RecordKey,
): Promise<VersionRow | undefined> {
  const [row] = await selectCurrent.run(reader, { type, id });
  return row;
}

const selectVersion = new HotQuery<VaultTables, Fields<RecordKey & { version: number }>, VersionRow>(
  ['type', 'id', 'version'],
  (db, { type, id, version }) =>
    db
      .selectFrom('version')
      .selectAll()
      .where('type', '=', type)
      .where('id', '=', id)
      .where('version', '=', version),
);

/** One version of a record. */
export async function versionRow(
  reader: VaultReader,
  { type, id, version }: RecordKey & { readonly version: number },
): Promise<VersionRow | undefined> {
  const [row] = await selectVersion.run(reader, { type, id, version });
  return row;
}

/** Queries with lists of one length each: lists are filled up to a power of two, so that there are few. */
class ListQueries<Row> {
  readonly #bySize = new Map<number, HotQuery<VaultTables, Readonly<Record<string, number>>, Row>>();
  readonly #compose: (db: VaultReader, seqs: readonly number[]) => Compilable<Row>;

  constructor(compose: (db: VaultReader, seqs: readonly number[]) => Compilable<Row>) {
    this.#compose = compose;
  }

  async run(reader: VaultReader, seqs: readonly number[]): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for (const chunk of chunksOf(seqs, IN_VALUES_MAX)) {
      const size = 2 ** Math.ceil(Math.log2(chunk.length));
      const last = chunk.at(-1) ?? 0;
      const given = Array.from({ length: size }, (_, at) => [String(at), chunk[at] ?? last] as const);
      rows.push(...(await this.#ofSize(size).run(reader, Object.fromEntries(given))));
    }
    return rows;
  }

  #ofSize(size: number): HotQuery<VaultTables, Readonly<Record<string, number>>, Row> {
    let query = this.#bySize.get(size);
    if (!query) {
      const names = Array.from({ length: size }, (_, at) => String(at));
      query = new HotQuery(names, (db, given) => this.#compose(db, Object.values(given)));
      this.#bySize.set(size, query);
    }
    return query;
  }
}

const selectKeys = new ListQueries((db, seqs) =>
  db.selectFrom('version_key').selectAll().where('seq', 'in', seqs),
);
const selectVersions = new ListQueries((db, seqs) =>
  db.selectFrom('version').selectAll().where('seq', 'in', seqs),
);

/** Versions by their place in the vault, in any order. */
export function rowsAt(reader: VaultReader, seqs: readonly number[]): Promise<readonly VersionRow[]> {
  return selectVersions.run(reader, seqs);
}

/** The wrapped data keys of these versions. */
export async function keysOf(
  reader: VaultReader,
  rows: readonly VersionRow[],
): Promise<ReadonlyMap<number, readonly WrappedKey[]>> {
  const keys = new Map<number, WrappedKey[]>();
  const found = await selectKeys.run(
    reader,
    rows.map(({ seq }) => seq),
  );
  for (const { seq, key_name, wrapped } of found) {
    const list = keys.get(seq) ?? [];
    list.push({ keyName: key_name as KeyName, wrapped });
    keys.set(seq, list);
  }
  return keys;
}

const selectLivePatient = new HotQuery<VaultTables, { readonly id: string }, { readonly id: string }>(
  ['id'],
  (db, { id }) =>
    db
      .selectFrom('version')
      .select('id')
      .where('type', '=', 'Patient')
      .where('id', '=', id)
      .where('current', '=', 1)
      .where('deleted', '=', 0),
);

/** Which of these patients have a record that is not deleted. */
export async function livePatientsAmong(
  reader: VaultReader,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const live = new Set<string>();
  for (const one of ids) for (const { id } of await selectLivePatient.run(reader, { id: one })) live.add(id);
  return live;
}

const addToCounter = new HotQuery<
  VaultTables,
  { readonly name: string; readonly count: number },
  Pick<CounterTable, 'value'>
>(['name', 'count'], (db, { name, count }) =>
  db
    .insertInto('counter')
    .values({ name, value: count })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet((set) => ({ value: set('counter.value', '+', count) })),
    )
    .returning('value'),
);

/** Adds to a counter and returns its new value. The row's lock puts transactions in one order. */
export async function drawCounter(tx: VaultTransaction, name: string, count: number): Promise<number> {
  const [row] = await addToCounter.run(tx, { name, count });
  if (!row) throw new VaultError('vault/failed', 'a counter was not drawn');
  return row.value;
}

/** Says whose vault this is, once. @throws {@link VaultError} when it is another organization's. */
export async function claimVault(db: VaultReader, organization: OrganizationId): Promise<void> {
  await db
    .insertInto('property')
    .values({ name: 'organization', value: organization })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const row = await db
    .selectFrom('property')
    .select('value')
    .where('name', '=', 'organization')
    .executeTakeFirstOrThrow();
  if (row.value !== organization) {
    throw new VaultError('vault/other-organization', 'this vault belongs to another organization');
  }
}
