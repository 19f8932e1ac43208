import { decodeCbor, encodeCbor, fromBase64Url, toBase64Url, utf8 } from '@careledger/primitives';
import type { Caller } from '../../caller.ts';
import type { Page } from '../../index-store/index.ts';
import { type Keystore, PAGE_LINK_KEY } from '../../keystore/index.ts';
import { actorOf } from '../access.ts';
import { invalidParameter } from '../fhir-error.ts';
import type { SearchParameters } from './search-context.ts';

/** A search under way: what was asked, and where the next page begins. */
export interface SearchCursor {
  readonly parameters: SearchParameters;
  readonly page: Page;
}

interface Asked {
  readonly type: string;
  readonly parameters: SearchParameters;
  readonly caller: Caller;
}

/** Parameters that may stand beside a cursor: the form of the answer. */
const BESIDE_CURSOR: ReadonlySet<string> = new Set([
  '_cursor',
  '_format',
  '_pretty',
  '_summary',
  '_elements',
]);
const UNUSED_CURSOR = 'A paging link is not one that this server gave to this caller.';

function contextOf({ type, caller }: Asked): Uint8Array {
  return utf8(JSON.stringify(['page', type, actorOf(caller), caller.patientId ?? '']));
}

/** Sort values as CBOR holds them: numbers of dates and quantities are no integers always. */
function sealedKey(key: number | string | null): string {
  return JSON.stringify(key);
}

/** A cursor that tells nothing, and fits its type and its caller alone. */
export function sealSearchCursor(
  keystore: Keystore,
  asked: Asked,
  { parameters, page }: SearchCursor,
): string {
  const pairs = parameters.map(([name, value]) => [name, value]);
  const plain = encodeCbor([pairs, page.seq, page.keys.map(sealedKey)]);
  return toBase64Url(keystore.wrap(PAGE_LINK_KEY, plain, contextOf(asked)));
}

/**
 * The search that a cursor continues; undefined for a first page.
 * @throws {@link FhirError} 400 for a cursor of another type or caller, and for one beside the parameters of a search.
 */
export function openSearchCursor(keystore: Keystore, asked: Asked): SearchCursor | undefined {
  const text = asked.parameters.find(([name]) => name === '_cursor')?.[1];
  if (text === undefined) return undefined;
  const sealed = fromBase64Url(text);
  const plain = sealed && keystore.unwrap(PAGE_LINK_KEY, sealed, contextOf(asked));
  if (!plain) throw invalidParameter('_cursor', UNUSED_CURSOR);
  if (asked.parameters.some(([name]) => !BESIDE_CURSOR.has(name))) {
    throw invalidParameter('_cursor', 'A paging link stands alone: it holds the search that it continues.');
  }
  const [parameters, seq, keys] = decodeCbor(plain) as unknown as [SearchParameters, number, string[]];
  return { parameters, page: { seq, keys: keys.map((key) => JSON.parse(key)) } };
}
