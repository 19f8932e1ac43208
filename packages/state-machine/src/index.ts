export type * from './application.ts';
export type * from './capability.ts';
export { accepted, messageType, rejected } from './capability.ts';
export { type Catalog, type Dispatch, dispatchOf, type KeyInForce } from './catalog.ts';
