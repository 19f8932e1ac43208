import {
  type PageEvidence,
  pageEvidenceCodec,
  type RecordEvidence,
  type ReleasePage,
  recordEvidenceCodec,
} from '@careledger/custody';
import {
  canonicalText,
  isLosslessArray,
  isLosslessObject,
  isResource,
  JsonError,
  type LosslessObject,
  type LosslessResource,
  type LosslessValue,
  parseLossless,
  toLossless,
} from '@careledger/fhir';
import { CborError, type Codec, utf8 } from '@careledger/primitives';
import { RESOURCE_BYTES_MAX } from '../vault/index.ts';

const BASE = 'https://careledger.example/fhir';
const LEAF_EXTENSION = `${BASE}/disclosure-leaf`;
const PAGE_EXTENSION = `${BASE}/page-evidence`;
const RECORD_EXTENSION = `${BASE}/record-evidence`;
const NEXT_EXTENSION = `${BASE}/next-page`;
const OBLIGATION_EXTENSION = `${BASE}/obligation`;

/** The largest page that is read from another member. */
export const PAGE_BYTES_MAX = 4 * RESOURCE_BYTES_MAX;

export interface OutgoingPage {
  readonly leaf: Uint8Array;
  readonly evidence: PageEvidence;
  readonly records: readonly { readonly text: string; readonly evidence: RecordEvidence }[];
  /** Notices that go with the bundle, never into a resource. */
  readonly obligations: readonly string[];
  readonly next?: string;
}

export interface IncomingPage extends ReleasePage {
  readonly resources: readonly LosslessResource[];
  readonly obligations: readonly string[];
  readonly next: string | undefined;
}

function binary(
  url: string,
  bytes: Uint8Array,
): { readonly url: string; readonly valueBase64Binary: string } {
  return { url, valueBase64Binary: Buffer.from(bytes).toString('base64') };
}

/** A page as a FHIR searchset, its resources being the texts that were committed. */
export function encodeReleaseBundle(page: OutgoingPage): string {
  const extension = [
    binary(LEAF_EXTENSION, page.leaf),
    binary(PAGE_EXTENSION, pageEvidenceCodec.encode(page.evidence)),
    ...page.obligations.map((code) => ({ url: OBLIGATION_EXTENSION, valueCode: code })),
    ...(page.next === undefined ? [] : [{ url: NEXT_EXTENSION, valueString: page.next }]),
  ];
  const entries = page.records.map(({ text, evidence }) => {
    const proof = canonicalText(toLossless([binary(RECORD_EXTENSION, recordEvidenceCodec.encode(evidence))]));
    return `{"extension":${proof},"resource":${text}}`;
  });
  const meta = canonicalText(toLossless({ extension }));
  const entry = entries.length === 0 ? '' : `"entry":[${entries.join(',')}],`;
  return `{${entry}"meta":${meta},"resourceType":"Bundle","type":"searchset"}`;
}

function objectsOf(value: LosslessValue | undefined): readonly LosslessObject[] {
  return isLosslessArray(value) ? value.filter(isLosslessObject) : [];
}

function valuesOf(element: LosslessObject, url: string, member: string): readonly string[] {
  return objectsOf(element.extension)
    .filter((extension) => extension.url === url)
    .flatMap((extension) => (typeof extension[member] === 'string' ? [extension[member]] : []));
}

function decodeBinary<Value>(element: LosslessObject, url: string, codec: Codec<Value>): Value | undefined {
  const [text] = valuesOf(element, url, 'valueBase64Binary');
  return text === undefined ? undefined : codec.decode(new Uint8Array(Buffer.from(text, 'base64')));
}

function readEntry(entry: LosslessObject) {
  const resource = entry.resource;
  const evidence = decodeBinary(entry, RECORD_EXTENSION, recordEvidenceCodec);
  if (!isResource(resource) || !evidence) return undefined;
  return { resource, bytes: utf8(canonicalText(resource)), evidence };
}

function readBundle(bundle: LosslessObject): IncomingPage | undefined {
  const meta = bundle.meta;
  if (!isLosslessObject(meta)) return undefined;
  const [leaf] = valuesOf(meta, LEAF_EXTENSION, 'valueBase64Binary');
  const evidence = decodeBinary(meta, PAGE_EXTENSION, pageEvidenceCodec);
  const entries = objectsOf(bundle.entry).map(readEntry);
  if (leaf === undefined || !evidence || entries.includes(undefined)) return undefined;
  const records = entries.filter((entry) => entry !== undefined);
  return {
    leaf: new Uint8Array(Buffer.from(leaf, 'base64')),
    evidence,
    records: records.map(({ bytes, evidence: proof }) => ({ bytes, evidence: proof })),
    resources: records.map(({ resource }) => resource),
    obligations: valuesOf(meta, OBLIGATION_EXTENSION, 'valueCode'),
    next: valuesOf(meta, NEXT_EXTENSION, 'valueString')[0],
  };
}

/** Reads a page as it came. `undefined` when it is none: no leaf, no evidence, no JSON. Believes nothing of it. */
export function decodeReleaseBundle(text: string): IncomingPage | undefined {
  try {
    const bundle = parseLossless(text);
    return isLosslessObject(bundle) ? readBundle(bundle) : undefined;
  } catch (error) {
    if (error instanceof JsonError || error instanceof CborError) return undefined;
    throw error;
  }
}
