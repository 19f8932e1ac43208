import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type AuthorizationServer, isAuthorizationPath } from '../authorization/authorization-server.ts';
import { allowOrigins } from '../authorization/cors.ts';
import type { Caller } from '../caller.ts';
import { peerCertificate } from '../tls/peer-certificate.ts';
import { serverTlsOptions, type TlsIdentity } from '../tls/tls-options.ts';
import { limitArrival } from './arrival-limit.ts';
import { acceptContentTypes } from './content-types.ts';
import { answerFor, certificateNotTrusted, encodeError, HttpError } from './error-answers.ts';
import * as limits from './limits.ts';
import { RATE_LIMITS, RateLimiter, type RateLimits } from './rate-limits.ts';

/** Structured log. Fields name routes, statuses and times; never a path, a query string or a body. */
export interface ServerLog {
  readonly info: (fields: object, message: string) => void;
  readonly error: (fields: object, message: string) => void;
}

export interface GatewayServerOptions {
  readonly tls: TlsIdentity;
  /** Interface to bind; `127.0.0.1` by default. */
  readonly host?: string;
  /** The port of the origin that the authorization server was made with. */
  readonly port: number;
  readonly authorization: AuthorizationServer;
  readonly log: ServerLog;
  /** Adds routes. Each one is behind authentication unless its `config` is {@link PUBLIC_ROUTE}. */
  readonly registerRoutes: (app: FastifyInstance) => void | Promise<void>;
  /** {@link RATE_LIMITS} unless given. */
  readonly rateLimits?: RateLimits;
}

export interface GatewayServer {
  readonly origin: string;
  /** Takes no new requests, lets those under way end, then closes. */
  readonly close: () => Promise<void>;
}

/** `app.get('/fhir/R4/metadata', { config: PUBLIC_ROUTE }, handler)`: a route that anybody may read. */
export const PUBLIC_ROUTE = { isPublic: true } as const;

const callers = new WeakMap<FastifyRequest, Caller>();

/**
 * Who asks.
 *
 * @throws {@link HttpError} on a public route, where nobody was asked.
 */
export function callerOf(request: FastifyRequest): Caller {
  const caller = callers.get(request);
  if (caller) return caller;
  throw new HttpError({
    status: 401,
    code: 'token/missing',
    message: 'The request carries no access token.',
    help: 'Ask the token endpoint for one.',
  });
}

function pathOf(request: Pick<IncomingMessage, 'url'>): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

function sendError(error: unknown, request: IncomingMessage, response: ServerResponse): void {
  const answer = answerFor(error);
  const { headers, body } = encodeError(answer, pathOf(request));
  response.writeHead(answer.status, { ...headers, 'cache-control': 'no-store' });
  response.end(body);
}

/** TLS 1.3 in front, the authorization server beside the framework, both under the same timeouts. */
function createListener(
  options: GatewayServerOptions,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  const server = createServer(
    {
      ...serverTlsOptions(options.tls),
      headersTimeout: limits.HEADERS_MS_MAX,
      requestTimeout: limits.DOCUMENT_MS_MAX,
      keepAliveTimeout: limits.KEEP_ALIVE_MS,
      connectionsCheckingInterval: limits.CONNECTIONS_CHECK_MS,
      maxHeaderSize: limits.HEADER_BYTES_MAX,
    },
    (request, response) => {
      limitArrival(request, limits.REQUEST_MS_MAX);
      if (peerCertificate(request).status === 'untrusted')
        sendError(certificateNotTrusted(), request, response);
      else if (isAuthorizationPath(pathOf(request))) options.authorization.handle(request, response);
      else handler(request, response);
    },
  );
  server.maxConnections = limits.CONNECTIONS_MAX;
  server.maxRequestsPerSocket = limits.REQUESTS_PER_CONNECTION_MAX;
  return server;
}

/** The pattern of the route, which names no record. */
export function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? 'no route';
}

type SendError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply;

/** How every error is answered, whether a route, a hook or the router itself raised it. */
function errorSender(log: ServerLog): SendError {
  return (error, request, reply) => {
    const answer = answerFor(error);
    if (answer.status >= 500) {
      // The stack shows code; the message of a foreign error may show data, so only its class is kept.
      const fault =
        error instanceof Error ? { fault: error.name, at: framesOf(error) } : { fault: 'unknown' };
      log.error({ ...fault, method: request.method, route: routeOf(request) }, 'a request failed');
    }
    const { headers, body } = encodeError(answer, pathOf(request.raw));
    return reply.code(answer.status).headers(headers).send(body);
  };
}

function answerErrors(app: FastifyInstance, send: SendError): void {
  app.setErrorHandler(send);
  app.setNotFoundHandler((request, reply) =>
    send(
      new HttpError({
        status: 404,
        code: 'request/no-such-route',
        message: 'There is nothing at this address.',
        help: 'The FHIR base is /fhir/R4.',
      }),
      request,
      reply,
    ),
  );
}

const FRAMES_MAX = 8;

function framesOf(error: Error): readonly string[] {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .slice(0, FRAMES_MAX)
    .map((line) => line.trim());
}

function requireTokens(app: FastifyInstance, authorization: AuthorizationServer, limiter: RateLimiter): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const isPublic =
      'isPublic' in request.routeOptions.config && request.routeOptions.config.isPublic === true;
    if (isPublic || request.is404) return;
    const credentials = {
      authorization: request.headers.authorization,
      certificate: peerCertificate(request.raw),
    };
    const caller = await authorization.authenticate(credentials).catch(async (error: unknown) => {
      await limiter.noteRefused(request.ip);
      throw error;
    });
    await limiter.requireCaller(caller);
    callers.set(request, caller);
  });
}

function logRequests(app: FastifyInstance, log: ServerLog): void {
  app.addHook('onResponse', async (request, reply) => {
    log.info(
      {
        method: request.method,
        route: routeOf(request),
        status: reply.statusCode,
        milliseconds: Math.round(reply.elapsedTime),
      },
      'request',
    );
  });
}

/**
 * Starts a member's gateway: HTTPS with TLS 1.3 only, the authorization server under `/oauth`, SMART discovery under
 * the FHIR base, and the routes that `registerRoutes` adds, each behind {@link callerOf}.
 *
 * @throws Error with code `EADDRINUSE` when the port is taken.
 */
export async function startGatewayServer(options: GatewayServerOptions): Promise<GatewayServer> {
  const send = errorSender(options.log);
  const app = Fastify({
    frameworkErrors: send,
    serverFactory: (handler) => createListener(options, handler),
    bodyLimit: limits.BODY_BYTES_MAX,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: limits.URL_BYTES_MAX },
    exposeHeadRoutes: false,
  });
  const closing = new AbortController();
  app.addHook('onSend', async (_request, reply) => {
    // A kept-alive connection would hold the shutdown up.
    if (closing.signal.aborted) reply.header('connection', 'close');
  });
  answerErrors(app, send);
  logRequests(app, options.log);
  const limiter = new RateLimiter(options.rateLimits ?? RATE_LIMITS);
  limiter.countRequests(app);
  allowOrigins(app, options.authorization.clients);
  requireTokens(app, options.authorization, limiter);
  acceptContentTypes(app);
  const discovery = JSON.stringify(options.authorization.smartConfiguration);
  app.get('/fhir/R4/.well-known/smart-configuration', { config: PUBLIC_ROUTE }, async (_request, reply) =>
    reply.type('application/json').send(discovery),
  );
  await options.registerRoutes(app);
  await app.listen({ host: options.host ?? '127.0.0.1', port: options.port });
  return {
    origin: options.authorization.issuer.replace(/\/oauth$/, ''),
    close: () => closeWithin(app, closing),
  };
}

async function closeWithin(app: FastifyInstance, closing: AbortController): Promise<void> {
  closing.abort();
  const cut = setTimeout(() => app.server.closeAllConnections(), limits.SHUTDOWN_MS_MAX);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}
