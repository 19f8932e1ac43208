import type { HeaderHash } from '@careledger/primitives';
import { HEAD_AGE_MS_MAX, HEAD_AHEAD_MS_MAX, RELEASE_WINDOW_MS, SKEW_MS } from '../limits.ts';

/** What a release needs of the newest final engine block. */
export interface HeadFacts {
  readonly engineHeight: number;
  /** Engine block time in milliseconds, never the header's: heartbeats keep it fresh. */
  readonly time: number;
  readonly headerHash: HeaderHash;
}

/** May a custodian with this clock rely on that head? Stale state could hide a revocation. */
export function isFresh(headTime: number, now: number): boolean {
  return now <= headTime + HEAD_AGE_MS_MAX && headTime <= now + HEAD_AHEAD_MS_MAX;
}

/** The last moment at which a chunk decided on this head may leave. */
export function releaseBefore(headTime: number): number {
  return headTime + RELEASE_WINDOW_MS;
}

/** Did a chunk arrive too late to be taken? `now` is the recipient's clock. */
export function isTooLate(leaf: { readonly releaseBefore: number }, now: number): boolean {
  return now > leaf.releaseBefore + SKEW_MS;
}

/**
 * From when on a member other than the custodian may call a revocation effective: no head older than it can carry a
 * release any more, on any member's clock.
 */
export function effectiveElsewhereAfter(revocationBlockTime: number): number {
  return revocationBlockTime + RELEASE_WINDOW_MS + SKEW_MS;
}
