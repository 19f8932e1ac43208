export type * from './block.ts';
export type * from './evidence.ts';
export type * from './transaction.ts';
