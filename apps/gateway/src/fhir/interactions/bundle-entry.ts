import {
  isLosslessArray,
  isLosslessObject,
  isResource,
  type LosslessObject,
  type LosslessResource,
  type LosslessValue,
} from '@careledger/fhir';
import { FhirError } from '../fhir-error.ts';
import type { FhirMethod } from '../fhir-request.ts';
import { type Conditions, conditionsOf } from '../preconditions.ts';

/** Entries of one batch or transaction. */
export const BUNDLE_ENTRIES_MAX = 1_000;
const METHODS: ReadonlySet<string> = new Set(['DELETE', 'POST', 'PUT', 'PATCH', 'GET', 'HEAD']);
/** An address in an entry is relative to the base, or absolute under it. */
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

/** One entry of a batch or transaction, understood. */
export interface BundleEntry {
  /** `Bundle.entry[3]`. */
  readonly place: string;
  readonly method: FhirMethod;
  /** `Patient/1`, without its query. */
  readonly path: string;
  readonly query: string;
  readonly resource: LosslessResource | undefined;
  readonly fullUrl: string | undefined;
  readonly conditions: Conditions;
}

/** A refusal of the bundle's form, placed in it. */
export function malformedBundle(expression: string, message: string, status = 400): FhirError {
  const help = 'See FHIR R4 (http, transaction) for the form of a batch or transaction.';
  const code = status === 412 ? 'conflict' : 'structure';
  return new FhirError({ status, code, message, help, expression: [expression], isPlaced: true });
}

function textOf(value: LosslessValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** @throws {@link FhirError} 400 or 413 for what is no bundle to process. */
export function bundleEntries(bundle: LosslessObject): {
  readonly type: 'batch' | 'transaction';
  readonly entries: readonly LosslessValue[];
} {
  const { resourceType, type, entry = [] } = bundle;
  if (resourceType !== 'Bundle') {
    const help = 'Post other resources to /<type>.';
    throw new FhirError({ status: 400, code: 'structure', message: 'The body is not a Bundle.', help });
  }
  if (type !== 'batch' && type !== 'transaction') {
    throw malformedBundle('Bundle.type', 'This server processes bundles of type batch and transaction.');
  }
  if (!isLosslessArray(entry)) throw malformedBundle('Bundle.entry', 'The entries are not a list.');
  if (entry.length <= BUNDLE_ENTRIES_MAX) return { type, entries: entry };
  throw new FhirError({
    status: 413,
    code: 'too-costly',
    message: `The bundle has more than ${BUNDLE_ENTRIES_MAX} entries.`,
    help: 'Split it; for large loads use the import.',
    expression: ['Bundle.entry'],
  });
}

function addressOf(url: string, baseUrl: string, place: string): readonly [path: string, query: string] {
  const local = url.startsWith(`${baseUrl}/`) ? url.slice(baseUrl.length + 1) : url;
  if (SCHEME.test(local))
    throw malformedBundle(`${place}.request.url`, 'An entry’s url is not one of this server.');
  const mark = local.indexOf('?');
  const path = (mark === -1 ? local : local.slice(0, mark)).replace(/^\/+/, '');
  return [path, mark === -1 ? '' : local.slice(mark + 1)];
}

/** Reads one entry. @throws {@link FhirError} 400 with its place. */
export function entryAt(entry: LosslessValue, index: number, baseUrl: string): BundleEntry {
  const place = `Bundle.entry[${index}]`;
  if (!isLosslessObject(entry)) throw malformedBundle(place, 'An entry is not an object.');
  const { request, resource } = entry;
  if (!isLosslessObject(request)) throw malformedBundle(`${place}.request`, 'An entry has no request.');
  const method = textOf(request.method);
  const url = textOf(request.url);
  if (method === undefined || !METHODS.has(method)) {
    throw malformedBundle(`${place}.request.method`, 'An entry’s method is none of FHIR’s.');
  }
  if (url === undefined) throw malformedBundle(`${place}.request.url`, 'An entry’s request has no url.');
  if (resource !== undefined && !isResource(resource)) {
    throw malformedBundle(`${place}.resource`, 'An entry’s resource is no resource.');
  }
  const [path, query] = addressOf(url, baseUrl, place);
  const since = textOf(request.ifModifiedSince);
  return {
    ...{ place, path, query, resource, method: method as FhirMethod, fullUrl: textOf(entry.fullUrl) },
    conditions: conditionsIn(place, {
      'if-match': textOf(request.ifMatch),
      'if-none-match': textOf(request.ifNoneMatch),
      'if-none-exist': textOf(request.ifNoneExist),
      'if-modified-since': since,
    }),
  };
}

function conditionsIn(place: string, headers: Readonly<Record<string, string | undefined>>): Conditions {
  try {
    return conditionsOf(headers);
  } catch (error) {
    throw error instanceof FhirError ? error.inEntry(place) : error;
  }
}
