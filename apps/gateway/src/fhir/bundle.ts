import { randomUUID } from 'node:crypto';
import {
  isLosslessArray,
  isLosslessObject,
  isResource,
  type LosslessObject,
  type LosslessValue,
  parseReference,
  rewriteReferences,
  withField,
} from '@careledger/fhir';
import { FhirError } from './fhir-error.ts';

/** Entries of one batch or transaction. */
export const BUNDLE_ENTRIES_MAX = 1_000;
const METHODS: ReadonlySet<string> = new Set(['DELETE', 'POST', 'PUT', 'GET']);
/** The order in which a transaction's entries are processed (FHIR R4, http, section 3.1.0.11.2). */
const ORDER = ['DELETE', 'POST', 'PUT', 'GET'];

/** One entry of a batch or transaction, ready for the router. */
export interface BundleRequest {
  readonly index: number;
  readonly method: 'DELETE' | 'POST' | 'PUT' | 'GET';
  /** `Patient/1`, `Observation?code=x`. */
  readonly url: string;
  readonly resource: LosslessObject | undefined;
  /** The id that the created resource will have. */
  readonly assignedId: string | undefined;
  readonly ifMatch: string | undefined;
  readonly ifNoneExist: string | undefined;
}

export interface ParsedBundle {
  readonly type: 'batch' | 'transaction';
  /** In the order of processing. */
  readonly requests: readonly BundleRequest[];
}

function malformed(expression: string, message: string): FhirError {
  const help = 'See FHIR R4 (http, transaction) for the form of a batch or transaction.';
  return new FhirError({ status: 400, code: 'structure', message, help, expression: [expression] });
}

function textOf(value: LosslessValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function requestOf(entry: LosslessValue, index: number): BundleRequest & { readonly fullUrl?: string } {
  const place = `Bundle.entry[${index}]`;
  if (!isLosslessObject(entry)) throw malformed(place, 'An entry is not an object.');
  const request = entry.request;
  if (!isLosslessObject(request)) throw malformed(`${place}.request`, 'An entry has no request.');
  const method = textOf(request.method);
  const url = textOf(request.url);
  if (method === undefined || !METHODS.has(method)) {
    throw malformed(`${place}.request.method`, 'An entry’s method is not GET, POST, PUT or DELETE.');
  }
  if (url === undefined) throw malformed(`${place}.request.url`, 'An entry’s request has no url.');
  const { resource } = entry;
  if (resource !== undefined && !isResource(resource)) {
    throw malformed(`${place}.resource`, 'An entry’s resource is no resource.');
  }
  const fullUrl = textOf(entry.fullUrl);
  const creates =
    method === 'POST' && resource !== undefined && !url.includes('$') && !url.includes('_search');
  return {
    index,
    method: method as BundleRequest['method'],
    url,
    resource,
    assignedId: creates ? randomUUID() : undefined,
    ifMatch: textOf(request.ifMatch),
    ifNoneExist: textOf(request.ifNoneExist),
    ...(fullUrl === undefined ? {} : { fullUrl }),
  };
}

/** Where references to an entry's fullUrl will lead. */
function identityOf(request: BundleRequest): string | undefined {
  if (request.assignedId !== undefined) return `${request.url.split('?', 1)[0]}/${request.assignedId}`;
  const { kind, type, id } = parseReference(request.url);
  return request.method === 'PUT' && kind === 'relative' ? `${type}/${id}` : undefined;
}

/** What entries refer to each other by, once they have their ids. Two entries of one identity cannot both happen. */
function identitiesOf(
  requests: readonly (BundleRequest & { readonly fullUrl?: string })[],
): ReadonlyMap<string, string> {
  const references = new Map<string, string>();
  const targets = new Set<string>();
  for (const request of requests) {
    const reference = identityOf(request);
    const target = reference ?? (request.method === 'DELETE' ? request.url : undefined);
    if (target === undefined) continue;
    if (targets.has(target))
      throw malformed(`Bundle.entry[${request.index}]`, 'Two entries change one resource.');
    targets.add(target);
    if (request.fullUrl === undefined || reference === undefined) continue;
    if (references.has(request.fullUrl)) {
      throw malformed(`Bundle.entry[${request.index}].fullUrl`, 'Two entries have the same fullUrl.');
    }
    references.set(request.fullUrl, reference);
  }
  return references;
}

/**
 * Understands a batch or transaction: gives new resources their ids, rewrites the references among a transaction's
 * entries on the lossless tree, and puts the entries in the order of processing.
 *
 * @throws {@link FhirError} 400 with the entry that is wrong.
 */
export function parseBundle(bundle: LosslessObject): ParsedBundle {
  const { type, entry = [] } = bundle;
  if (type !== 'batch' && type !== 'transaction') {
    throw malformed('Bundle.type', 'This server processes bundles of type batch and transaction.');
  }
  if (!isLosslessArray(entry)) throw malformed('Bundle.entry', 'The entries are not a list.');
  if (entry.length > BUNDLE_ENTRIES_MAX) {
    throw new FhirError({
      status: 413,
      code: 'too-costly',
      message: `The bundle has more than ${BUNDLE_ENTRIES_MAX} entries.`,
      help: 'Split it; for large loads use the import.',
      expression: ['Bundle.entry'],
    });
  }
  const requests = entry.map(requestOf);
  if (type === 'batch') return { type, requests: requests.map(withAssignedId) };
  const references = identitiesOf(requests);
  const rewritten = requests.map((request) => ({
    ...request,
    ...(request.resource
      ? { resource: rewriteReferences(request.resource, (reference) => references.get(reference)) }
      : {}),
  }));
  const ordered = rewritten
    .map(withAssignedId)
    .sort(
      (left, right) => ORDER.indexOf(left.method) - ORDER.indexOf(right.method) || left.index - right.index,
    );
  return { type, requests: ordered };
}

function withAssignedId(request: BundleRequest): BundleRequest {
  const { resource, assignedId } = request;
  if (!resource || assignedId === undefined) return request;
  return { ...request, resource: withField(resource, 'id', assignedId) };
}
