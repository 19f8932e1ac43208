import {
  isLosslessArray,
  isLosslessObject,
  type LosslessObject,
  type LosslessResource,
  type LosslessValue,
  parseReference,
  toLossless,
  valueAt,
  withField,
  withoutField,
} from '@careledger/fhir';
import type { DocumentContent, RecordKey, StoredVersion } from '../vault/index.ts';
import { FhirError } from './fhir-error.ts';

/** On `Binary._data`: the content stands in a chunk file. Set by this server alone. */
export const DOCUMENT_EXTENSION = 'https://careledger.example/fhir/document';

/** What stands in the place of a Binary's `data` when its content is a document: size, digest, name. */
export function documentElement(content: Pick<DocumentContent, 'name' | 'size' | 'sha256'>): LosslessObject {
  const sha256 = Buffer.from(content.sha256).toString('base64');
  const extension = [
    { url: 'name', valueId: content.name },
    { url: 'size', valueUnsignedInt: content.size },
    { url: 'sha-256', valueBase64Binary: sha256 },
  ];
  return toLossless({ extension: [{ url: DOCUMENT_EXTENSION, extension }] }) as LosslessObject;
}

function extensionsOf(value: LosslessValue | undefined): readonly LosslessObject[] {
  const listed = isLosslessObject(value) ? value.extension : undefined;
  return isLosslessArray(listed) ? listed.filter(isLosslessObject) : [];
}

function nameIn(resource: LosslessResource): string | undefined {
  // biome-ignore lint/complexity/useLiteralKeys: an element of FHIR, not a private name.
  const found = extensionsOf(resource['_data']).find(({ url }) => url === DOCUMENT_EXTENSION);
  const name = extensionsOf(found).find(({ url }) => url === 'name')?.valueId;
  return found && typeof name === 'string' ? name : undefined;
}

/** A resource on its way into the vault, with the document that its version will hold. */
export interface WithDocument {
  readonly resource: LosslessResource;
  readonly document?: DocumentContent;
}

/**
 * Finds the document that a Binary names: one that has just been received, or the one of the version that it replaces.
 *
 * @throws {@link FhirError} 422 for any other name: nobody reaches a document by writing its name down.
 */
export function binaryWithDocument(
  resource: LosslessResource,
  options: {
    readonly received: (name: string) => DocumentContent | undefined;
    readonly replaces: StoredVersion | undefined;
  },
): WithDocument {
  const name = nameIn(resource);
  if (name === undefined) return { resource };
  const before = options.replaces?.document;
  const document = options.received(name) ?? (before?.name === name ? before : undefined);
  if (!document) {
    throw new FhirError({
      status: 422,
      code: 'business-rule',
      message: 'The Binary names a document that this request did not bring.',
      help: 'Send the content itself: PUT or POST it to Binary with its own content type.',
      expression: ['Binary.data.extension'],
    });
  }
  const bare = withoutField(resource, 'data') as LosslessResource;
  return { resource: withField(bare, '_data', documentElement(document)) as LosslessResource, document };
}

/** The attachments of a DocumentReference that refer to a Binary here, by their place in `content`. */
function attachedBinaries(resource: LosslessResource, ownBases: readonly string[]): Map<number, RecordKey> {
  const found = new Map<number, RecordKey>();
  if (!isLosslessArray(resource.content)) return found;
  for (const index of resource.content.keys()) {
    const url = valueAt(resource, ['content', index, 'attachment', 'url']);
    if (typeof url !== 'string') continue;
    const base = ownBases.find((own) => url.startsWith(own)) ?? '';
    const reference = parseReference(url.slice(base.length));
    if (reference.kind !== 'relative' || reference.type !== 'Binary' || !reference.id) continue;
    found.set(index, { type: 'Binary', id: reference.id });
  }
  return found;
}

function refuseOther(index: number, element: 'size' | 'hash'): never {
  throw new FhirError({
    status: 422,
    code: 'value',
    message: `The attachment’s ${element} is not that of the document it refers to.`,
    help: 'Leave size and hash out, and they are filled in; or refer to the right Binary.',
    expression: [`DocumentReference.content[${index}].attachment.${element}`],
  });
}

function withDigests(attachment: LosslessObject, document: DocumentContent, index: number): LosslessObject {
  const size = toLossless(document.size);
  const hash = Buffer.from(document.sha1).toString('base64');
  const said = attachment.size;
  const saidSize = isLosslessObject(said) || said === undefined ? undefined : String(Object(said).text);
  if (saidSize !== undefined && Number(saidSize) !== document.size) refuseOther(index, 'size');
  if (attachment.hash !== undefined && attachment.hash !== hash) refuseOther(index, 'hash');
  return { ...attachment, size: said ?? size, hash };
}

/**
 * Fills in size and hash of the documents that a DocumentReference refers to (`hash` is SHA-1, as FHIR R4 says). Only
 * documents of the same patients: of others not even the size is told.
 *
 * @throws {@link FhirError} 422 when what was written down is not right.
 */
export async function withAttachmentDigests(
  resource: LosslessResource,
  options: {
    readonly ownBases: readonly string[];
    readonly subjects: readonly string[];
    readonly current: (key: RecordKey) => Promise<StoredVersion | undefined>;
  },
): Promise<LosslessResource> {
  const content = [...(isLosslessArray(resource.content) ? resource.content : [])];
  let isFilled = false;
  for (const [index, key] of attachedBinaries(resource, options.ownBases)) {
    const binary = await options.current(key);
    const listed = content[index];
    if (!binary?.document || binary.deleted || !isLosslessObject(listed)) continue;
    const { subjects } = binary;
    if (subjects.length === 0 || !subjects.every((subject) => options.subjects.includes(subject))) continue;
    const attachment = isLosslessObject(listed.attachment) ? listed.attachment : {};
    content[index] = { ...listed, attachment: withDigests(attachment, binary.document, index) };
    isFilled = true;
  }
  return isFilled ? (withField(resource, 'content', content) as LosslessResource) : resource;
}
