import type { Criterion, SearchPlan, SortKey } from '../index-store/index.ts';
import { invalidParameter } from './fhir-error.ts';
import { refuseUnanswered } from './search/criteria.ts';
import { conditionOf } from './search/hops.ts';
import { type Include, includeOf } from './search/includes.ts';
import {
  ALTERNATIVES_TOTAL_MAX,
  COUNTED_MAX,
  CRITERIA_MAX,
  HOPS_TOTAL_MAX,
  INCLUDES_MAX,
  PAGE_DEFAULT,
  PAGE_MAX,
  TEXTS_MAX,
} from './search/limits.ts';
import { type Parameter, type SearchContext, sayable, splitValue } from './search/search-context.ts';
import { sortKeys } from './search/sort.ts';

export { ALTERNATIVES_MAX, CRITERIA_MAX, PAGE_DEFAULT, PAGE_MAX } from './search/limits.ts';
export type { SearchContext } from './search/search-context.ts';

export interface ParsedSearch {
  readonly plan: SearchPlan;
  /** Parameters that this server does not know, in the order they came. */
  readonly unknown: readonly string[];
  readonly includes: readonly Include[];
}

/** Parameters about the answer's form, not about what is searched. */
export const ANSWER_SHAPE: ReadonlySet<string> = new Set(['_format', '_pretty', '_summary', '_elements']);

function countOf(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw invalidParameter('_count', '_count is not a number.');
  return Math.min(Number(value), PAGE_MAX);
}

interface PlanParts {
  criteria: Criterion[];
  hops: number;
  alternatives: number;
  unknown: string[];
  includes: Include[];
  countMax: number;
  total: 'none' | 'estimate' | 'accurate';
  sort: readonly SortKey[];
}

function totalOf(value: string): PlanParts['total'] {
  if (value === 'none' || value === 'estimate' || value === 'accurate') return value;
  throw invalidParameter('_total', '_total is none, estimate or accurate.');
}

/** Parameters about which of the matches are answered, and how. False when the name is none of them. */
function takeAnswerParameter(parts: PlanParts, type: string, [name, value]: Parameter): boolean {
  switch (name) {
    case '_count':
      parts.countMax = countOf(value);
      return true;
    case '_sort':
      parts.sort = sortKeys(type, value);
      return true;
    case '_total':
      parts.total = totalOf(value);
      return true;
    case '_summary':
      if (value === 'count') parts.countMax = 0;
      return true;
    case '_cursor':
      return true;
    default:
      return ANSWER_SHAPE.has(name);
  }
}

function takeParameter(parts: PlanParts, type: string, parameter: Parameter, context: SearchContext): void {
  const [name] = parameter;
  if (takeAnswerParameter(parts, type, parameter)) return;
  const include = includeOf([type], parameter);
  if (include) {
    parts.includes.push(include);
    return;
  }
  refuseUnanswered(name);
  const found = conditionOf(type, parameter, context);
  if (!found) {
    parts.unknown.push(name);
    return;
  }
  parts.criteria.push(found.criterion);
  parts.hops += found.hops;
  parts.alternatives += splitValue(parameter[1], ',').length;
}

/** Texts in a condition, at every hop, that records are opened for. */
function textsIn(criteria: readonly Criterion[]): number {
  return criteria.reduce((sum, criterion) => {
    switch (criterion.kind) {
      case 'text':
        return sum + 1;
      case 'any':
        return sum + textsIn(criterion.groups.flat());
      case 'chain':
        return sum + textsIn(criterion.target.criteria);
      case 'has':
        return sum + textsIn(criterion.source.criteria);
      default:
        return sum;
    }
  }, 0);
}

function requireBounds({ criteria, hops, alternatives, includes }: PlanParts): void {
  if (criteria.length > CRITERIA_MAX) {
    throw invalidParameter('', `A search has more than ${CRITERIA_MAX} parameters.`);
  }
  if (hops > HOPS_TOTAL_MAX) {
    throw invalidParameter('', `A search follows more than ${HOPS_TOTAL_MAX} references.`);
  }
  if (alternatives > ALTERNATIVES_TOTAL_MAX) {
    throw invalidParameter('', `A search lists more than ${ALTERNATIVES_TOTAL_MAX} values.`);
  }
  if (textsIn(criteria) > TEXTS_MAX) {
    throw invalidParameter('', `A search compares more than ${TEXTS_MAX} texts.`);
  }
  if (includes.length > INCLUDES_MAX) {
    throw invalidParameter('_include', `A search has more than ${INCLUDES_MAX} includes.`);
  }
}

/**
 * Understands the parameters of a search. Unknown ones are listed for the caller's `Prefer` to decide on; a known one in a
 * form that is not supported is refused, because ignoring it would find too much.
 *
 * @throws {@link FhirError} 400 with the parameter's name; it never quotes a value. 403 where a chain or `_has` comes by a
 * type that the caller may not search.
 */
export function parseSearch(
  type: string,
  parameters: readonly Parameter[],
  context: SearchContext,
): ParsedSearch {
  const parts: PlanParts = {
    criteria: [],
    hops: 0,
    alternatives: 0,
    unknown: [],
    includes: [],
    countMax: PAGE_DEFAULT,
    total: 'estimate',
    sort: [],
  };
  for (const parameter of parameters) takeParameter(parts, type, parameter, context);
  requireBounds(parts);
  const { criteria, sort, countMax, unknown, includes } = parts;
  // Where nothing but the total is asked for, it is counted in full.
  const isAccurate = parts.total === 'accurate' || countMax === 0;
  const plan = {
    type,
    ...{ criteria, sort, countMax },
    visibility: context.visibility,
    countTotal: parts.total !== 'none' || countMax === 0,
    ...(isAccurate ? {} : { countedMax: COUNTED_MAX }),
  };
  return { plan, unknown, includes };
}

export function unknownParameter(name: string) {
  return invalidParameter(sayable(name), 'This server does not know this search parameter.');
}
