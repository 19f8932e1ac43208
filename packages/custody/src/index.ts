export type * from './ledger-port.ts';
