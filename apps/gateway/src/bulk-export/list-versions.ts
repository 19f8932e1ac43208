import { sql } from 'kysely';
import { subjectKey } from '../keystore/index.ts';
import type { Vault } from '../vault/index.ts';
import type { Item } from './export-store.ts';
import { LISTING_ROWS } from './limits.ts';

/** Which record versions an export looks at. */
export interface Listing {
  /** The last place in the vault when the export was asked for: what came later is the next export's. */
  readonly untilSeq: number;
  /** Milliseconds. With it, deletions since then are listed too. */
  readonly since?: number;
  /** Records of patients alone. */
  readonly ofPatients: boolean;
  /** Of these patients alone. */
  readonly patients?: ReadonlySet<string>;
}

/** One row that the listing found, before anybody asked whether the caller may see it. */
export interface Listed extends Item {
  readonly id: string;
}

export interface ListingStep {
  readonly listed: readonly Listed[];
  /** Where the next step goes on; absent after the last one. */
  readonly next?: number;
}

interface Row {
  readonly seq: number;
  readonly type: string;
  readonly id: string;
  readonly time: number;
  readonly deleted: 0 | 1;
  readonly owners: string;
}

const PATIENT_KEYS = String(subjectKey(''));

function isMeant(owners: readonly string[], { ofPatients, patients }: Listing): boolean {
  if (!ofPatients) return true;
  const ids = owners.filter((owner) => owner.startsWith(PATIENT_KEYS));
  return patients ? ids.some((owner) => patients.has(owner.slice(PATIENT_KEYS.length))) : ids.length > 0;
}

/**
 * One step of listing: the versions that were current at the vault's place `untilSeq`, whatever has been written
 * since. It reads no record, only rows that say nothing of a patient but their ids.
 */
export async function listVersions(vault: Vault, listing: Listing, after: number): Promise<ListingStep> {
  const { untilSeq, since } = listing;
  const rows = await sql<Row>`
    select v.seq, v.type, v.id, v.time, v.deleted, group_concat(k.key_name, ' ') as owners
    from (
      select seq, type, id, version, time, deleted from version
      where seq > ${after} and seq <= ${untilSeq} order by seq limit ${LISTING_ROWS}
    ) as v
    join version_key as k on k.seq = v.seq
    where not exists (
      select 1 from version as newer
      where newer.type = v.type and newer.id = v.id and newer.version > v.version and newer.seq <= ${untilSeq}
    )
    group by v.seq, v.type, v.id, v.time, v.deleted
    order by v.seq`.execute(vault.reader);
  const listed = rows.rows.flatMap(({ seq, type, id, time, deleted, owners }): readonly Listed[] => {
    const names = owners.split(' ');
    const isWanted = since === undefined ? deleted === 0 : time >= since;
    if (!isWanted || !isMeant(names, listing)) return [];
    return [{ seq, type, id, deleted, owner: names.sort()[0] ?? '' }];
  });
  const next = await stepEnd(vault, after, untilSeq);
  return { listed, ...(next === undefined ? {} : { next }) };
}

async function stepEnd(vault: Vault, after: number, untilSeq: number): Promise<number | undefined> {
  const row = await vault.reader
    .selectFrom('version')
    .select('seq')
    .where('seq', '>', after)
    .where('seq', '<=', untilSeq)
    .orderBy('seq')
    .offset(LISTING_ROWS - 1)
    .limit(1)
    .executeTakeFirst();
  return row?.seq;
}
