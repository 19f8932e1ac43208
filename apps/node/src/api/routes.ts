import { toHex } from '@careledger/primitives';
import type { FastifyRequest } from 'fastify';
import { NodeError } from '../errors.ts';
import type { RunningNode } from '../running-node.ts';
import type { AccessDesk } from './access.ts';
import { accessRoutes } from './access-routes.ts';
import { auditRoutes } from './audit-routes.ts';
import { blockRoutes } from './block-routes.ts';
import type { JsonSchema } from './components.ts';
import { eventRoutes } from './event-routes.ts';
import type { EventStreams } from './event-streams.ts';
import { listRoutes } from './list-routes.ts';
import { hash } from './parameters.ts';
import type { ChainRoute, ParameterSchema } from './route.ts';
import { stateRoutes } from './state-routes.ts';
import { transactionRoutes } from './transaction-routes.ts';

/** A route before the chain is put in front. */
export interface RouteOptions extends Omit<ChainRoute, 'schema' | 'url'> {
  /** What follows `/v1/chains/{chain}`. */
  readonly path: string;
  readonly params?: ParameterSchema['properties'];
  readonly query?: ParameterSchema['properties'];
  readonly queryRequired?: readonly string[];
  readonly bodySchema?: JsonSchema;
}

/** What the routes are served from. */
export interface RouteParts {
  readonly node: RunningNode;
  readonly streams: EventStreams;
  readonly access: AccessDesk;
}

/** Every route under `/v1/chains/{chain}`. */
export function chainRoutes(parts: RouteParts): readonly ChainRoute[] {
  const { node, streams, access } = parts;
  const routes = [
    ...blockRoutes(node),
    ...transactionRoutes(node, access),
    ...stateRoutes(node),
    ...listRoutes(node),
    ...auditRoutes(node),
    ...eventRoutes(streams),
    ...accessRoutes(access),
  ];
  return routes.map((route) => underChain(parts, route));
}

function underChain({ node, access: desk }: RouteParts, options: RouteOptions): ChainRoute {
  const { path, params, query, queryRequired, bodySchema, handler, ...rest } = options;
  const chain = toHex(node.chainId);
  return {
    ...rest,
    url: `/v1/chains/:chain${path}`,
    schema: {
      params: { type: 'object', properties: { chain: hash, ...params }, additionalProperties: false },
      querystring: {
        type: 'object',
        properties: { ...query },
        required: [...(queryRequired ?? [])],
        additionalProperties: false,
      },
      ...(bodySchema && { body: bodySchema }),
    },
    handler: (request, reply) => {
      if (chainOf(request) !== chain) {
        throw new NodeError('api/unknown-chain', 'this node does not keep that chain', `It keeps ${chain}.`);
      }
      desk.admit(request, rest.access);
      return handler(request, reply);
    },
  };
}

function chainOf(request: FastifyRequest): string {
  return (request.params as { readonly chain: string }).chain;
}
