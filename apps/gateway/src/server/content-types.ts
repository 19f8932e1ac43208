import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { HttpError } from './error-answers.ts';
import { isDeeperThan } from './json-depth.ts';
import { BODY_BYTES_MAX, FORM_BYTES_MAX, JSON_DEPTH_MAX } from './limits.ts';

/** JSON bodies: handed on as the text that came, for the lossless parser of the FHIR layer. */
const JSON_TYPES = ['application/fhir+json', 'application/json', 'application/json-patch+json'];
const FORM_TYPE = 'application/x-www-form-urlencoded';

function refuseEncoded(request: FastifyRequest): void {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return;
  throw new HttpError({
    status: 415,
    code: 'request/content-encoding',
    message: 'Compressed request bodies are not accepted.',
    help: 'Send the body as it is, without Content-Encoding.',
  });
}

function refuseDeep(text: string): void {
  if (!isDeeperThan(text, JSON_DEPTH_MAX)) return;
  throw new HttpError({
    status: 400,
    code: 'request/too-deep',
    message: `The body nests deeper than ${JSON_DEPTH_MAX} levels.`,
    help: 'Send a flatter resource.',
  });
}

/** UTF-8 or nothing: a replaced byte would change a record silently. */
function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new HttpError({
      status: 400,
      code: 'request/not-utf-8',
      message: 'The body is not UTF-8.',
      help: 'Encode the body as UTF-8.',
    });
  }
}

const DOCUMENT_ROUTE = /^\/fhir\/R4\/Binary(\/[A-Za-z0-9\-.]{1,64})?(\?|$)/;

/** Does the request bring a Binary's content itself (FHIR R4, binary)? */
export function isDocumentUpload(request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>): boolean {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const isText = JSON_TYPES.includes(type) || type === FORM_TYPE;
  return ['POST', 'PUT'].includes(request.method ?? '') && DOCUMENT_ROUTE.test(request.url ?? '') && !isText;
}

/** Registers what bodies this server reads. A handler's `request.body` is a text, or a document's stream. */
export function acceptContentTypes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addHook('preParsing', async (request) => refuseEncoded(request));
  app.addContentTypeParser(
    JSON_TYPES,
    { parseAs: 'buffer', bodyLimit: BODY_BYTES_MAX },
    async (_request: FastifyRequest, body: Buffer) => {
      const text = decode(body);
      refuseDeep(text);
      return text;
    },
  );
  app.addContentTypeParser(
    FORM_TYPE,
    { parseAs: 'buffer', bodyLimit: FORM_BYTES_MAX },
    async (_request: FastifyRequest, body: Buffer) => decode(body),
  );
  // The content of a document has any other type. It is not read here: who stores it streams it.
  app.addContentTypeParser('*', async (request: FastifyRequest, body: IncomingMessage) => {
    if (isDocumentUpload(request)) return body;
    throw new HttpError({
      status: 415,
      code: 'request/content-type',
      message: 'The content type of the body is not accepted here.',
      help: 'Send application/fhir+json, application/json-patch+json or, for a search, a form.',
    });
  });
}
