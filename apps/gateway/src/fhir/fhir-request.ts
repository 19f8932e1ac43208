import {
  isLosslessObject,
  isResource,
  JsonError,
  type LosslessObject,
  type LosslessResource,
  type LosslessValue,
  parseLossless,
} from '@careledger/fhir';
import type { Caller } from '../caller.ts';
import type { Keystore } from '../keystore/index.ts';
import type { StoredVersion } from '../vault/index.ts';
import { FhirError } from './fhir-error.ts';
import type { Conditions } from './preconditions.ts';
import type { RecordStore, RecordTransaction } from './record-store.ts';
import type { SearchParameters, SearchRoute } from './search-route.ts';

export type FhirMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'PATCH';

/** A request of the FHIR API, below its base URL. */
export interface FhirInput {
  readonly method: FhirMethod;
  /** `Patient/1/_history`, without a first slash; empty for the base itself. */
  readonly path: string;
  /** The query string, without its question mark. */
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Body as text, or undefined. */
  readonly body: string | undefined;
  readonly caller: Caller;
}

export interface FhirOutput {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What every interaction works with. */
export interface FhirServices {
  readonly store: RecordStore;
  readonly keystore: Keystore;
  readonly search: SearchRoute;
}

/** Who asks, of which records, and inside which transaction. */
export interface RecordScope {
  readonly store: RecordStore;
  readonly caller: Caller;
  readonly transaction?: RecordTransaction;
  /** `Bundle.entry[3]`, while a bundle's entry is processed. */
  readonly entry?: string;
}

/** Inside the transaction that a write needs. */
export type WriteScope = RecordScope & { readonly transaction: RecordTransaction };

/** A body as it came over HTTP, or as it stood in a bundle's entry. */
export type RequestBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly contentType: string; readonly text: string }
  | { readonly kind: 'tree'; readonly tree: LosslessObject };

/** One request, taken apart: an interaction's argument, whether it came alone or in a bundle. */
export interface FhirRequest {
  readonly services: FhirServices;
  readonly scope: RecordScope;
  readonly method: FhirMethod;
  /** Resource type, logical id and version id of the address; empty where it has none. */
  readonly type: string;
  readonly id: string;
  readonly version: string;
  /** The query's parameters, in the order they came. */
  readonly parameters: SearchParameters;
  readonly conditions: Conditions;
  readonly body: RequestBody;
  /** `X-Provenance`: why, told of everything that the request writes. */
  readonly provenance: LosslessResource | undefined;
  /** `Prefer: handling=strict`. */
  readonly isStrict: boolean;
}

/** What an interaction answers; its transport form is made elsewhere. */
export interface FhirAnswer {
  readonly status: number;
  /** The stored version that is the answer, or that the answer is about. */
  readonly version?: StoredVersion;
  /** Another resource than a stored one: a Bundle, Parameters, an OperationOutcome. */
  readonly resource?: object;
  /** What the request wrote, deletions included. */
  readonly written?: StoredVersion;
}

/** The transaction that the dispatcher opened for every write. */
export function writing(scope: RecordScope): WriteScope {
  const { transaction } = scope;
  if (!transaction) throw new Error('a write was routed without its transaction');
  return { ...scope, transaction };
}

export function parametersOf(query: string): SearchParameters {
  return query === '' ? [] : [...new URLSearchParams(query)];
}

/** The first value of a parameter. */
export function parameterOf(parameters: SearchParameters, name: string): string | undefined {
  return parameters.find(([known]) => known === name)?.[1];
}

/** @throws {@link FhirError} 400 for a text that is not JSON as we accept it; the text is never quoted. */
export function parseJson(text: string): LosslessValue {
  try {
    return parseLossless(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    const isTooLarge = error.code === 'json/too-large';
    throw new FhirError({
      status: isTooLarge ? 413 : 400,
      code: isTooLarge ? 'too-long' : 'structure',
      message: error.message,
      help: error.help,
    });
  }
}

/** The JSON object of a body. @throws {@link FhirError} 400 when there is none. */
export function objectBody(body: RequestBody): LosslessObject {
  if (body.kind === 'tree') return body.tree;
  if (body.kind === 'none' || body.text === '') {
    const help = 'Send a FHIR resource as application/fhir+json.';
    throw new FhirError({ status: 400, code: 'required', message: 'The request has no body.', help });
  }
  const value = parseJson(body.text);
  if (isLosslessObject(value)) return value;
  const help = 'Send one JSON object.';
  throw new FhirError({ status: 400, code: 'structure', message: 'The body is not a resource.', help });
}

/** The body as a resource of the type that the address names. @throws {@link FhirError} 400. */
export function resourceBody({ body, type }: Pick<FhirRequest, 'body' | 'type'>): LosslessResource {
  const tree = objectBody(body);
  if (isResource(tree) && tree.resourceType === type) return tree;
  throw new FhirError({
    status: 400,
    code: 'structure',
    message: 'The body is not a resource of the type that the address names.',
    help: 'Send one resource, and to the address of its type.',
    expression: ['Resource.resourceType'],
  });
}
