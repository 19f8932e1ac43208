import { toHex } from '@careledger/primitives';
import type { FastifyRequest } from 'fastify';
import { NodeError } from '../errors.ts';
import type { RunningNode } from '../running-node.ts';
import { auditRoutes } from './audit-routes.ts';
import { blockRoutes } from './block-routes.ts';
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
}

/** Every route under `/v1/chains/{chain}`. */
export function chainRoutes(node: RunningNode, streams: EventStreams): readonly ChainRoute[] {
  const routes = [
    ...blockRoutes(node, streams),
    ...transactionRoutes(node),
    ...stateRoutes(node),
    ...listRoutes(node),
    ...auditRoutes(node),
  ];
  return routes.map((route) => underChain(node, route));
}

function underChain(node: RunningNode, options: RouteOptions): ChainRoute {
  const { path, params, query, queryRequired, handler, ...rest } = options;
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
    },
    handler: (request, reply) => {
      if (chainOf(request) === chain) return handler(request, reply);
      throw new NodeError('api/unknown-chain', 'this node does not keep that chain', `It keeps ${chain}.`);
    },
  };
}

function chainOf(request: FastifyRequest): string {
  return (request.params as { readonly chain: string }).chain;
}
