import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { messageOf, NodeError } from '../errors.ts';
import type { RunningNode } from '../running-node.ts';
import { EventStreams } from './event-streams.ts';
import { metricsText } from './metrics.ts';
import { openApiDocument } from './open-api.ts';
import { chainRoutes } from './routes.ts';

/** Largest request body besides a transaction's own limit, in bytes. */
const BODY_BYTES_MAX = 1024 * 1024;
/** A slow client holds its connection no longer (measured: `assurance.md`). */
const HEADERS_MS_MAX = 5_000;
const REQUEST_MS_MAX = 10_000;
const CONNECTIONS_CHECK_MS = 1_000;
const URL_PARAMETER_CHARACTERS_MAX = 2_048;
/** Without a final engine block for so long the node is not ready. */
const READY_MS_MAX = 10_000;

/** What every error says. */
export interface ApiProblem {
  readonly code: string;
  readonly message: string;
  readonly help: string;
}

const statusOfCode: Readonly<Record<string, number>> = {
  'api/unknown-chain': 404,
  'api/not-found': 404,
  'ledger/not-found': 404,
  'ledger/not-yet': 404,
  'ledger/pruned': 410,
  'ledger/not-certified': 503,
  'mempool/full': 503,
  'node/stopping': 503,
  'api/not-final-yet': 202,
  'store/damaged': 500,
  'store/index-fault': 500,
};

function problemOf(fault: unknown): { readonly status: number; readonly problem: ApiProblem } {
  if (fault instanceof NodeError) {
    const { code, message, help } = fault;
    return { status: statusOfCode[code] ?? 400, problem: { code, message, help } };
  }
  const status = (fault as { statusCode?: number }).statusCode ?? 500;
  if (status === 413) {
    return {
      status,
      problem: { code: 'api/too-large', message: 'the body is too large', help: 'Send less.' },
    };
  }
  if (status < 500) {
    const help = 'See /v1/openapi.json for the form of this request.';
    return { status, problem: { code: 'api/malformed', message: messageOf(fault), help } };
  }
  const message = 'the node could not answer';
  return { status: 500, problem: { code: 'api/internal', message, help: 'The log of the node says why.' } };
}

/** The HTTPS API of a node. */
export class ApiServer {
  readonly #node: RunningNode;
  readonly #server: FastifyInstance;
  readonly #streams: EventStreams;

  constructor(node: RunningNode) {
    this.#node = node;
    this.#streams = new EventStreams(node);
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
      bodyLimit: BODY_BYTES_MAX,
      routerOptions: { maxParamLength: URL_PARAMETER_CHARACTERS_MAX },
      forceCloseConnections: true,
      // What the router refuses before any route is chosen: a malformed escape, a parameter that is too long.
      frameworkErrors: (fault, request, reply) => this.#fail(fault, request, reply),
    }) as unknown as FastifyInstance;
    this.#server.removeAllContentTypeParsers();
    this.#server.addContentTypeParser('application/cbor', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    this.#server.setErrorHandler((fault, request, reply) => this.#fail(fault, request, reply));
    this.#server.setNotFoundHandler((_request, reply) => {
      const help = 'See /v1/openapi.json for what there is.';
      reply.code(404).send({ code: 'api/not-found', message: 'there is nothing at this address', help });
    });
    this.#addOperations();
    for (const route of chainRoutes(node, this.#streams)) {
      const { method, url, schema, handler } = route;
      this.#server.route({ method, url, schema, handler });
    }
  }

  /** @returns the port. */
  async listen(host: string, port: number): Promise<number> {
    const url = await this.#server.listen({ host, port });
    return Number(new URL(url).port);
  }

  async close(): Promise<void> {
    this.#streams.close();
    await this.#server.close();
  }

  #addOperations(): void {
    const node = this.#node;
    this.#server.get('/healthz', () => ({ alive: true, halted: node.halted?.message ?? null }));
    this.#server.get('/readyz', (_request, reply) => {
      const age = Date.now() - node.chain.head.time;
      const isReady = !node.halted && node.chain.store.writeFault === undefined && age <= READY_MS_MAX;
      return reply.code(isReady ? 200 : 503).send({ ready: isReady, finalBlockAgeMs: age });
    });
    this.#server.get('/metrics', (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(metricsText(node)),
    );
    this.#server.get('/v1/openapi.json', () => openApiDocument(chainRoutes(node, this.#streams)));
  }

  #fail(fault: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { status, problem } = problemOf(fault);
    if (status >= 500) {
      const route = request.routeOptions.url;
      this.#node.log.error({ route, code: problem.code, problem: messageOf(fault) }, 'a request failed');
    }
    return reply.code(status).send(problem);
  }
}
