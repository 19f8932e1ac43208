import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../caller.ts';
import { callerOf, HttpError, PUBLIC_ROUTE } from '../server/index.ts';
import { capabilityStatement, type ServedOperation } from './capability-statement.ts';
import type { FhirInput, FhirMethod } from './fhir-request.ts';
import type { FhirService } from './fhir-service.ts';

/** Path of the FHIR API. */
export const FHIR_BASE_PATH = '/fhir/R4';

export interface FhirRoutesOptions {
  readonly service: FhirService;
  /** FHIR base URL, without a last slash. */
  readonly baseUrl: string;
  readonly organization: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  /** Operations that other parts of the gateway answer under the FHIR base, for `/metadata`. */
  readonly operations?: readonly ServedOperation[];
  /**
   * Answers what another member asks under the FHIR base, and the patient's consent; `undefined` leaves the request to
   * the FHIR API.
   */
  readonly intercept?: (request: FastifyRequest, reply: FastifyReply, caller: Caller) => Promise<boolean>;
}

/** Headers that FHIR gives a meaning. */
const HEADERS = [
  ...['prefer', 'content-type', 'x-provenance'],
  ...['if-match', 'if-none-match', 'if-none-exist', 'if-modified-since'],
] as const;

function inputOf(request: FastifyRequest, caller: Caller): FhirInput {
  const address = request.url.slice(FHIR_BASE_PATH.length);
  const mark = address.indexOf('?');
  const path = mark === -1 ? address : address.slice(0, mark);
  const query = mark === -1 ? '' : address.slice(mark + 1);
  const headers: Record<string, string | undefined> = {};
  for (const name of HEADERS) {
    const value = request.headers[name];
    headers[name] = Array.isArray(value) ? value.join(',') : value;
  }
  return {
    method: request.method as FhirMethod,
    path: decodedPath(path.replace(/^\/+/, '')),
    query,
    headers,
    body: typeof request.body === 'string' ? request.body : undefined,
    caller,
  };
}

/** `%24everything` is `$everything`. What does not decode is an address that nothing answers. */
function decodedPath(path: string): string {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

const JSON_FORMAT = /^(json|(application|text)\/(fhir\+)?json|application\/cbor)\b|^\*\/\*|^application\/\*/i;

/** This server speaks JSON. @throws {@link HttpError} 406 for a caller who takes nothing of the kind. */
function requireJson(request: FastifyRequest): void {
  const { url } = request;
  const query = url.includes('_format=') ? url.slice(url.indexOf('?') + 1) : '';
  const format = query === '' ? null : new URLSearchParams(query).get('_format');
  const accept = request.headers.accept ?? '*/*';
  // `_format` overrides the header (FHIR R4, http, section 3.1.0.1.11). A bare plus arrives as a space.
  const wanted = format === null ? accept.split(',') : [format.replace(' ', '+')];
  if (wanted.some((type) => JSON_FORMAT.test(type.trim()))) return;
  throw new HttpError({
    status: 406,
    code: 'request/format',
    message: 'This server answers in JSON alone.',
    help: 'Ask for application/fhir+json.',
  });
}

/** Registers the FHIR API: `/metadata` for everybody, everything else behind a token. */
export function fhirRoutes(app: FastifyInstance, options: FhirRoutesOptions): void {
  const statement = JSON.stringify(capabilityStatement({ ...options, startedAt: Date.now() }));
  app.route({
    method: ['GET', 'HEAD'],
    url: `${FHIR_BASE_PATH}/metadata`,
    config: PUBLIC_ROUTE,
    handler: async (request, reply) => {
      requireJson(request);
      return reply.type('application/fhir+json; charset=utf-8').send(statement);
    },
  });
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const caller = callerOf(request);
    if (await options.intercept?.(request, reply, caller)) return reply;
    requireJson(request);
    const { status, headers, body } = await options.service.handle(inputOf(request, caller));
    return reply.code(status).headers(headers).send(body);
  };
  const method = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
  app.route({ method, url: FHIR_BASE_PATH, handler: answer });
  app.route({ method, url: `${FHIR_BASE_PATH}/*`, handler: answer });
}
