import type { FastifyInstance, FastifyRequest } from 'fastify';
import { HttpError } from './error-answers.ts';
import { isDeeperThan } from './json-depth.ts';
import { BODY_BYTES_MAX, FORM_BYTES_MAX, JSON_DEPTH_MAX } from './limits.ts';

/** JSON bodies: handed on as the text that came, for the lossless parser of the FHIR layer. */
const JSON_TYPES = ['application/fhir+json', 'application/json', 'application/json-patch+json'];

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

/** Registers what bodies this server reads. A handler's `request.body` is a text, or bytes for octet streams. */
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
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer', bodyLimit: FORM_BYTES_MAX },
    async (_request: FastifyRequest, body: Buffer) => decode(body),
  );
  app.addContentTypeParser(
    'application/octet-stream',
    { parseAs: 'buffer', bodyLimit: BODY_BYTES_MAX },
    async (_request: FastifyRequest, body: Buffer) => new Uint8Array(body),
  );
}
