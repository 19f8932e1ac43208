export { isDocumentUpload } from './content-types.ts';
export { type ErrorAnswer, HttpError } from './error-answers.ts';
export {
  callerOf,
  type GatewayServer,
  type GatewayServerOptions,
  PUBLIC_ROUTE,
  type ServerLog,
  startGatewayServer,
} from './gateway-server.ts';
export { RATE_LIMITS, type RateLimits } from './rate-limits.ts';
export { type MeasuredGauge, metricsRoute } from './request-metrics.ts';
