import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { HttpError } from './error-answers.ts';
import { callerOf, routeOf } from './gateway-server.ts';

/** Upper ends of the latency buckets, in seconds. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A number that is read when somebody asks for the metrics. */
export interface MeasuredGauge {
  /** With its unit last: `careledger_outbox_lag_milliseconds`. */
  readonly name: string;
  readonly help: string;
  readonly read: () => number | Promise<number>;
}

/**
 * Prometheus metrics of a gateway at `/metrics`: requests by route, method and class of status, their latency, the
 * process, and what else is given. Labels hold route patterns, never a path, so that nothing of a patient is in them.
 * How busy a member is still tells something: the route needs a system token.
 */
export function metricsRoute(app: FastifyInstance, gauges: readonly MeasuredGauge[]): void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'careledger_gateway_' });
  const registers = [registry];
  const labelNames = ['route', 'method', 'status'] as const;
  const requests = new Counter({
    name: 'careledger_gateway_requests_total',
    help: 'Requests answered, by route, method and class of status.',
    labelNames,
    registers,
  });
  const seconds = new Histogram({
    name: 'careledger_gateway_request_duration_seconds',
    help: 'Time until the answer was handed to the socket.',
    labelNames: ['route', 'method'],
    buckets: SECONDS,
    registers,
  });
  for (const { name, help, read } of gauges) {
    const gauge = new Gauge({
      name,
      help,
      registers,
      collect: async () => {
        gauge.set(await read());
      },
    });
  }
  app.addHook('onResponse', async (request, reply) => {
    const route = routeOf(request);
    const { method } = request;
    requests.inc({ route, method, status: `${Math.floor(reply.statusCode / 100)}xx` });
    seconds.observe({ route, method }, reply.elapsedTime / 1_000);
  });
  app.get('/metrics', async (request, reply) => {
    if (callerOf(request).kind !== 'system') throw notForThisToken();
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}

function notForThisToken(): HttpError {
  return new HttpError({
    status: 403,
    code: 'metrics/not-permitted',
    message: 'Metrics are for the organization’s own systems.',
    help: 'Ask with a token of Backend Services that has a system scope.',
  });
}
