/** Counted up with every change of the tables or of what is put into them: an index of another version is rebuilt. */
export const SCHEMA_VERSION = 2;

/**
 * - `entry`: current versions; `seq` is the version's place in the vault.
 * - `subject`: patients (local ids) whose records these are.
 * - `token`: keyed hashes of search values. `element` is 0, or numbers the elements of a composite.
 * - `gram`: beginnings and trigrams of a text, once for every different text of a parameter, as keyed hashes.
 * - `span`: dates in milliseconds and quantities, both ends. `parameter` may stand for a parameter and a unit.
 * - `link`: references to resources of this gateway.
 * - `held`: the tokens of an entry, so that they can be taken out again.
 */
export const SCHEMA = `
create table entry (seq integer primary key, type text not null, id text not null, time integer not null);
create unique index entry_identity on entry (type, id);
create index entry_type on entry (type, seq);
create index entry_time on entry (type, time);
create table subject (seq integer not null, patient text not null, primary key (seq, patient)) without rowid;
create index subject_patient on subject (patient, seq);
create table token (
  token blob not null, seq integer not null, element integer not null, primary key (token, seq, element)
) without rowid;
create table gram (gram blob not null, text blob not null, primary key (gram, text)) without rowid;
create index gram_text on gram (text);
create table span (
  seq integer not null, parameter integer not null, element integer not null, low real not null, high real not null,
  primary key (seq, parameter, element, low, high)
) without rowid;
create index span_low on span (parameter, low, high);
create index span_high on span (parameter, high, low);
create table link (
  seq integer not null, parameter integer not null, type text not null, id text not null,
  primary key (seq, parameter, type, id)
) without rowid;
create index link_target on link (parameter, id, type);
create table held (seq integer primary key, tokens blob not null, texts blob not null);
create table progress (name text primary key, seq integer not null) without rowid;
`;
