import type { Caller } from '../caller.ts';
import type { Page, SearchPlan } from '../index-store/index.ts';
import type { Keystore } from '../keystore/index.ts';
import { isR4ResourceType } from '../validation/index.ts';
import type { StoredVersion } from '../vault/index.ts';
import { isScopeCovered, requireScope, visibilityFor } from './access.ts';
import { forbidden, invalidParameter } from './fhir-error.ts';
import type { RecordStore } from './record-store.ts';
import { type Include, IncludeRun } from './search/includes.ts';
import { INCLUDED_MAX, SYSTEM_TYPES_MAX } from './search/limits.ts';
import { type SearchContext, type SearchParameters, sayable } from './search/search-context.ts';
import { openSearchCursor, type SearchCursor, sealSearchCursor } from './search/search-cursor.ts';
import { searchTypes } from './search/search-types.ts';
import { ANSWER_SHAPE, parseSearch, unknownParameter } from './search-query.ts';
import { StoredResource } from './stored-resource.ts';

export type { SearchParameters } from './search/search-context.ts';

export interface SearchInput {
  /** Empty: a search over the types that `_type` names. */
  readonly type: string;
  readonly parameters: SearchParameters;
  readonly caller: Caller;
  /** `Prefer: handling=strict` refuses unknown parameters; else they are ignored, and the answer says so. */
  readonly isStrict: boolean;
}

export interface SearchRouteOptions {
  readonly store: RecordStore;
  readonly keystore: Keystore;
}

/** What a search is parsed in, for a caller: every hop finds what the caller may search of its type. */
export function searchContextFor(store: RecordStore, caller: Caller, type: string): SearchContext {
  const { options } = store;
  const { indexer, baseUrl } = options;
  return {
    tokenizer: indexer.tokenizer,
    baseUrl,
    visibility: visibilityFor(options, caller, type, 'search'),
    visibilityOf: (hop) => {
      requireScope(caller, hop, 'search-type');
      return visibilityFor(options, caller, hop, 'search');
    },
  };
}

interface ParsedTypes {
  readonly plans: readonly SearchPlan[];
  readonly includes: readonly Include[];
  readonly unknown: readonly string[];
}

/** Searches, answered page by page. A next link is sealed: it tells nothing, and fits its caller and its search alone. */
export class SearchRoute {
  readonly #options: SearchRouteOptions;

  constructor(options: SearchRouteOptions) {
    this.#options = options;
  }

  /** @throws {@link FhirError} 400 or 403. */
  async search(input: SearchInput): Promise<object> {
    const { caller } = input;
    const { store, keystore } = this.#options;
    if (input.type !== '') requireScope(caller, input.type, 'search-type');
    const cursor = openSearchCursor(keystore, input);
    const parameters = cursor?.parameters ?? input.parameters;
    const { plans, includes, unknown } = this.#parse({ ...input, parameters });
    const found = await searchTypes(store.options.index, plans, cursor?.page);
    const versions = await store.options.vault.bySeq(found.seqs);
    const included = await new IncludeRun(store, caller, versions).follow(includes, versions);
    const used = parameters.filter(([name]) => !unknown.includes(name));
    return {
      resourceType: 'Bundle',
      type: 'searchset',
      ...(found.total === undefined ? {} : { total: found.total }),
      link: this.#links(input, used, found.next),
      entry: [
        ...versions.map((version) => this.#entry(version, 'match')),
        ...included.versions.map((version) => this.#entry(version, 'include')),
        ...ignoredEntry(unknown),
        ...(included.isCut ? [cutEntry()] : []),
      ],
    };
  }

  #parse({ type, parameters, caller, isStrict }: SearchInput): ParsedTypes {
    const types = type === '' ? systemTypes(caller, parameters) : [type];
    const own = parameters.filter(([name]) => type !== '' || name !== '_type');
    const parsed = types.map((one) =>
      parseSearch(one, own, searchContextFor(this.#options.store, caller, one)),
    );
    // Over several types, a parameter that one of them lacks cannot be ignored for that one alone.
    const unknown = [...new Set(parsed.flatMap((one) => one.unknown))];
    if (unknown[0] !== undefined && (isStrict || types.length > 1)) throw unknownParameter(unknown[0]);
    return { plans: parsed.map(({ plan }) => plan), includes: parsed[0]?.includes ?? [], unknown };
  }

  #links(input: SearchInput, used: SearchParameters, page: Page | undefined): readonly object[] {
    const { store, keystore } = this.#options;
    const url = `${store.options.baseUrl}${input.type === '' ? '' : `/${input.type}`}`;
    const self = { relation: 'self', url: `${url}${queryText(used)}` };
    if (!page) return [self];
    const sealed: SearchCursor = { parameters: used, page };
    // The form of the answer is no secret, and is read from each request.
    const shape = used.filter(([name]) => ANSWER_SHAPE.has(name));
    const cursor = sealSearchCursor(keystore, input, sealed);
    return [self, { relation: 'next', url: `${url}${queryText([['_cursor', cursor], ...shape])}` }];
  }

  #entry(version: StoredVersion, mode: 'match' | 'include'): object {
    const fullUrl = `${this.#options.store.options.baseUrl}/${version.type}/${version.id}`;
    return { fullUrl, resource: new StoredResource(version), search: { mode } };
  }
}

/** The types of a system search that the token covers. @throws {@link FhirError} 400 or 403. */
function systemTypes(caller: Caller, parameters: SearchParameters): readonly string[] {
  const named = parameters.filter(([name]) => name === '_type').flatMap(([, value]) => value.split(','));
  const types = [...new Set(named.filter((type) => type !== ''))];
  if (types.length === 0 || types.length > SYSTEM_TYPES_MAX) {
    throw invalidParameter(
      '_type',
      `A search over the system names 1 to ${SYSTEM_TYPES_MAX} types in _type.`,
    );
  }
  if (!types.every(isR4ResourceType)) throw invalidParameter('_type', '_type names no resource type of R4.');
  const covered = types.filter((type) => isScopeCovered(caller, type, 'search-type'));
  if (covered.length === 0) throw forbidden();
  return covered;
}

function queryText(parameters: SearchParameters): string {
  if (parameters.length === 0) return '';
  return `?${parameters.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')}`;
}

function outcomeEntry(code: string, text: string, expression: readonly string[]): object {
  const issue = { severity: 'warning', code, details: { text }, expression };
  return { resource: { resourceType: 'OperationOutcome', issue: [issue] }, search: { mode: 'outcome' } };
}

/** Says which parameters were ignored (FHIR R4, search, section 3.1.1.4.7). */
function ignoredEntry(unknown: readonly string[]): readonly object[] {
  if (unknown.length === 0) return [];
  const text = 'Search parameters that this server does not know were ignored.';
  return [outcomeEntry('not-supported', text, unknown.map(sayable))];
}

function cutEntry(): object {
  const text = `More than ${INCLUDED_MAX} resources would be included with this page: the rest is left out.`;
  return outcomeEntry('too-costly', text, ['_include']);
}
