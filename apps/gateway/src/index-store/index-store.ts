import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { IndexDatabase } from './index-database.ts';
import {
  RECORDS_SORTED_MAX,
  type RecordTexts,
  SearchTooCostlyError,
  sortsByText,
  TEXTS_COMPARED_MAX,
  withSortedTexts,
  withTokens,
} from './record-texts.ts';
import type { Page, SearchPlan, Selection, TextCriterion, Visibility } from './search-plan.ts';
import { compareRows, FEW_MAX, type FoundRow, SearchRun } from './search-run.ts';
import { ConditionWriter } from './search-sql.ts';
import type { IndexedText, SearchValues } from './search-values.ts';
import { allOf, isOneOf, name, sql } from './sql-fragment.ts';
import { TOKEN_BYTES } from './tokenizer.ts';

/** Changes that are written down together: few enough that requests do not wait long for them. */
const WAITING_MAX = 128;
/** How long a change waits for others at most. */
const WAITING_MS_MAX = 100;

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
  /** Absent when the plan did not ask for it, or counting stopped at its bound. */
  readonly total?: number;
  /** Where the next page begins; absent on the last. */
  readonly next?: Page;
}

/** Rows in order, the first of which make a page. */
interface Rows {
  readonly rows: readonly FoundRow[];
  readonly total?: number;
}

/** A text of the index that may be what is looked for, and an entry that has it. */
interface CandidateText {
  readonly token: Uint8Array;
  readonly seq: number;
}

/** Which references are followed from some entries, and what of the other end may be seen. */
export interface LinkQuery {
  /** Places of the entries. */
  readonly from: readonly number[];
  /** Numbers of the reference parameters. */
  readonly parameters: readonly number[];
  /** The type at the other end, and what of it may be seen. */
  readonly type: string;
  readonly visibility: Visibility;
  /** `targets`: what the entries refer to; `sources`: what refers to them. */
  readonly direction: 'targets' | 'sources';
  readonly countMax: number;
}

/**
 * The search index of the current versions: derived from the vault, rebuilt when missing. It holds keyed tokens, dates,
 * numbers and local ids.
 */
export class IndexStore {
  readonly #database: IndexDatabase;
  readonly #fewMax: number;
  /** The newest change of each record that no transaction holds yet. */
  readonly #waiting = new Map<string, IndexChange>();
  #timer: NodeJS.Timeout | undefined;
  #hasFailed = false;
  #records: RecordTexts | undefined;

  private constructor(database: IndexDatabase, fewMax: number) {
    this.#database = database;
    this.#fewMax = fewMax;
  }

  static async open(folder: string): Promise<IndexStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new IndexStore(new IndexDatabase(join(folder, 'index.sqlite')), FEW_MAX);
  }

  /**
   * An index that stands in no file.
   * @param fewMax Entries that are sorted here instead of by the database.
   */
  static inMemory(fewMax: number = FEW_MAX): IndexStore {
    return new IndexStore(new IndexDatabase(':memory:'), fewMax);
  }

  /** Says where the records are read that decide about texts and their order. */
  readTextsFrom(records: RecordTexts): void {
    this.#records = records;
  }

  /** The highest place in the vault that this index has taken in. */
  async appliedSeq(): Promise<number> {
    this.#settle();
    return this.#database.one<{ seq: number }>(sql`select seq from progress`)?.seq ?? 0;
  }

  /**
   * Takes in changes, in the vault's order. The same change twice is the same as once. Every search from now on finds
   * by them; they are written down together with others, because a page of the file that several of them change is then
   * written once. A crash before that loses what the next start catches up with.
   *
   * @throws what the database throws, also of changes that were taken in before.
   */
  async apply(changes: readonly IndexChange[]): Promise<void> {
    for (const change of changes) this.#waiting.set(`${change.type}/${change.id}`, change);
    if (this.#hasFailed || this.#waiting.size >= WAITING_MAX) this.#settle();
    else if (this.#waiting.size > 0) this.#settleSoon();
  }

  #settleSoon(): void {
    this.#timer ??= setTimeout(() => {
      try {
        this.#settle();
      } catch {
        // They still wait: whoever asks or writes next tries again, and is told.
        this.#hasFailed = true;
      }
    }, WAITING_MS_MAX).unref();
  }

  /** Writes down what waits: before anything is read. */
  #settle(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    const changes = [...this.#waiting.values()];
    this.#database.transaction(() => {
      for (const change of changes) {
        this.#remove(change.type, change.id);
        if (!change.deleted) this.#insert(change);
      }
      const seq = Math.max(...changes.map((change) => change.seq));
      this.#database.run(
        `insert into progress (name, seq) values ('vault', ?) on conflict (name) do update set seq = max(seq, excluded.seq)`,
        seq,
      );
    });
    this.#waiting.clear();
    this.#hasFailed = false;
  }

  #insert({ seq, type, id, time, subjects, values }: IndexChange): void {
    const database = this.#database;
    database.run('insert into entry (seq, type, id, time) values (?, ?, ?, ?)', seq, type, id, time);
    for (const patient of new Set(subjects)) {
      database.run('insert into subject (seq, patient) values (?, ?)', seq, patient);
    }
    const texts = values.texts.map(({ token }) => token);
    for (const { token, element } of values.tokens) this.#insertToken(token, seq, element);
    for (const text of values.texts) this.#insertText(text, seq);
    for (const { parameter, element, low, high } of values.spans) {
      database.run(
        'insert or ignore into span (seq, parameter, element, low, high) values (?, ?, ?, ?, ?)',
        ...[seq, parameter, element, low, high],
      );
    }
    for (const { parameter, type: target, id: targetId } of values.links) {
      database.run(
        'insert or ignore into link (seq, parameter, type, id) values (?, ?, ?, ?)',
        seq,
        parameter,
        target,
        targetId,
      );
    }
    const tokens = Buffer.concat([...values.tokens.map(({ token }) => token), ...texts]);
    database.run('insert into held (seq, tokens, texts) values (?, ?, ?)', seq, tokens, Buffer.concat(texts));
  }

  #insertToken(token: Uint8Array, seq: number, element: number): void {
    this.#database.run(
      'insert or ignore into token (token, seq, element) values (?, ?, ?)',
      token,
      seq,
      element,
    );
  }

  /** A text's pieces stand in the index once, however many entries have the text. */
  #insertText({ token, pieces }: IndexedText, seq: number): void {
    this.#insertToken(token, seq, 0);
    if (this.#database.one(sql`select 1 from gram where text = ${token} limit 1`)) return;
    for (const piece of pieces()) {
      this.#database.run('insert or ignore into gram (gram, text) values (?, ?)', piece, token);
    }
  }

  #remove(type: string, id: string): void {
    const database = this.#database;
    const entry = database.one<{ seq: number; tokens: Uint8Array; texts: Uint8Array }>(
      sql`select entry.seq as seq, held.tokens as tokens, held.texts as texts from entry join held on held.seq = entry.seq where entry.type = ${type} and entry.id = ${id}`,
    );
    if (!entry) return;
    const { seq } = entry;
    for (const token of tokensIn(entry.tokens)) {
      database.run('delete from token where token = ? and seq = ?', token, seq);
    }
    for (const text of tokensIn(entry.texts)) {
      database.run(
        'delete from gram where text = ?1 and not exists (select 1 from token where token = ?1)',
        text,
      );
    }
    for (const table of ['span', 'link', 'subject', 'held', 'entry']) {
      database.run(`delete from ${table} where seq = ?`, seq);
    }
  }

  /**
   * Finds one page of a plan.
   * @throws {@link SearchTooCostlyError} when too many records would have to be opened for it.
   */
  async search(plan: SearchPlan): Promise<Found> {
    return cut(plan, await this.#find(plan));
  }

  /** Finds one page of plans for several types, which are sorted alike: by `_lastUpdated` or `_id`. */
  async searchTogether(plans: readonly SearchPlan[]): Promise<Found> {
    const [first] = plans;
    if (!first) return { seqs: [] };
    const found: Rows[] = [];
    for (const plan of plans) found.push(await this.#find(plan));
    const rows = found.flatMap((one) => one.rows).sort((left, right) => compareRows(left, right, first.sort));
    const totals = found.flatMap(({ total }) => total ?? []);
    const isCounted = totals.length === plans.length;
    const total = totals.reduce((sum, one) => sum + one, 0);
    return cut(first, { rows, ...(isCounted ? { total } : {}) });
  }

  async #find(plan: SearchPlan): Promise<Rows> {
    this.#settle();
    const asked = await withTokens(plan, this.#records, (criterion, selection) =>
      this.#candidateTexts(criterion, selection),
    );
    if (sortsByText(asked) && asked.countMax > 0) return this.#sortedByText(asked);
    const run = new SearchRun(this.#database, asked);
    const few = run.few(this.#fewMax);
    if (few) return after(asked, few);
    return { rows: asked.countMax === 0 ? [] : run.page(), ...this.#totalOf(asked, run) };
  }

  #totalOf({ countTotal, countedMax }: SearchPlan, run: SearchRun): { readonly total?: number } {
    if (!countTotal) return {};
    const total = run.total();
    return countedMax !== undefined && total > countedMax ? {} : { total };
  }

  async #sortedByText(plan: SearchPlan): Promise<Rows> {
    const rows = new SearchRun(this.#database, { ...plan, countTotal: false }).rows(RECORDS_SORTED_MAX);
    if (!rows) {
      throw new SearchTooCostlyError(
        `More than ${RECORDS_SORTED_MAX} records would have to be opened to sort them.`,
        'Narrow the search, or sort by _lastUpdated, _id, a date, a number or a quantity.',
      );
    }
    const sorted = [...(await withSortedTexts(plan, rows, this.#records))];
    return after(
      plan,
      sorted.sort((left, right) => compareRows(left, right, plan.sort)),
    );
  }

  /**
   * The texts that hold all pieces of what is looked for, each with one entry that the caller may see. At most so many
   * and one more.
   */
  async #candidateTexts(
    { grams, overflow }: TextCriterion,
    { type, visibility }: Selection,
  ): Promise<readonly CandidateText[]> {
    const [first, ...others] = grams;
    if (!first) return [];
    const visible = new ConditionWriter().visibility(visibility, name('e0'));
    const held = sql`(select token.seq from token cross join entry e0 on e0.seq = token.seq where token.token = texts.text and e0.type = ${type} and ${visible} limit 1)`;
    const rest = others.map(
      (gram) => sql`exists (select 1 from gram o where o.gram = ${gram} and o.text = gram.text)`,
    );
    const texts = sql`select gram.text as text from gram where gram.gram = ${first} and ${allOf(rest)} union select gram.text as text from gram where gram.gram = ${overflow}`;
    return this.#database.all<CandidateText>(
      sql`select token, seq from (select texts.text as token, ${held} as seq from (${texts}) as texts) where seq is not null limit ${TEXTS_COMPARED_MAX + 1}`,
    );
  }

  /** The entries at the other end of references, each once, in the vault's order. */
  async linked(query: LinkQuery): Promise<readonly number[]> {
    const { from, parameters, type, visibility, direction, countMax } = query;
    if (from.length === 0 || parameters.length === 0) return [];
    this.#settle();
    const visible = new ConditionWriter().visibility(visibility, name('e0'));
    const joins =
      direction === 'targets'
        ? sql`link cross join entry e0 on e0.type = link.type and e0.id = link.id where ${isOneOf(name('link.seq'), from)}`
        : sql`entry origin cross join link on link.id = origin.id and link.type = origin.type cross join entry e0 on e0.seq = link.seq where ${isOneOf(name('origin.seq'), from)}`;
    const rows = this.#database.all<{ seq: number }>(
      sql`select distinct e0.seq as seq from ${joins} and ${isOneOf(name('link.parameter'), parameters)} and e0.type = ${type} and ${visible} order by e0.seq limit ${countMax}`,
    );
    return rows.map(({ seq }) => seq);
  }

  /** Writes down what waits and closes the file. */
  async close(): Promise<void> {
    try {
      this.#settle();
    } finally {
      this.#database.close();
    }
  }
}

/** What follows `plan.after` in rows that are all there, in order. */
function after(plan: SearchPlan, rows: readonly FoundRow[]): Rows {
  const { after: last, sort } = plan;
  const rest = last ? rows.filter((row) => compareRows(row, last, sort) > 0) : rows;
  return { rows: rest, ...(plan.countTotal ? { total: rows.length } : {}) };
}

function cut({ countMax }: SearchPlan, { rows, ...total }: Rows): Found {
  const seqs = rows.slice(0, countMax).map(({ seq }) => seq);
  const last = rows[countMax - 1];
  return rows.length <= countMax || !last
    ? { seqs, ...total }
    : { seqs, ...total, next: { seq: last.seq, keys: last.keys } };
}

function* tokensIn(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += TOKEN_BYTES) yield bytes.slice(at, at + TOKEN_BYTES);
}

/**
 * Would the caller see this, once it is stored? Asked of what is about to be written, in an index of its own, so that
 * granular scopes mean the same for what is written as for what is found.
 */
export async function wouldFind(change: IndexChange, visibility: Visibility): Promise<boolean> {
  const index = IndexStore.inMemory();
  try {
    await index.apply([change]);
    const plan = { type: change.type, criteria: [], visibility, sort: [], countMax: 0, countTotal: true };
    return (await index.search(plan)).total === 1;
  } finally {
    await index.close();
  }
}
