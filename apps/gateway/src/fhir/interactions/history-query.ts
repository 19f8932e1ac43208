import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely';
import type { DateRange } from '../../index-store/index.ts';
import type { VaultTables } from '../../vault/schema.ts';
import type { VaultReader, VersionRow } from '../../vault/vault-rows.ts';

/** Which versions a history is about. */
export interface HistoryFilter {
  /** Absent: of every type. */
  readonly types?: readonly string[];
  /** Absent: of every resource. */
  readonly id?: string;
  /** Milliseconds: versions from this instant on. */
  readonly since?: number;
  /** Versions that were current at some time in this range. */
  readonly at?: DateRange;
  /** Names of the keys that may wrap a version: versions that need any other are left out. */
  readonly keyNames?: readonly string[];
}

type Builder = ExpressionBuilder<VaultTables, 'version'>;

/** A version is current from its own time to that of the next one. */
function wasCurrent(builder: Builder, { low, high }: DateRange): readonly Expression<SqlBool>[] {
  const replacedBefore = builder
    .selectFrom('version as next')
    .select('next.seq')
    .whereRef('next.type', '=', 'version.type')
    .whereRef('next.id', '=', 'version.id')
    .where(sql<SqlBool>`next.version = version.version + 1`)
    .where('next.time', '<=', low);
  return [builder('version.time', '<=', high), builder.not(builder.exists(replacedBefore))];
}

function conditions(builder: Builder, filter: HistoryFilter): Expression<SqlBool> {
  const { types, id, since, at, keyNames } = filter;
  const all: Expression<SqlBool>[] = [];
  if (types) all.push(builder('version.type', 'in', types));
  if (id !== undefined) all.push(builder('version.id', '=', id));
  if (since !== undefined) all.push(builder('version.time', '>=', since));
  if (at) all.push(...wasCurrent(builder, at));
  if (keyNames) {
    const foreign = builder
      .selectFrom('version_key')
      .select('version_key.seq')
      .whereRef('version_key.seq', '=', 'version.seq')
      .where('version_key.key_name', 'not in', keyNames);
    all.push(builder.not(builder.exists(foreign)));
  }
  return builder.and(all);
}

/** Rows below a place in the vault, newest first. */
export function historyRows(
  reader: VaultReader,
  filter: HistoryFilter,
  page: { readonly below: number; readonly countMax: number },
): Promise<VersionRow[]> {
  const isOne = filter.id !== undefined;
  // A sum is in no index: of one record's versions there are few, and they are not looked for among all of their type.
  const seq = isOne ? sql<number>`version.seq + 0` : sql<number>`version.seq`;
  return reader
    .selectFrom('version')
    .selectAll('version')
    .where(seq, '<', page.below)
    .where((builder) => conditions(builder, filter))
    .orderBy(isOne ? 'version.version' : 'version.seq', 'desc')
    .limit(page.countMax)
    .execute();
}

export async function historyCount(reader: VaultReader, filter: HistoryFilter): Promise<number> {
  const row = await reader
    .selectFrom('version')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where((builder) => conditions(builder, filter))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}
