import { tombstoneLeafCodec, tombstoneLeafHash } from '@careledger/capabilities';
import { recordLeafCodec, recordLeafHash } from '@careledger/ledger';
import type { OrganizationId } from '@careledger/primitives';
import type { Kysely, Selectable, Transaction } from 'kysely';
import type { KeyName } from '../keystore/index.ts';
import { VaultError } from './errors.ts';
import type { WrappedKey } from './record-envelope.ts';
import type { DocumentTable, VaultTables, VersionTable } from './schema.ts';

export type VaultTransaction = Transaction<VaultTables>;
/** A connection or a transaction: what can be asked for rows. */
export type VaultReader = Kysely<VaultTables>;
export type VersionRow = Selectable<VersionTable>;
export type DocumentRow = Selectable<DocumentTable>;

/** Rows in one INSERT, and values in one IN: well below SQLite's 32,766 parameters. */
const INSERT_ROWS_MAX = 200;
const IN_VALUES_MAX = 1_000;

export function* chunksOf<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

export interface VersionToInsert {
  readonly row: VersionRow;
  readonly keys: readonly WrappedKey[];
  /** The secret of the version that this one retires. */
  readonly retires: Uint8Array | null;
  readonly document: DocumentRow | undefined;
}

/** Writes versions, their wrapped keys and their outbox rows: in one transaction, so that none is ever forgotten. */
export async function insertVersions(
  tx: VaultTransaction,
  versions: readonly VersionToInsert[],
  queued: number,
): Promise<void> {
  for (const chunk of chunksOf(versions, INSERT_ROWS_MAX)) {
    await tx
      .insertInto('version')
      .values(chunk.map(({ row }) => row))
      .execute();
    await tx
      .insertInto('outbox')
      .values(
        chunk.map(({ row, retires }) => ({ seq: row.seq, queued, retire_secret: retires, batch: null })),
      )
      .execute();
  }
  for (const { document } of versions) {
    if (document) await tx.insertInto('document').values(document).execute();
  }
  const keys = versions.flatMap(({ row, keys: wrapped }) =>
    wrapped.map((key) => ({ seq: row.seq, key_name: key.keyName, wrapped: key.wrapped })),
  );
  for (const chunk of chunksOf(keys, INSERT_ROWS_MAX)) {
    await tx.insertInto('version_key').values(chunk).execute();
  }
}

/** The wrapped data keys of these versions. */
export async function keysOf(
  reader: VaultReader,
  rows: readonly VersionRow[],
): Promise<ReadonlyMap<number, readonly WrappedKey[]>> {
  const keys = new Map<number, WrappedKey[]>();
  for (const chunk of chunksOf(rows, IN_VALUES_MAX)) {
    const seqs = chunk.map(({ seq }) => seq);
    const found = await reader.selectFrom('version_key').selectAll().where('seq', 'in', seqs).execute();
    for (const { seq, key_name, wrapped } of found) {
      const list = keys.get(seq) ?? [];
      list.push({ keyName: key_name as KeyName, wrapped });
      keys.set(seq, list);
    }
  }
  return keys;
}

/** RFC 9162 hash of the leaf in a row, or `undefined` when its bytes are no leaf. */
export function hashOfLeaf(row: VersionRow): Uint8Array | undefined {
  try {
    if (row.deleted === 1) return tombstoneLeafHash(tombstoneLeafCodec.decode(row.leaf));
    return recordLeafHash(recordLeafCodec.decode(row.leaf));
  } catch {
    return undefined;
  }
}

/** Adds to a counter and returns its new value. The row's lock puts transactions in one order. */
export async function drawCounter(tx: VaultTransaction, name: string, count: number): Promise<number> {
  const row = await tx
    .insertInto('counter')
    .values({ name, value: count })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet((set) => ({ value: set('counter.value', '+', count) })),
    )
    .returning('value')
    .executeTakeFirstOrThrow();
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
