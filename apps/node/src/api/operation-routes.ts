import type { RunningNode } from '../running-node.ts';
import type { NodeMetrics } from './metrics.ts';
import { JSON_TYPE } from './parameters.ts';
import type { ChainRoute, ParameterSchema } from './route.ts';

/** Without a final engine block for so long the node is not ready, in milliseconds. */
const READY_MS_MAX = 10_000;
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const none: ParameterSchema = { type: 'object', properties: {}, additionalProperties: false };

/** What those ask who run the node. Open: they tell nothing of anybody. */
export function operationRoutes(parts: {
  readonly node: RunningNode;
  readonly metrics: NodeMetrics;
  readonly document: () => object;
}): readonly ChainRoute[] {
  const { node, metrics, document } = parts;
  const schema = { params: none, querystring: none };
  const common = { method: 'GET', access: 'open', schema } as const;
  return [
    {
      ...common,
      url: '/healthz',
      summary: 'Does the process answer?',
      answers: [JSON_TYPE],
      answer: 'Alive',
      handler: () => ({ alive: true, halted: node.halted?.message ?? null }),
    },
    {
      ...common,
      url: '/readyz',
      summary: `Does the node take part? 503 when its newest final engine block is older than ${READY_MS_MAX} ms.`,
      answers: [JSON_TYPE],
      answer: 'Ready',
      handler: (_request, reply) => {
        const age = Date.now() - node.chain.head.time;
        const isReady = !node.halted && node.chain.store.writeFault === undefined && age <= READY_MS_MAX;
        return reply.code(isReady ? 200 : 503).send({ ready: isReady, finalBlockAgeMs: age });
      },
    },
    {
      ...common,
      url: '/metrics',
      summary: 'Counters and gauges in the Prometheus text format.',
      answers: ['text/plain'],
      handler: async (_request, reply) => reply.type(METRICS_TYPE).send(await metrics.text()),
    },
    {
      ...common,
      url: '/v1/openapi.json',
      summary: 'This document.',
      answers: [JSON_TYPE],
      handler: () => document(),
    },
  ];
}
