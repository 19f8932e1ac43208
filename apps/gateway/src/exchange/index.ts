export { ExchangeError, type ExchangeErrorCode } from './errors.ts';
export { Exchange, type ExchangeOptions, exchangePart, openExchange, partOf } from './exchange.ts';
export { registerExchangeRoutes } from './exchange-routes.ts';
export { interceptExchange } from './intercept.ts';
export { type EventFields, journalEvent } from './journal/journal-event.ts';
export { createMemberCalls, type MemberAddress } from './member-calls.ts';
export { OperationParameters } from './parameters.ts';
export { decodeReleaseBundle, encodeReleaseBundle } from './release-bundle.ts';
