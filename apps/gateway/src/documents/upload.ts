import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../caller.ts';
import { documentElement, type FhirInput, type FhirService, requireScope } from '../fhir/index.ts';
import { DOCUMENT_BYTES_MAX, type DocumentContent, type DocumentFiles, VaultError } from '../vault/index.ts';
import {
  contentTypeMissing,
  contextMalformed,
  documentTooLarge,
  tooManyUploads,
  uploadBroken,
} from './errors.ts';
import { CONTENT_TYPE_BYTES_MAX, UPLOADS_MAX } from './limits.ts';

const CONTENT_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}( ?; ?[!-~]+)*$/i;
const REFERENCE = /^[A-Z][A-Za-z]{1,63}\/[A-Za-z0-9\-.]{1,64}$/;

export interface UploadOptions {
  readonly service: FhirService;
  readonly documents: DocumentFiles;
  /** Own FHIR base URL, with a last slash. */
  readonly ownBase: string;
  readonly bytesMax?: number;
}

export interface Upload {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
  /** Id of the Binary that a PUT replaces. */
  readonly id: string | undefined;
}

function contentTypeOf({ headers }: FastifyRequest): string {
  const type = headers['content-type']?.trim() ?? '';
  if (type.length > CONTENT_TYPE_BYTES_MAX || !CONTENT_TYPE.test(type)) throw contentTypeMissing();
  return type;
}

function securityContextOf({ headers }: FastifyRequest, ownBase: string): string | undefined {
  const header = headers['x-security-context'];
  if (header === undefined) return undefined;
  const text = Array.isArray(header) ? '' : header.trim();
  const reference = text.startsWith(ownBase) ? text.slice(ownBase.length) : text;
  if (REFERENCE.test(reference)) return reference;
  throw contextMalformed();
}

/** Stores Binaries that come as what they hold: streamed to the disk, then written like any other resource. */
export class DocumentUploads {
  readonly #options: UploadOptions;
  readonly #bytesMax: number;
  #underWay = 0;

  constructor(options: UploadOptions) {
    this.#options = options;
    this.#bytesMax = options.bytesMax ?? DOCUMENT_BYTES_MAX;
  }

  /** @throws HttpError, {@link FhirError} 403: before a byte of the body is read, where that can be known. */
  async store(upload: Upload): Promise<void> {
    const { request, caller, id } = upload;
    requireScope(caller, 'Binary', id === undefined ? 'create' : 'update');
    const contentType = contentTypeOf(request);
    const context = securityContextOf(request, this.#options.ownBase);
    if (Number(request.headers['content-length'] ?? 0) > this.#bytesMax) throw this.#tooLarge(upload.reply);
    if (this.#underWay >= UPLOADS_MAX) throw tooManyUploads();
    this.#underWay += 1;
    try {
      const document = await this.#receive(upload);
      try {
        await this.#write(upload, { contentType, context, document });
      } finally {
        await this.#options.documents.discard(document.name);
      }
    } finally {
      this.#underWay -= 1;
    }
  }

  #tooLarge(reply: FastifyReply): Error {
    // The rest of the body is not read: the connection cannot be used again.
    reply.header('connection', 'close');
    return documentTooLarge(this.#bytesMax);
  }

  async #receive({ request, reply }: Upload): Promise<DocumentContent> {
    try {
      return await this.#options.documents.receive(request.body as Readable, this.#bytesMax);
    } catch (error) {
      if (error instanceof VaultError && error.code === 'vault/document-too-large')
        throw this.#tooLarge(reply);
      if (request.raw.errored || request.raw.destroyed) throw uploadBroken();
      throw error;
    }
  }

  async #write(
    { request, reply, caller, id }: Upload,
    received: {
      readonly contentType: string;
      readonly context: string | undefined;
      readonly document: DocumentContent;
    },
  ): Promise<void> {
    const { contentType, context, document } = received;
    const resource = {
      resourceType: 'Binary',
      ...(id === undefined ? {} : { id }),
      contentType,
      ...(context === undefined ? {} : { securityContext: { reference: context } }),
      _data: documentElement(document),
    };
    const headers: Record<string, string | undefined> = { 'content-type': 'application/fhir+json' };
    for (const name of ['prefer', 'if-match', 'if-none-match', 'if-none-exist']) {
      const value = request.headers[name];
      if (typeof value === 'string') headers[name] = value;
    }
    const input: FhirInput = {
      method: id === undefined ? 'POST' : 'PUT',
      path: id === undefined ? 'Binary' : `Binary/${id}`,
      query: '',
      headers,
      body: JSON.stringify(resource),
      caller,
    };
    const { status, headers: answered, body } = await this.#options.service.handle(input);
    await reply.code(status).headers(answered).send(body);
  }
}
