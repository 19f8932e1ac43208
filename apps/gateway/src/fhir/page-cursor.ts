import { decodeCbor, encodeCbor, fromBase64Url, toBase64Url, utf8 } from '@careledger/primitives';
import type { Caller } from '../caller.ts';
import { type Keystore, PAGE_LINK_KEY } from '../keystore/index.ts';
import { actorOf } from './access.ts';
import { invalidParameter } from './fhir-error.ts';
import type { SearchParameters } from './search-route.ts';

/** Where the next page of a history or of `$everything` begins. */
export interface PageCursor {
  /** The parameters of the first page. */
  readonly parameters: SearchParameters;
  /** The place in the vault of the last entry that was given out. */
  readonly seq: number;
}

/** For whom, and for which address, a cursor is sealed. */
export interface CursorContext {
  /** `Patient/1/$everything`. */
  readonly path: string;
  readonly caller: Caller;
}

function contextBytes({ path, caller }: CursorContext): Uint8Array {
  return utf8(JSON.stringify(['history', path, actorOf(caller), caller.patientId ?? '']));
}

/** A cursor that tells nothing, and fits its address and its caller alone. */
export function sealCursor(keystore: Keystore, context: CursorContext, cursor: PageCursor): string {
  const plain = encodeCbor([cursor.parameters.map(([name, value]) => [name, value]), cursor.seq]);
  return toBase64Url(keystore.wrap(PAGE_LINK_KEY, plain, contextBytes(context)));
}

/** @throws {@link FhirError} 400 for a cursor of another address, of another caller, or of nobody. */
export function openCursor(keystore: Keystore, context: CursorContext, text: string): PageCursor {
  const sealed = fromBase64Url(text);
  const plain = sealed && keystore.unwrap(PAGE_LINK_KEY, sealed, contextBytes(context));
  if (!plain) {
    throw invalidParameter('_cursor', 'A paging link is not one that this server gave to this caller.');
  }
  const [parameters, seq] = decodeCbor(plain) as unknown as [SearchParameters, number];
  return { parameters, seq };
}
