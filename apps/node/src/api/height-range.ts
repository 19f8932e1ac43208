import type { RunningNode } from '../running-node.ts';

/** A range of blocks by height, by block time in milliseconds, or by both; all ends included. */
export interface HeightRange {
  readonly from?: number;
  readonly to?: number;
  readonly since?: number;
  readonly until?: number;
}

/** The heights of a range. Empty where `from` is above `to`; genesis is no block of a range. */
export function heightsOf(
  { chain }: Pick<RunningNode, 'chain'>,
  range: HeightRange,
): { readonly from: number; readonly to: number } {
  const { index } = chain.store;
  const { from = 1, to = chain.height, since, until } = range;
  const firstSince = since === undefined || since === 0 ? 0 : (index.heightAt(since - 1) ?? -1) + 1;
  const lastUntil = until === undefined ? chain.height : (index.heightAt(until) ?? 0);
  const isByTime = until !== undefined;
  return { from: Math.max(1, from, firstSince), to: isByTime ? Math.min(to, lastUntil) : to };
}
