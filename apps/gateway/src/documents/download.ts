import { Readable } from 'node:stream';
import {
  canonicalText,
  isLosslessObject,
  type LosslessObject,
  parseLossless,
  withField,
  withoutField,
} from '@careledger/fhir';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../caller.ts';
import { type RecordStore, readCurrent, readVersion } from '../fhir/index.ts';
import {
  DOCUMENT_CHUNK_BYTES,
  type DocumentContent,
  type DocumentFiles,
  type StoredVersion,
} from '../vault/index.ts';
import { acceptedForm } from './accepted.ts';
import { byteRangeOf } from './byte-range.ts';
import { notAcceptable, tooLargeToInline } from './errors.ts';
import { INLINE_BYTES_MAX } from './limits.ts';

const FHIR = 'application/fhir+json; charset=utf-8';
const UNKNOWN_TYPE = 'application/octet-stream';

export interface DownloadOptions {
  readonly store: RecordStore;
  readonly documents: DocumentFiles;
  /** Hears that a document was found to be altered while it was sent. */
  readonly onFault: (error: unknown) => void;
}

export interface Download {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
  readonly id: string;
  readonly version: string | undefined;
}

/** Hands out what a Binary holds: as a stream of its own type, whole or in part, or inside the resource. */
export class DocumentDownloads {
  readonly #options: DownloadOptions;

  constructor(options: DownloadOptions) {
    this.#options = options;
  }

  /**
   * @returns False for what the FHIR API answers: a Binary without a document that is asked for as a resource.
   * @throws {@link FhirError} 403, 404, 410 as reading does; HttpError 406.
   */
  async send({ request, reply, caller, id, version }: Download): Promise<boolean> {
    const scope = { store: this.#options.store, caller };
    const stored = await (version === undefined
      ? readCurrent(scope, { type: 'Binary', id })
      : readVersion(scope, { type: 'Binary', id, version }));
    const tree = parseLossless(stored.text);
    if (!isLosslessObject(tree)) return false;
    const contentType = typeof tree.contentType === 'string' ? tree.contentType : UNKNOWN_TYPE;
    const format = new URL(request.url, 'https://localhost').searchParams.get('_format');
    const form = acceptedForm({ accept: request.headers.accept, format }, contentType);
    if (form === 'neither') throw notAcceptable();
    if (stored.document) {
      const document = stored.document;
      if (form === 'resource') await this.#sendResource(reply, { stored, document, tree, contentType });
      else await this.#sendDocument(request, reply, { stored, document, contentType });
      return true;
    }
    if (form !== 'content') return false;
    const inline = Buffer.from(typeof tree.data === 'string' ? tree.data : '', 'base64');
    await contentHeaders(reply, stored, contentType).send(inline);
    return true;
  }

  /** The resource with its content in place of the pointer: a shaped copy, not the text that was committed. */
  async #sendResource(
    reply: FastifyReply,
    asked: {
      readonly stored: StoredVersion;
      readonly document: DocumentContent;
      readonly tree: LosslessObject;
      readonly contentType: string;
    },
  ): Promise<void> {
    const { stored, document, tree, contentType } = asked;
    if (document.size > INLINE_BYTES_MAX) throw tooLargeToInline(contentType);
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#options.documents.read(document)) chunks.push(chunk);
    const data = Buffer.concat(chunks).toString('base64');
    // An empty `data` would be no valid FHIR: an empty document keeps its pointer.
    const text =
      data === '' ? stored.text : canonicalText(withField(withoutField(tree, '_data'), 'data', data));
    await versionHeaders(reply, stored).type(FHIR).send(text);
  }

  async #sendDocument(
    request: FastifyRequest,
    reply: FastifyReply,
    asked: {
      readonly stored: StoredVersion;
      readonly document: DocumentContent;
      readonly contentType: string;
    },
  ): Promise<void> {
    const { stored, document, contentType } = asked;
    const { size, sha256 } = document;
    // Our validators are weak, and If-Range needs a strong one: with it, the whole is sent.
    const header = request.headers['if-range'] === undefined ? request.headers.range : undefined;
    const range = size === 0 ? undefined : byteRangeOf(header, size);
    contentHeaders(reply, stored, contentType)
      .header('accept-ranges', 'bytes')
      .header('repr-digest', `sha-256=:${Buffer.from(sha256).toString('base64')}:`);
    if (range === 'unsatisfiable') {
      await reply.code(416).header('content-range', `bytes */${size}`).send();
      return;
    }
    const length = range ? range.last - range.first + 1 : size;
    if (range) reply.code(206).header('content-range', `bytes ${range.first}-${range.last}/${size}`);
    reply.header('content-length', length);
    if (request.method === 'HEAD') {
      await reply.send();
      return;
    }
    await reply.send(this.#stream(document, range));
  }

  #stream(document: DocumentContent, range: { first: number; last: number } | undefined): Readable {
    const chunks = this.#options.documents.read(document, range);
    const stream = Readable.from(chunks, { objectMode: false, highWaterMark: DOCUMENT_CHUNK_BYTES });
    // The length was announced: a stream that ends in an error is cut off, and nobody takes it for the whole.
    stream.on('error', this.#options.onFault);
    return stream;
  }
}

function versionHeaders(reply: FastifyReply, { version, time }: StoredVersion): FastifyReply {
  return reply
    .code(200)
    .header('etag', `W/"${version}"`)
    .header('last-modified', new Date(time).toUTCString());
}

/** A stored page must not run in this origin, whatever it says it is. */
function contentHeaders(reply: FastifyReply, stored: StoredVersion, contentType: string): FastifyReply {
  return versionHeaders(reply, stored)
    .type(contentType)
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', "sandbox; default-src 'none'")
    .header('content-disposition', 'attachment');
}
