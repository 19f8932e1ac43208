import { type SearchRequest, splitSearchOnComma } from '@medplum/core';
import {
  type Criterion,
  type DateComparison,
  type DateRange,
  dateRangeOf,
  EDGE_LETTERS_MAX,
  type IndexedParameter,
  normalizeString,
  type SearchPlan,
  type SortOrder,
  searchParametersOf,
  type Tokenizer,
  type Visibility,
} from '../index-store/index.ts';
import { FhirError, invalidParameter } from './fhir-error.ts';

/** Entries of a page when the request does not say. */
export const PAGE_DEFAULT = 50;
/** The most entries of a page: no search is unbounded. */
export const PAGE_MAX = 200;
/** Search parameters in one request. */
export const CRITERIA_MAX = 32;
/** Alternatives (`a,b,c`) of one parameter. */
export const ALTERNATIVES_MAX = 100;

export interface SearchContext {
  readonly tokenizer: Tokenizer;
  /** FHIR base URL, without a last slash. */
  readonly baseUrl: string;
  readonly visibility: Visibility;
}

export interface ParsedSearch {
  readonly plan: SearchPlan;
  /** Parameters that this server does not know, in the order they came. */
  readonly unknown: readonly string[];
}

type Parameter = readonly [name: string, value: string];

const PREFIX = /^(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=\d)/;
/** Parameters about the answer, not about what is searched. */
const HANDLED_ELSEWHERE: ReadonlySet<string> = new Set(['_format', '_pretty', '_cursor']);

function alternativesOf(name: string, value: string): readonly string[] {
  const alternatives = splitSearchOnComma(value).filter((one) => one !== '');
  if (alternatives.length === 0) throw invalidParameter(name, 'A search parameter has no value.');
  if (alternatives.length > ALTERNATIVES_MAX) {
    throw invalidParameter(name, `A search parameter lists more than ${ALTERNATIVES_MAX} values.`);
  }
  return alternatives;
}

function unsupportedModifier(name: string): never {
  throw invalidParameter(name, 'This modifier is not supported on this search parameter.');
}

function dateAlternatives(
  name: string,
  value: string,
): readonly { readonly comparison: DateComparison; readonly range: DateRange }[] {
  return alternativesOf(name, value).map((one) => {
    const prefix = PREFIX.exec(one)?.[1];
    const range = dateRangeOf(prefix ? one.slice(2) : one);
    if (!range) throw invalidParameter(name, 'A value is not a date of FHIR.');
    return { comparison: (prefix ?? 'eq') as DateComparison, range };
  });
}

type TokenFor = (kind: Parameters<Tokenizer['token']>[2], value: string) => Uint8Array;

/** `system|code`, `|code`, `system|` and `code` (FHIR R4, search, section 3.1.1.4.10). */
function codeToken(one: string, tokenFor: TokenFor): Uint8Array {
  const bar = one.indexOf('|');
  return bar > 0 && bar === one.length - 1 ? tokenFor('system', one.slice(0, -1)) : tokenFor('value', one);
}

function referenceTokens(
  one: string,
  targets: readonly string[],
  context: SearchContext,
  tokenFor: TokenFor,
): readonly Uint8Array[] {
  const base = `${context.baseUrl}/`;
  const local = one.startsWith(base) ? one.slice(base.length) : one;
  if (targets.length === 0) return [tokenFor('reference', local)];
  const references = local.includes('/') ? [local] : targets.map((target) => `${target}/${local}`);
  return references.map((reference) => tokenFor('reference', reference));
}

function stringToken(one: string, isExact: boolean, tokenFor: TokenFor): Uint8Array {
  if (isExact) return tokenFor('exact', one);
  return tokenFor('edge', [...normalizeString(one)].slice(0, EDGE_LETTERS_MAX).join(''));
}

function tokensFor(
  parameter: IndexedParameter,
  modifier: string | undefined,
  one: string,
  context: SearchContext,
  tokenFor: TokenFor,
): readonly Uint8Array[] {
  switch (parameter.type) {
    case 'token':
      if (modifier !== undefined && modifier !== 'not') unsupportedModifier(parameter.code);
      return [codeToken(one, tokenFor)];
    case 'reference': {
      if (modifier !== undefined && !parameter.targets.includes(modifier))
        unsupportedModifier(parameter.code);
      return referenceTokens(one, modifier === undefined ? [] : [modifier], context, tokenFor);
    }
    case 'string':
      if (modifier !== undefined && modifier !== 'exact') unsupportedModifier(parameter.code);
      return [stringToken(one, modifier === 'exact', tokenFor)];
    default:
      if (modifier !== undefined) unsupportedModifier(parameter.code);
      return [tokenFor('uri', one)];
  }
}

function missingCriterion(name: string, value: string, tokenFor: TokenFor): Criterion {
  if (value !== 'true' && value !== 'false') throw invalidParameter(name, ':missing takes true or false.');
  return { kind: 'tokens', any: [tokenFor('present', '')], negate: value === 'true' };
}

function criterionOf(
  type: string,
  parameter: IndexedParameter,
  [name, value]: Parameter,
  context: SearchContext,
): Criterion {
  const colon = name.indexOf(':');
  const modifier = colon === -1 ? undefined : name.slice(colon + 1);
  const tokenFor: TokenFor = (kind, text) => context.tokenizer.token(type, parameter.code, kind, text);
  if (modifier === 'missing') return missingCriterion(name, value, tokenFor);
  if (parameter.type === 'date') {
    if (modifier !== undefined) unsupportedModifier(name);
    return { kind: 'date', parameter: parameter.code, any: dateAlternatives(name, value) };
  }
  const any = alternativesOf(name, value).flatMap((one) =>
    tokensFor(parameter, modifier, one, context, tokenFor),
  );
  return { kind: 'tokens', any, negate: modifier === 'not' };
}

function countOf(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw invalidParameter('_count', '_count is not a number.');
  return Math.min(Number(value), PAGE_MAX);
}

function sortOf(type: string, value: string): SortOrder {
  const descending = value.startsWith('-');
  const by = descending ? value.slice(1) : value;
  if (by === '_lastUpdated') return { by, descending };
  if (searchParametersOf(type).get(by)?.type === 'date') return { by: { date: by }, descending };
  throw invalidParameter('_sort', 'This server sorts by _lastUpdated or by one date parameter.');
}

interface PlanParts {
  criteria: Criterion[];
  unknown: string[];
  countMax: number;
  countTotal: boolean;
  sort: SortOrder;
}

/** Parameters that every type has. False when the name is none of them. */
function takeCommon(parts: PlanParts, type: string, [name, value]: Parameter): boolean {
  switch (name) {
    case '_id':
      parts.criteria.push({ kind: 'ids', any: alternativesOf(name, value) });
      return true;
    case '_lastUpdated':
      parts.criteria.push({ kind: 'last-updated', any: dateAlternatives(name, value) });
      return true;
    case '_count':
      parts.countMax = countOf(value);
      return true;
    case '_sort':
      parts.sort = sortOf(type, value);
      return true;
    case '_total':
      parts.countTotal = value !== 'none';
      return true;
    case '_summary':
      if (value !== 'count') return value === 'false';
      parts.countMax = 0;
      parts.countTotal = true;
      return true;
    default:
      return HANDLED_ELSEWHERE.has(name);
  }
}

/**
 * Understands the parameters of a search. Unknown ones are listed for the caller's `Prefer` to decide on; a known one in a
 * form that is not supported is refused, because ignoring it would find too much.
 *
 * @throws {@link FhirError} 400 with the parameter's name; it never quotes a value.
 */
export function parseSearch(
  type: string,
  parameters: readonly Parameter[],
  context: SearchContext,
): ParsedSearch {
  const parts: PlanParts = {
    criteria: [],
    unknown: [],
    countMax: PAGE_DEFAULT,
    countTotal: true,
    sort: { by: '_lastUpdated', descending: false },
  };
  const known = searchParametersOf(type);
  for (const parameter of parameters) {
    if (takeCommon(parts, type, parameter)) continue;
    const definition = known.get(parameter[0].split(':', 1)[0] ?? '');
    if (!definition) parts.unknown.push(parameter[0]);
    else parts.criteria.push(criterionOf(type, definition, parameter, context));
  }
  if (parts.criteria.length > CRITERIA_MAX) {
    throw invalidParameter('', `A search has more than ${CRITERIA_MAX} parameters.`);
  }
  const { unknown, ...rest } = parts;
  return { plan: { type, visibility: context.visibility, ...rest }, unknown };
}

/**
 * The criteria of a granular scope (`?category=laboratory`).
 *
 * @returns `undefined` when one of them is not understood: such a scope permits nothing of this type.
 */
export function restrictionCriteria(
  type: string,
  restriction: readonly Parameter[],
  context: Pick<SearchContext, 'tokenizer' | 'baseUrl'>,
): readonly Criterion[] | undefined {
  try {
    const { plan, unknown } = parseSearch(type, restriction, { ...context, visibility: { kind: 'all' } });
    return unknown.length === 0 && plan.criteria.length === restriction.length ? plan.criteria : undefined;
  } catch (error) {
    if (error instanceof FhirError) return undefined;
    throw error;
  }
}

/** The same for a request that the router has parsed: If-None-Exist. Nothing unknown is ignored there. */
export function planFromRequest(request: SearchRequest, context: SearchContext): SearchPlan {
  const parameters = (request.filters ?? []).map(({ code, operator, value }): Parameter => {
    if (operator === 'eq') return [code, value];
    return PREFIX.test(`${operator}0`) ? [code, `${operator}${value}`] : [`${code}:${operator}`, value];
  });
  const { plan, unknown } = parseSearch(request.resourceType, parameters, context);
  if (unknown[0] !== undefined) throw unknownParameter(unknown[0]);
  return { ...plan, countMax: Math.min(request.count ?? PAGE_DEFAULT, PAGE_MAX), countTotal: false };
}

export function unknownParameter(name: string) {
  return invalidParameter(name.slice(0, 64), 'This server does not know this search parameter.');
}
