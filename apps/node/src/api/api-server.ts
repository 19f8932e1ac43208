import type { Socket } from 'node:net';
import rateLimit from '@fastify/rate-limit';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type onResponseHookHandler,
} from 'fastify';
import { messageOf, NodeError } from '../errors.ts';
import type { RunningNode } from '../running-node.ts';
import { AccessDesk } from './access.ts';
import { EventStreams } from './event-streams.ts';
import { type ApiLimits, CALLERS_COUNTED_MAX, DEFAULT_API_LIMITS, LIMIT_WINDOW_MS } from './limits.ts';
import { NodeMetrics } from './metrics.ts';
import { openApiDocument } from './open-api.ts';
import { operationRoutes } from './operation-routes.ts';
import { problemOf } from './problems.ts';
import type { ChainRoute } from './route.ts';
import { chainRoutes } from './routes.ts';

/** Largest JSON body: no question to this API is longer, in bytes. A transaction has its own limit. */
const JSON_BYTES_MAX = 4_096;
/** A slow client holds its connection no longer (measured: `assurance.md`). */
const HEADERS_MS_MAX = 5_000;
const REQUEST_MS_MAX = 10_000;
const CONNECTIONS_CHECK_MS = 1_000;
const URL_PARAMETER_CHARACTERS_MAX = 2_048;

/** The HTTPS API of a node. */
export class ApiServer {
  readonly #node: RunningNode;
  readonly #server: FastifyInstance;
  readonly #streams: EventStreams;
  readonly #access: AccessDesk;
  readonly #metrics: NodeMetrics;
  readonly #limits: ApiLimits;

  constructor(node: RunningNode) {
    this.#node = node;
    this.#limits = { ...DEFAULT_API_LIMITS, ...node.options.apiLimits };
    this.#streams = new EventStreams(node);
    this.#access = new AccessDesk(node);
    this.#metrics = new NodeMetrics({ node, access: this.#access, streams: this.#streams });
    const { certificate, privateKey } = node.options.tls;
    this.#server = Fastify({
      https: {
        cert: certificate,
        key: privateKey,
        minVersion: 'TLSv1.3',
        headersTimeout: HEADERS_MS_MAX,
        requestTimeout: REQUEST_MS_MAX,
        connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
      },
      requestTimeout: REQUEST_MS_MAX,
      bodyLimit: JSON_BYTES_MAX,
      routerOptions: { maxParamLength: URL_PARAMETER_CHARACTERS_MAX },
      // A field that nobody asked for is a mistake of the caller's and not to be dropped in silence.
      ajv: { customOptions: { removeAdditional: false } },
      forceCloseConnections: true,
      // What the router refuses before any route is chosen: a malformed escape, a parameter that is too long.
      frameworkErrors: (fault, request, reply) => this.#fail(fault, request, reply),
    }) as unknown as FastifyInstance;
  }

  /** @returns the port. */
  async listen(host: string, port: number): Promise<number> {
    await this.#prepare();
    const url = await this.#server.listen({ host, port });
    return Number(new URL(url).port);
  }

  async close(): Promise<void> {
    this.#streams.close();
    await this.#server.close();
    this.#metrics.close();
  }

  async #prepare(): Promise<void> {
    const server = this.#server;
    server.removeContentTypeParser('text/plain');
    server.addContentTypeParser('application/cbor', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    server.setErrorHandler((fault, request, reply) => this.#fail(fault, request, reply));
    server.addHook('onResponse', this.#count);
    this.#limitConnections();
    await server.register(rateLimit, {
      max: (_request, key) => this.#allowed(key),
      timeWindow: LIMIT_WINDOW_MS,
      cache: CALLERS_COUNTED_MAX,
      keyGenerator: (request) => this.#access.nameOf(request),
      errorResponseBuilder: (_request, { ttl }) => tooMany(ttl),
    });
    // Behind the plugin, so that guessing addresses counts too.
    server.setNotFoundHandler({ preHandler: server.rateLimit() }, (_request, reply) => {
      const help = 'See /v1/openapi.json for what there is.';
      return reply
        .code(404)
        .send({ code: 'api/not-found', message: 'there is nothing at this address', help });
    });
    const { bodyBytesMax } = this;
    const own = chainRoutes({ node: this.#node, streams: this.#streams, access: this.#access });
    const operations = operationRoutes({
      node: this.#node,
      metrics: this.#metrics,
      document: () => openApiDocument([...operations, ...own]),
    });
    for (const route of [...operations, ...own]) server.route(this.#served(route, bodyBytesMax));
  }

  /** A transaction's limit is the charter's; what is a little longer is told so by the rule itself. */
  get bodyBytesMax(): number {
    return 2 * this.#node.parameters.transactionBytesMax;
  }

  #served({ method, url, schema, body, handler }: ChainRoute, bodyBytesMax: number) {
    const isSubmission = body === 'application/cbor';
    return {
      method,
      url,
      schema,
      handler,
      ...(isSubmission && {
        bodyLimit: bodyBytesMax,
        config: { rateLimit: { max: this.#limits.submissionsInWindow } },
      }),
    };
  }

  #allowed(key: string): number {
    const { requestsInWindow, openRequestsInWindow } = this.#limits;
    return key.startsWith('address ') ? openRequestsInWindow : requestsInWindow;
  }

  /** Whoever opens connection after connection leaves some for the others. */
  #limitConnections(): void {
    const { connections, connectionsFromAddress } = this.#limits;
    const counts = new Map<string, number>();
    const { server } = this.#server;
    server.maxConnections = connections;
    server.on('connection', (socket: Socket) => {
      const address = socket.remoteAddress ?? '';
      const count = (counts.get(address) ?? 0) + 1;
      counts.set(address, count);
      socket.once('close', () => {
        const left = (counts.get(address) ?? 1) - 1;
        if (left > 0) counts.set(address, left);
        else counts.delete(address);
      });
      if (count > connectionsFromAddress) socket.destroy();
    });
  }

  readonly #count: onResponseHookHandler = (request, reply, done) => {
    this.#metrics.countRequest(request.method, request.routeOptions.url ?? 'none', reply.statusCode);
    done();
  };

  #fail(fault: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { status, problem } = problemOf(fault);
    if (status >= 500) {
      const route = request.routeOptions.url;
      this.#node.log.error({ route, code: problem.code, problem: messageOf(fault) }, 'a request failed');
    }
    return reply.code(status).send(problem);
  }
}

function tooMany(milliseconds: number): NodeError {
  return new NodeError(
    'api/too-many-requests',
    'too many requests',
    `Ask again in ${Math.max(1, Math.ceil(milliseconds / 1_000))} s, and less often.`,
  );
}
