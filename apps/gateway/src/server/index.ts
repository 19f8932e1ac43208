export { type ErrorAnswer, HttpError } from './error-answers.ts';
export {
  callerOf,
  type GatewayServer,
  type GatewayServerOptions,
  PUBLIC_ROUTE,
  type ServerLog,
  startGatewayServer,
} from './gateway-server.ts';
