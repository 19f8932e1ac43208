import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { ClientRegistry } from './clients.ts';

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
/** What a script may send along. */
const REQUEST_HEADERS =
  'Authorization, Content-Type, Accept, Prefer, If-Match, If-None-Match, If-None-Exist, If-Modified-Since';
/** What a script may read of an answer. */
const ANSWER_HEADERS =
  'ETag, Location, Content-Location, Last-Modified, WWW-Authenticate, Retry-After, X-Progress';
const PREFLIGHT_SECONDS = 600;

type Headers = Readonly<Record<string, string>>;

/** The headers for one origin; none for an origin that no app has registered. Never with cookies. */
async function corsHeaders(clients: ClientRegistry, origin: string): Promise<Headers | undefined> {
  if (!(await clients.isOrigin?.(origin))) return undefined;
  return { 'access-control-allow-origin': origin, 'access-control-expose-headers': ANSWER_HEADERS };
}

const PREFLIGHT: Headers = {
  'access-control-allow-methods': METHODS,
  'access-control-allow-headers': REQUEST_HEADERS,
  'access-control-max-age': String(PREFLIGHT_SECONDS),
};

/** Lets scripts of registered apps call the FHIR API and read its discovery: the browser asks, this answers. */
export function allowOrigins(app: FastifyInstance, clients: ClientRegistry): void {
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    if (origin === undefined || !request.url.startsWith('/fhir/')) return;
    reply.header('vary', 'Origin');
    const headers = await corsHeaders(clients, origin);
    if (headers) reply.headers(headers);
    if (request.method !== 'OPTIONS' || !headers) return;
    return reply.code(204).headers(PREFLIGHT).send();
  });
}

/**
 * The same for the token endpoint and its like, which the library would open to every origin.
 *
 * @returns Whether it was answered: a preflight, or a request from an origin that is not registered.
 */
export async function answerOrigin(
  clients: ClientRegistry,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const { origin } = request.headers;
  if (origin === undefined) return false;
  response.setHeader('vary', 'Origin');
  const headers = await corsHeaders(clients, origin);
  if (!headers) {
    response.writeHead(403, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ error: 'invalid_request', error_description: 'the origin is not registered' }),
    );
    return true;
  }
  if (request.method !== 'OPTIONS') return false;
  response.writeHead(204, { ...headers, ...PREFLIGHT });
  response.end();
  return true;
}
