import { decodeCbor, encodeCbor, fromBase64Url, toBase64Url, utf8 } from '@careledger/primitives';
import type { Caller } from '../caller.ts';
import type { Page, SearchPlan } from '../index-store/index.ts';
import { type Keystore, PAGE_LINK_KEY } from '../keystore/index.ts';
import { actorOf, requireScope, visibilityFor } from './access.ts';
import { invalidParameter } from './fhir-error.ts';
import type { RecordStore } from './record-store.ts';
import { parseSearch, unknownParameter } from './search-query.ts';
import { StoredResource } from './stored-resource.ts';

/** Names and values of a search, in the order they came. */
export type SearchParameters = readonly (readonly [name: string, value: string])[];

export interface SearchInput {
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

interface Cursor {
  readonly parameters: SearchParameters;
  readonly page: Page;
}

const UNUSED_CURSOR = 'A paging link is not one that this server gave to this caller.';

/** Searches, answered page by page. A next link is sealed: it tells nothing, and fits its caller alone. */
export class SearchRoute {
  readonly #options: SearchRouteOptions;

  constructor(options: SearchRouteOptions) {
    this.#options = options;
  }

  /** @throws {@link FhirError} 400 or 403. */
  async search(input: SearchInput): Promise<object> {
    const { type, caller } = input;
    requireScope(caller, type, 'search-type');
    const cursor = this.#cursorOf(input);
    const parameters = cursor?.parameters ?? input.parameters;
    const { index, indexer, vault, baseUrl } = this.#options.store.options;
    const visibility = visibilityFor(this.#options.store.options, caller, type, 'search');
    const context = { tokenizer: indexer.tokenizer, baseUrl, visibility };
    const { plan, unknown } = parseSearch(type, parameters, context);
    if (input.isStrict && unknown[0] !== undefined) throw unknownParameter(unknown[0]);
    const asked: SearchPlan = cursor ? { ...plan, after: cursor.page } : plan;
    const found = await index.search(asked);
    const versions = await vault.bySeq(found.seqs);
    const used = parameters.filter(([name]) => !unknown.includes(name));
    const next = found.next && this.#seal(input, { parameters: used, page: found.next });
    return {
      resourceType: 'Bundle',
      type: 'searchset',
      ...(found.total === undefined ? {} : { total: found.total }),
      link: [
        { relation: 'self', url: `${baseUrl}/${type}${queryText(used)}` },
        ...(next === undefined ? [] : [{ relation: 'next', url: `${baseUrl}/${type}?_cursor=${next}` }]),
      ],
      entry: [
        ...versions.map((version) => ({
          fullUrl: `${baseUrl}/${type}/${version.id}`,
          resource: new StoredResource(version),
          search: { mode: 'match' },
        })),
        ...ignoredEntry(unknown),
      ],
    };
  }

  #context({ type, caller }: SearchInput): Uint8Array {
    return utf8(JSON.stringify(['page', type, actorOf(caller), caller.patientId ?? '']));
  }

  #seal(input: SearchInput, { parameters, page }: Cursor): string {
    const plain = encodeCbor([parameters.map(([name, value]) => [name, value]), page.seq, page.key]);
    return toBase64Url(this.#options.keystore.wrap(PAGE_LINK_KEY, plain, this.#context(input)));
  }

  #cursorOf(input: SearchInput): Cursor | undefined {
    const text = input.parameters.find(([name]) => name === '_cursor')?.[1];
    if (text === undefined) return undefined;
    const sealed = fromBase64Url(text);
    const plain = sealed && this.#options.keystore.unwrap(PAGE_LINK_KEY, sealed, this.#context(input));
    if (!plain) throw invalidParameter('_cursor', UNUSED_CURSOR);
    const [parameters, seq, key] = decodeCbor(plain) as unknown as [SearchParameters, number, number];
    return { parameters, page: { seq, key } };
  }
}

function queryText(parameters: SearchParameters): string {
  if (parameters.length === 0) return '';
  return `?${parameters.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')}`;
}

/** Says which parameters were ignored (FHIR R4, search, section 3.1.1.4.7). */
function ignoredEntry(unknown: readonly string[]): readonly object[] {
  if (unknown.length === 0) return [];
  const issue = {
    severity: 'warning',
    code: 'not-supported',
    details: { text: 'Search parameters that this server does not know were ignored.' },
    expression: unknown.map((name) => name.slice(0, 64)),
  };
  const resource = { resourceType: 'OperationOutcome', issue: [issue] };
  return [{ resource, search: { mode: 'outcome' } }];
}
