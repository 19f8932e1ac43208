import {
  canonicalText,
  isLosslessArray,
  isLosslessObject,
  isResource,
  type LosslessObject,
  type LosslessResource,
  type LosslessValue,
} from '@careledger/fhir';
import { sha256, toHex, utf8 } from '@careledger/primitives';
import { type ImportFile, importFiles, textsOf } from './import-files.ts';
import type { ImportProblem } from './import-report.ts';

/** One resource of an import as it stands in its file, or the reason why there is none. */
export interface ImportEntry {
  readonly file: string;
  /** Position in `Bundle.entry` from 0, or line of NDJSON from 1; absent when the problem is the whole file's. */
  readonly entry?: number;
  /** Who the data comes from, as the importer was told. */
  readonly source: string;
  /** The entry's identity at its source. `Type/id` where the source gives no URL; a hash where it gives neither. */
  readonly fullUrl: string;
  readonly resource?: LosslessResource;
  readonly problems: readonly ImportProblem[];
}

/** Bundles whose entries are independent resources. A document's or message's entries are not. */
const BUNDLE_TYPES: ReadonlySet<unknown> = new Set([
  'transaction',
  'batch',
  'collection',
  'searchset',
  'transaction-response',
  'batch-response',
]);

function fullUrlOf(entry: LosslessObject, resource: LosslessResource): string {
  if (typeof entry.fullUrl === 'string' && entry.fullUrl !== '') return entry.fullUrl;
  if (typeof resource.id === 'string' && resource.id !== '') return `${resource.resourceType}/${resource.id}`;
  return `urn:sha256:${toHex(sha256(utf8(canonicalText(resource))))}`;
}

interface Place {
  readonly file: string;
  readonly source: string;
  readonly entry?: number;
}

function broken(
  place: Place,
  code: ImportProblem['code'],
  text: string,
  expression = 'Resource',
): ImportEntry {
  return { ...place, fullUrl: '', problems: [{ code, expression, text }] };
}

function fromEntry(place: Place, entry: LosslessValue): ImportEntry {
  if (!isLosslessObject(entry) || !isResource(entry.resource)) {
    return broken(place, 'import/not-a-resource', 'The entry holds no resource');
  }
  return { ...place, fullUrl: fullUrlOf(entry, entry.resource), resource: entry.resource, problems: [] };
}

/** An OperationOutcome that comes along with search results is about the search, not a record. */
function isOutcome(entry: LosslessValue): boolean {
  return isLosslessObject(entry) && isLosslessObject(entry.search) && entry.search.mode === 'outcome';
}

function* fromBundle(place: Place, bundle: LosslessObject): Generator<ImportEntry> {
  const entries = bundle.entry ?? [];
  if (!BUNDLE_TYPES.has(bundle.type) || !isLosslessArray(entries)) {
    yield broken(place, 'import/not-importable', 'A bundle of this type is not imported', 'Bundle.type');
    return;
  }
  for (const [index, entry] of entries.entries()) {
    if (!isOutcome(entry)) yield fromEntry({ ...place, entry: index }, entry);
  }
}

async function* fromFile(file: ImportFile, source: string): AsyncGenerator<ImportEntry> {
  for await (const { line, value, problem } of textsOf(file)) {
    const place: Place = { file: file.name, source, ...(line === undefined ? {} : { entry: line }) };
    if (problem !== undefined) yield broken(place, 'import/unreadable', problem);
    else if (!isResource(value))
      yield broken(place, 'import/not-importable', 'Neither a bundle nor a resource');
    else if (value.resourceType !== 'Bundle') yield fromEntry({ entry: 0, ...place }, { resource: value });
    else if (line === undefined) yield* fromBundle(place, value);
    else yield broken(place, 'import/not-importable', 'A bundle in a line of NDJSON');
  }
}

/**
 * Reads a file or folder of FHIR bundles (transaction, batch, collection, searchset), single resources and NDJSON, one
 * entry after the other, always in the same order. A broken file or line is an entry without a resource that says so;
 * the rest goes on.
 *
 * @throws {@link ImportError} when the path itself cannot be read.
 */
export async function* readImport(options: {
  readonly path: string;
  /** Name of where the data comes from. With `fullUrl` it identifies a record over all imports. */
  readonly source: string;
  /** Names of the files to read; all by default. */
  readonly only?: ReadonlySet<string>;
}): AsyncGenerator<ImportEntry> {
  const { path, source, only } = options;
  for await (const file of importFiles(path)) {
    if (only?.has(file.name) !== false) yield* fromFile(file, source);
  }
}
