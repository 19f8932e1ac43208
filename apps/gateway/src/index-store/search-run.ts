import type { IndexDatabase } from './index-database.ts';
import type { Criterion, Page, SearchPlan, SortBy, SortKey, SortValues } from './search-plan.ts';
import { byLikelyFewest, ConditionWriter, subjectDriver } from './search-sql.ts';
import { ALWAYS, allOf, anyOf, joined, name, type SqlFragment, sql } from './sql-fragment.ts';

/** An entry that was found, with what it is sorted by. */
export interface FoundRow {
  readonly seq: number;
  readonly keys: SortValues;
}

/** So many entries are fetched at once and sorted here; of more, the page alone is fetched. */
export const FEW_MAX = 1_000;
/** A criterion that leaves so few needs no comparison with the others. */
const VERY_FEW = 32;
/** Criteria that are counted to find the one to begin with. */
const PROBES_MAX = 6;

interface Row {
  readonly seq: number;
  readonly [key: `k${number}`]: number | string | null;
}

/** What an entry is sorted by; null where it has none. */
function sortValue({ by, descending }: SortKey, entry: SqlFragment): SqlFragment {
  if (by === '_lastUpdated') return sql`${entry}.seq`;
  if (by === '_id') return sql`${entry}.id`;
  // Filled in from the records, once it is known which.
  if ('text' in by) return name('null');
  const end = name(descending ? 'max' : 'min');
  return sql`(select ${end}(span.low) from span where span.seq = ${entry}.seq and span.parameter = ${by.span} and span.element = 0)`;
}

function compareValues(
  left: number | string | null,
  right: number | string | null,
  descending: boolean,
): number {
  if (left === right) return 0;
  // Entries without the value come last in either direction.
  if (left === null) return 1;
  if (right === null) return -1;
  return left < right === descending ? 1 : -1;
}

/** Orders what was found; entries that agree in all keys keep the vault's order. */
export function compareRows(left: FoundRow, right: FoundRow, sort: readonly SortKey[]): number {
  for (const [index, { descending }] of sort.entries()) {
    const order = compareValues(left.keys[index] ?? null, right.keys[index] ?? null, descending);
    if (order !== 0) return order;
  }
  return isReversed(sort) ? right.seq - left.seq : left.seq - right.seq;
}

/** The last order is the vault's, forwards or backwards as the first key goes. */
function isReversed([first]: readonly SortKey[]): boolean {
  return first?.descending ?? false;
}

/** One search in the index: chooses where to begin, so that neither few among many nor many are slow to find. */
export class SearchRun {
  readonly #database: IndexDatabase;
  readonly #plan: SearchPlan;
  readonly #writer = new ConditionWriter();

  constructor(database: IndexDatabase, plan: SearchPlan) {
    this.#database = database;
    this.#plan = plan;
  }

  /** Every entry that is found, in order, where they are at most so many; undefined where they are more. */
  few(countMax: number): readonly FoundRow[] | undefined {
    const { sort } = this.#plan;
    const from = this.#fewestDriver(countMax);
    if (!from) return undefined;
    const keys = joined(
      [
        name('e0.seq as seq'),
        ...sort.map((key, index) => sql`${sortValue(key, name('e0'))} as ${name(`k${index}`)}`),
      ],
      ', ',
    );
    const rows = this.#database.all<Row>(
      sql`select distinct ${keys} from (${from}) as found cross join entry e0 on e0.seq = found.seq where ${this.#conditions()}`,
    );
    return rows.map((row) => this.#found(row)).sort((left, right) => compareRows(left, right, sort));
  }

  /** {@link few}, also where no criterion alone leaves few. Undefined where more are found. */
  rows(countMax: number): readonly FoundRow[] | undefined {
    const few = this.few(countMax);
    if (few) return few;
    const rows = this.#sortedPage(countMax + 1);
    return rows.length > countMax ? undefined : rows;
  }

  #found(row: Row): FoundRow {
    return { seq: row.seq, keys: this.#plan.sort.map((_key, index) => row[`k${index}`] ?? null) };
  }

  #conditions(): SqlFragment {
    return allOf([sql`e0.type = ${this.#plan.type}`, this.#writer.selection(this.#plan, name('e0'))]);
  }

  /** The criterion that leaves the fewest entries, if they are few. */
  #fewestDriver(countMax: number): SqlFragment | undefined {
    const { criteria, type, visibility } = this.#plan;
    const drivers = byLikelyFewest(criteria).flatMap(
      (one: Criterion) => this.#writer.driver(one, type) ?? [],
    );
    const own = subjectDriver(visibility);
    const everything = sql`select seq from entry where type = ${type}`;
    let fewest: SqlFragment | undefined;
    let least = countMax + 1;
    for (const driver of [...(own ? [own] : []), ...drivers.slice(0, PROBES_MAX), everything]) {
      const count = this.#count(driver, least);
      if (count >= least) continue;
      fewest = driver;
      least = count;
      if (count <= VERY_FEW) break;
    }
    return fewest;
  }

  #count(query: SqlFragment, countMax: number): number {
    const counted = sql`select count(*) as total from (${query} limit ${countMax})`;
    return this.#database.one<{ total: number }>(counted)?.total ?? 0;
  }

  /** How many entries are found, counted up to a bound. */
  total(): number {
    const { countedMax } = this.#plan;
    const found = sql`select e0.seq from ${this.#inOrder()} where ${this.#conditions()}`;
    return this.#count(found, countedMax === undefined ? -1 : countedMax + 1);
  }

  /** Entries in the vault's order: those of one token where a single one is asked for, else those of the type. */
  #inOrder(): SqlFragment {
    for (const criterion of this.#plan.criteria) {
      if (criterion.kind !== 'tokens' || criterion.negate || criterion.any.length !== 1) continue;
      const token = criterion.any[0] ?? new Uint8Array();
      return sql`(select seq from token where token = ${token} and element = 0) as found cross join entry e0 on e0.seq = found.seq`;
    }
    return sql`entry e0`;
  }

  /** The entries of one page and one more, which says whether another page follows. */
  page(): readonly FoundRow[] {
    const { sort } = this.#plan;
    const [first, ...others] = sort;
    if (!first || first.by === '_lastUpdated') return this.#vaultPage(first?.descending ?? false);
    if (others.length === 0 && typeof first.by === 'object') return this.#spanPage(first);
    return this.#sortedPage(this.#limit());
  }

  #limit(): number {
    return this.#plan.countMax + 1;
  }

  #vaultPage(descending: boolean): readonly FoundRow[] {
    const { after, sort } = this.#plan;
    const direction = name(descending ? 'desc' : 'asc');
    const beyond = name(descending ? '<' : '>');
    const rest = after ? sql`e0.seq ${beyond} ${after.seq}` : ALWAYS;
    const from = this.#inOrder();
    const order = from.values.length === 0 ? name('e0.seq') : name('found.seq');
    const rows = this.#database.all<Row>(
      sql`select e0.seq as seq from ${from} where ${rest} and ${this.#conditions()} order by ${order} ${direction} limit ${this.#limit()}`,
    );
    return rows.map(({ seq }) => ({ seq, keys: sort.map(() => seq) }));
  }

  /** Walks along the index of the spans, then through the entries that have none. */
  #spanPage(key: SortKey): readonly FoundRow[] {
    const { after } = this.#plan;
    const withSpan = after && after.keys[0] === null ? [] : this.#spanRows(key, after);
    const rest = this.#limit() - withSpan.length;
    return rest > 0 ? [...withSpan, ...this.#spanless(key, after, rest)] : withSpan;
  }

  #spanRows({ by, descending }: SortKey, after: Page | undefined): readonly FoundRow[] {
    const parameter = spanOf(by);
    const [beyond, direction] = [name(descending ? '<' : '>'), name(descending ? 'desc' : 'asc')];
    const low = after?.keys[0];
    const rest =
      after && low !== undefined && low !== null
        ? sql`s.low ${beyond}= ${low} and (s.low ${beyond} ${low} or s.seq ${beyond} ${after.seq})`
        : ALWAYS;
    // Of several spans of one entry the first in this order is its key.
    const isFirst = sql`not exists (select 1 from span o where o.seq = s.seq and o.parameter = s.parameter and o.element = 0 and ((o.low ${descending ? name('>') : name('<')} s.low) or (o.low = s.low and o.high < s.high)))`;
    const rows = this.#database.all<{ readonly seq: number; readonly low: number }>(
      sql`select s.seq as seq, s.low as low from span s indexed by span_low cross join entry e0 on e0.seq = s.seq where s.parameter = ${parameter} and s.element = 0 and ${rest} and ${isFirst} and ${this.#conditions()} order by s.low ${direction}, s.seq ${direction} limit ${this.#limit()}`,
    );
    return rows.map(({ seq, low: value }) => ({ seq, keys: [value] }));
  }

  #spanless({ by, descending }: SortKey, after: Page | undefined, limit: number): readonly FoundRow[] {
    const [beyond, direction] = [name(descending ? '<' : '>'), name(descending ? 'desc' : 'asc')];
    const rest = after && after.keys[0] === null ? sql`e0.seq ${beyond} ${after.seq}` : ALWAYS;
    const none = sql`not exists (select 1 from span s where s.seq = e0.seq and s.parameter = ${spanOf(by)} and s.element = 0)`;
    const rows = this.#database.all<{ readonly seq: number }>(
      sql`select e0.seq as seq from entry e0 where ${rest} and ${none} and ${this.#conditions()} order by e0.seq ${direction} limit ${limit}`,
    );
    return rows.map(({ seq }) => ({ seq, keys: [null] }));
  }

  /** Any other order: all that is found is sorted. */
  #sortedPage(limit: number): readonly FoundRow[] {
    const { sort, after } = this.#plan;
    const keys = sort.map((key, index) => sql`${sortValue(key, name('e0'))} as ${name(`k${index}`)}`);
    const order = [
      ...sort.map(({ descending }, index) => name(`k${index} ${descending ? 'desc' : 'asc'} nulls last`)),
      name(isReversed(sort) ? 'seq desc' : 'seq asc'),
    ];
    const rows = this.#database.all<Row>(
      sql`select * from (select e0.seq as seq, ${joined(keys, ', ')} from ${this.#inOrder()} where ${this.#conditions()}) where ${after ? beyondPage(sort, after) : ALWAYS} order by ${joined(order, ', ')} limit ${limit}`,
    );
    return rows.map((row) => this.#found(row));
  }
}

function spanOf(by: SortBy): number {
  if (typeof by === 'object' && 'span' in by) return by.span;
  throw new Error('only spans are sorted by their index');
}

/** What comes after a page's last entry: later in some key and equal in those before it. */
function beyondPage(sort: readonly SortKey[], after: Page): SqlFragment {
  const equal: SqlFragment[] = [];
  const beyond: SqlFragment[] = [];
  for (const [index, { descending }] of sort.entries()) {
    const key = name(`k${index}`);
    const value = after.keys[index] ?? null;
    if (value !== null) {
      const later = sql`(${key} ${name(descending ? '<' : '>')} ${value} or ${key} is null)`;
      beyond.push(allOf([...equal, later]));
    }
    equal.push(sql`${key} is ${value}`);
  }
  beyond.push(allOf([...equal, sql`seq ${name(isReversed(sort) ? '<' : '>')} ${after.seq}`]));
  return anyOf(beyond);
}
