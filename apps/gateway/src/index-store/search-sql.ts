import { type Expression, type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import { type DateRange, TIME_MAX, TIME_MIN } from './date-range.ts';
import type { IndexTables } from './index-schema.ts';
import type {
  Criterion,
  DateComparison,
  SearchPlan,
  SortOrder,
  Visibility,
  VisibleSubjects,
} from './search-plan.ts';

type Condition = RawBuilder<SqlBool>;

function any(conditions: readonly Condition[]): Condition {
  return conditions.length === 0 ? sql`1 = 0` : sql`(${sql.join(conditions, sql` or `)})`;
}

/** Compares the span `low..high` of an entry with the span asked for (FHIR R4, search, section 3.1.1.4.4). */
function comparison(
  low: RawBuilder<unknown>,
  high: RawBuilder<unknown>,
  kind: DateComparison,
  range: DateRange,
): Condition {
  const within = sql<SqlBool>`(${low} >= ${range.low} and ${high} <= ${range.high})`;
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
      return sql`(${high} > ${range.high} or ${within})`;
    case 'le':
      return sql`(${low} < ${range.low} or ${within})`;
    case 'sa':
      return sql`${low} > ${range.high}`;
    case 'eb':
      return sql`${high} < ${range.low}`;
    case 'ap':
      return sql`(${low} <= ${range.high} and ${high} >= ${range.low})`;
  }
}

function criterionCondition(criterion: Criterion): Condition {
  switch (criterion.kind) {
    case 'tokens': {
      const found = sql`entry.seq in (select seq from token where token in (${sql.join(criterion.any)}))`;
      if (criterion.any.length === 0) return criterion.negate ? sql`1 = 1` : sql`1 = 0`;
      return criterion.negate ? sql`not (${found})` : (found as Condition);
    }
    case 'date': {
      const compared = criterion.any.map((one) =>
        comparison(sql.ref('date.low'), sql.ref('date.high'), one.comparison, one.range),
      );
      return sql`exists (select 1 from date where date.seq = entry.seq and date.parameter = ${criterion.parameter} and ${any(compared)})`;
    }
    case 'ids':
      return criterion.any.length === 0 ? sql`1 = 0` : sql`entry.id in (${sql.join(criterion.any)})`;
    case 'last-updated':
      return any(
        criterion.any.map((one) =>
          comparison(sql.ref('entry.time'), sql.ref('entry.time'), one.comparison, one.range),
        ),
      );
  }
}

function visibilityCondition(visibility: Visibility): Condition {
  const { granted } = visibility;
  if (!granted) return subjectsCondition(visibility);
  const groups = granted.map(
    (criteria) => sql<SqlBool>`(${sql.join([sql`1 = 1`, ...criteria.map(criterionCondition)], sql` and `)})`,
  );
  return sql`(${subjectsCondition(visibility)} and ${any(groups)})`;
}

function subjectsCondition(visibility: VisibleSubjects): Condition {
  const owned = sql`select 1 from subject where subject.seq = entry.seq`;
  if (visibility.kind === 'all') return sql`1 = 1`;
  const { patient, includeUnowned } = visibility;
  const nobodyElse = sql<SqlBool>`not exists (${owned} and subject.patient <> ${patient})`;
  return includeUnowned
    ? nobodyElse
    : sql`(exists (${owned} and subject.patient = ${patient}) and ${nobodyElse})`;
}

/** What entries are sorted by. Those without the date come last in either direction. */
function sortKey(sort: SortOrder): RawBuilder<number> {
  if (sort.by === '_lastUpdated') return sql<number>`entry.seq`;
  const { date } = sort.by;
  const end = sort.descending ? sql`max(date.low)` : sql`min(date.low)`;
  const missing = sort.descending ? TIME_MIN : TIME_MAX;
  return sql<number>`coalesce((select ${end} from date where date.seq = entry.seq and date.parameter = ${date}), ${missing})`;
}

function conditionsOf(plan: SearchPlan): Condition {
  const all: Condition[] = [
    sql`entry.type = ${plan.type}`,
    visibilityCondition(plan.visibility),
    ...plan.criteria.map(criterionCondition),
  ];
  return sql`(${sql.join(all, sql` and `)})`;
}

/** Rows of one page and one more, which says whether another page follows. */
export async function pageQuery(
  db: Kysely<IndexTables>,
  plan: SearchPlan,
): Promise<readonly { readonly seq: number; readonly key: number }[]> {
  const key = sortKey(plan.sort);
  const direction = plan.sort.descending ? sql`desc` : sql`asc`;
  const beyond = plan.sort.descending ? sql`<` : sql`>`;
  const after: Expression<SqlBool> = plan.after
    ? sql`(sort_key ${beyond} ${plan.after.key} or (sort_key = ${plan.after.key} and seq > ${plan.after.seq}))`
    : sql`1 = 1`;
  const query = sql<{ seq: number; key: number }>`
    select seq, sort_key as key
    from (select entry.seq as seq, ${key} as sort_key from entry where ${conditionsOf(plan)}) as found
    where ${after}
    order by sort_key ${direction}, seq
    limit ${plan.countMax + 1}`;
  return (await query.execute(db)).rows;
}

/** How many entries the plan finds for this caller. */
export async function totalQuery(db: Kysely<IndexTables>, plan: SearchPlan): Promise<number> {
  const query = sql<{ total: number }>`select count(*) as total from entry where ${conditionsOf(plan)}`;
  return (await query.execute(db)).rows[0]?.total ?? 0;
}
