import type {
  CompositePart,
  Criterion,
  Selection,
  SpanComparison,
  Visibility,
  VisibleSubjects,
} from './search-plan.ts';
import { ALWAYS, allOf, anyOf, isOneOf, NEVER, name, type SqlFragment, sql } from './sql-fragment.ts';

type Range = Omit<SpanComparison, 'parameter'>;

/**
 * Compares an entry's span with what is asked for (FHIR R4, search, section 3.1.1.4.4). Bounds that follow from the
 * rule stand first, so that the indexes over low and high can be used.
 */
function comparison(low: SqlFragment, high: SqlFragment, { comparison: kind, ...range }: Range): SqlFragment {
  const within = sql`(${low} >= ${range.low} and ${low} <= ${range.high} and ${high} <= ${range.high})`;
  switch (kind) {
    case 'eq':
      return within;
    case 'ne':
      return sql`not ${within}`;
    case 'gt':
      return sql`${high} > ${range.high}`;
    case 'lt':
      return sql`${low} < ${range.low}`;
    case 'ge':
      return sql`(${high} >= ${range.low} and (${high} > ${range.high} or ${low} >= ${range.low}))`;
    case 'le':
      return sql`(${low} <= ${range.high} and (${low} < ${range.low} or ${high} <= ${range.high}))`;
    case 'sa':
      return sql`${low} > ${range.high}`;
    case 'eb':
      return sql`${high} < ${range.low}`;
    case 'ap':
      return sql`(${low} <= ${range.high} and ${high} >= ${range.low})`;
  }
}

function spanComparison(alias: SqlFragment, one: SpanComparison): SqlFragment {
  const compared = comparison(sql`${alias}.low`, sql`${alias}.high`, one);
  return sql`(${alias}.parameter = ${one.parameter} and ${compared})`;
}

/** The same for the spans of one entry. The plus keeps SQLite from walking along all spans of the parameter instead. */
function ownSpanComparison(alias: SqlFragment, one: SpanComparison): SqlFragment {
  const compared = comparison(sql`+${alias}.low`, sql`+${alias}.high`, one);
  return sql`(${alias}.parameter = ${one.parameter} and ${compared})`;
}

function linkTarget(
  alias: SqlFragment,
  { type, id }: { readonly type?: string; readonly id: string },
): SqlFragment {
  return type === undefined
    ? sql`${alias}.id = ${id}`
    : sql`(${alias}.id = ${id} and ${alias}.type = ${type})`;
}

/** Writes conditions; every entry of a nested selection gets an alias of its own. */
export class ConditionWriter {
  #aliases = 0;

  alias(): SqlFragment {
    this.#aliases += 1;
    return name(`e${this.#aliases}`);
  }

  /** Everything that an entry of a selection must meet, its type apart. */
  selection(selection: Selection, entry: SqlFragment): SqlFragment {
    const criteria = selection.criteria.map((criterion) => this.criterion(criterion, entry));
    return allOf([...criteria, this.visibility(selection.visibility, entry)]);
  }

  visibility(visibility: Visibility, entry: SqlFragment): SqlFragment {
    const subjects = subjectsCondition(visibility, entry);
    return visibility.granted ? allOf([subjects, this.#groups(visibility.granted, entry)]) : subjects;
  }

  #groups(groups: readonly (readonly Criterion[])[], entry: SqlFragment): SqlFragment {
    return anyOf(groups.map((criteria) => allOf(criteria.map((one) => this.criterion(one, entry)))));
  }

  criterion(criterion: Criterion, entry: SqlFragment): SqlFragment {
    switch (criterion.kind) {
      case 'tokens':
        return tokensCondition(criterion, entry);
      case 'grams':
        return sql`exists (select 1 from gram join token on token.token = gram.text and token.seq = ${entry}.seq where ${isOneOf(name('gram.gram'), criterion.any)})`;
      case 'span':
        return sql`exists (select 1 from span where span.seq = ${entry}.seq and ${anyOf(criterion.any.map((one) => ownSpanComparison(name('span'), one)))})`;
      case 'link':
        return sql`exists (select 1 from link where link.seq = ${entry}.seq and link.parameter = ${criterion.parameter} and ${anyOf(criterion.any.map((one) => linkTarget(name('link'), one)))})`;
      case 'ids':
        return isOneOf(sql`${entry}.id`, criterion.any);
      case 'last-updated':
        return anyOf(criterion.any.map((one) => comparison(sql`${entry}.time`, sql`${entry}.time`, one)));
      case 'composite':
        return sql`exists (${compositeQuery(criterion.parts, sql`${entry}.seq`)})`;
      case 'chain':
        return this.#chain(criterion, entry);
      case 'has':
        return this.#has(criterion, entry);
      case 'any':
        return this.#groups(criterion.groups, entry);
      case 'text':
        throw new Error('a text is looked up before the search');
    }
  }

  #chain({ parameter, target }: Extract<Criterion, { kind: 'chain' }>, entry: SqlFragment): SqlFragment {
    const at = this.alias();
    return sql`exists (select 1 from link cross join entry ${at} on ${at}.type = link.type and ${at}.id = link.id where link.seq = ${entry}.seq and link.parameter = ${parameter} and link.type = ${target.type} and ${this.selection(target, at)})`;
  }

  #has({ parameter, source }: Extract<Criterion, { kind: 'has' }>, entry: SqlFragment): SqlFragment {
    const at = this.alias();
    return sql`exists (select 1 from link cross join entry ${at} on ${at}.seq = link.seq where link.parameter = ${parameter} and link.id = ${entry}.id and link.type = ${entry}.type and ${this.selection(source, at)})`;
  }

  /**
   * The places of all entries that meet a criterion, found by an index and not by looking at every entry; undefined
   * where no index leads to them.
   */
  driver(criterion: Criterion, type: string): SqlFragment | undefined {
    switch (criterion.kind) {
      case 'tokens':
        return criterion.negate
          ? undefined
          : sql`select seq from token where ${isOneOf(name('token'), criterion.any)}`;
      case 'grams':
        return sql`select token.seq as seq from gram cross join token on token.token = gram.text where ${isOneOf(name('gram.gram'), criterion.any)}`;
      case 'span':
        return spanDriver(criterion.any);
      case 'link':
        return sql`select seq from link where link.parameter = ${criterion.parameter} and ${anyOf(criterion.any.map((one) => linkTarget(name('link'), one)))}`;
      case 'ids':
        return sql`select seq from entry where type = ${type} and ${isOneOf(name('id'), criterion.any)}`;
      case 'last-updated':
        return sql`select seq from entry where type = ${type} and ${anyOf(criterion.any.map((one) => comparison(name('time'), name('time'), one)))}`;
      case 'composite':
        return compositeQuery(criterion.parts);
      case 'chain':
        return this.#chainDriver(criterion);
      case 'has':
        return this.#hasDriver(criterion);
      case 'any':
        return this.#anyDriver(criterion.groups, type);
      default:
        return undefined;
    }
  }

  /** Every group must be easily found: then they are, together. */
  #anyDriver(groups: readonly (readonly Criterion[])[], type: string): SqlFragment | undefined {
    let union: SqlFragment | undefined;
    for (const group of groups) {
      const driver = this.#firstDriver(group, type);
      if (!driver) return undefined;
      union = union ? sql`${union} union ${driver}` : driver;
    }
    return union;
  }

  #firstDriver(criteria: readonly Criterion[], type: string): SqlFragment | undefined {
    for (const criterion of byLikelyFewest(criteria)) {
      const driver = this.driver(criterion, type);
      if (driver) return driver;
    }
    return undefined;
  }

  /** From what is referred to, if that is easily found, to what refers to it. */
  #chainDriver({ parameter, target }: Extract<Criterion, { kind: 'chain' }>): SqlFragment | undefined {
    const found = this.selectionDriver(target);
    if (!found) return undefined;
    const at = this.alias();
    return sql`select link.seq as seq from (${found}) as ${at}_found cross join entry ${at} on ${at}.seq = ${at}_found.seq cross join link on link.parameter = ${parameter} and link.id = ${at}.id and link.type = ${at}.type where ${at}.type = ${target.type} and ${this.selection(target, at)}`;
  }

  #hasDriver({ parameter, source }: Extract<Criterion, { kind: 'has' }>): SqlFragment | undefined {
    const found = this.selectionDriver(source);
    if (!found) return undefined;
    const at = this.alias();
    const referred = this.alias();
    return sql`select ${referred}.seq as seq from (${found}) as ${at}_found cross join entry ${at} on ${at}.seq = ${at}_found.seq cross join link on link.seq = ${at}.seq and link.parameter = ${parameter} cross join entry ${referred} on ${referred}.type = link.type and ${referred}.id = link.id where ${at}.type = ${source.type} and ${this.selection(source, at)}`;
  }

  /** The first criterion of a nested selection that an index leads to. */
  selectionDriver({ criteria, type, visibility }: Selection): SqlFragment | undefined {
    return this.#firstDriver(criteria, type) ?? subjectDriver(visibility);
  }
}

/** Which criteria usually leave the fewest entries. */
const LIKELY_FEWEST: readonly Criterion['kind'][] = [
  'ids',
  'link',
  'grams',
  'composite',
  'chain',
  'has',
  'tokens',
  'span',
  'last-updated',
];

export function byLikelyFewest(criteria: readonly Criterion[]): readonly Criterion[] {
  const rank = ({ kind }: Criterion): number => {
    const at = LIKELY_FEWEST.indexOf(kind);
    return at === -1 ? LIKELY_FEWEST.length : at;
  };
  return [...criteria].sort((left, right) => rank(left) - rank(right));
}

function tokensCondition(
  { any, negate }: { readonly any: readonly Uint8Array[]; readonly negate: boolean },
  entry: SqlFragment,
): SqlFragment {
  if (any.length === 0) return negate ? ALWAYS : NEVER;
  const found = sql`exists (select 1 from token where ${isOneOf(name('token.token'), any)} and token.seq = ${entry}.seq)`;
  return negate ? sql`not ${found}` : found;
}

/** `ne` holds for almost everything: no index leads to it. */
function spanDriver(any: readonly SpanComparison[]): SqlFragment | undefined {
  if (any.some((one) => one.comparison === 'ne')) return undefined;
  const [first, ...others] = any.map(
    (one) => sql`select seq from span where ${spanComparison(name('span'), one)}`,
  );
  if (!first) return undefined;
  return others.reduce((union, one) => sql`${union} union ${one}`, first);
}

function partCondition(part: CompositePart, alias: SqlFragment, compare: typeof spanComparison): SqlFragment {
  return part.kind === 'tokens'
    ? isOneOf(sql`${alias}.token`, part.any)
    : anyOf(part.any.map((one) => compare(alias, one)));
}

/** Entries with one element that meets all parts: of one entry, where a place is given. */
function compositeQuery(parts: readonly CompositePart[], seq?: SqlFragment): SqlFragment {
  const [first, ...others] = parts;
  if (!first) return sql`select seq from entry where ${NEVER}`;
  const table = (part: CompositePart): SqlFragment => name(part.kind === 'tokens' ? 'token' : 'span');
  let from = sql`${table(first)} p0`;
  const conditions = [partCondition(first, name('p0'), seq ? ownSpanComparison : spanComparison)];
  if (seq) conditions.push(sql`p0.seq = ${seq}`);
  others.forEach((part, index) => {
    const alias = name(`p${index + 1}`);
    from = sql`${from} cross join ${table(part)} ${alias} on ${alias}.seq = p0.seq and ${alias}.element = p0.element`;
    conditions.push(partCondition(part, alias, ownSpanComparison));
  });
  return sql`select p0.seq as seq from ${from} where ${allOf(conditions)}`;
}

function subjectsCondition(visible: VisibleSubjects, entry: SqlFragment): SqlFragment {
  if (visible.kind === 'all') return ALWAYS;
  const { patient, includeUnowned } = visible;
  const nobodyElse = sql`not exists (select 1 from subject where subject.seq = ${entry}.seq and subject.patient <> ${patient})`;
  if (includeUnowned) return nobodyElse;
  return sql`(exists (select 1 from subject where subject.seq = ${entry}.seq and subject.patient = ${patient}) and ${nobodyElse})`;
}

/** The records of the patient who alone may be seen. */
export function subjectDriver(visible: VisibleSubjects): SqlFragment | undefined {
  if (visible.kind === 'all' || visible.includeUnowned) return undefined;
  return sql`select seq from subject where patient = ${visible.patient}`;
}
