export type * from './application.ts';
export type * from './capability.ts';
export { accepted, rejected } from './capability.ts';
