import type { DatabaseSync } from 'node:sqlite';

/** A file with another number is made anew: what is derived needs no migration. */
const FORMAT = 1;

const TABLES = `
  create table entry (
    sequence integer primary key, commitment blob not null, event text not null, time integer not null,
    counterpart_entry blob, must_acknowledge integer not null, anchored_in integer, acknowledged_in integer
  );
  create index entry_commitment on entry (commitment);
  create index entry_to_anchor on entry (sequence) where anchored_in is null;
  create index entry_to_acknowledge on entry (sequence) where must_acknowledge = 1 and acknowledged_in is null;
  create table subject (
    patient text not null, sequence integer not null, place integer not null, primary key (patient, sequence, place)
  ) without rowid;
  create index subject_entry on subject (sequence, place);
  create table batch (
    sequence integer primary key, list text not null, root blob not null, content blob not null, head blob not null,
    position integer
  );
  create index batch_root on batch (list, root);
  create index batch_to_land on batch (list, sequence) where position is null;
  create table progress (one integer primary key check (one = 1), length integer not null, head blob not null);`;

export function hasIndexTables(database: DatabaseSync): boolean {
  return database.prepare('pragma user_version').get()?.user_version === FORMAT;
}

/** Makes the index's tables, empty. */
export function remakeIndexTables(database: DatabaseSync): void {
  const tables = ['entry', 'subject', 'batch', 'progress'].map((name) => `drop table if exists ${name};`);
  database.exec(`begin; ${tables.join(' ')} ${TABLES} pragma user_version = ${FORMAT}; commit`);
}
