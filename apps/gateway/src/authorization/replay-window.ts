/** Assertions remembered at once. Above it new ones are refused: forgetting one would let it be replayed. */
export const REPLAY_ENTRIES_MAX = 100_000;

/** Remembers every accepted assertion until it expires. One synchronous step, so two at once cannot both pass. */
export interface ReplayWindow {
  /** @returns `false` when this id stands in the window already, or the window is full. */
  readonly admit: (id: string, expiresAt: number, now: number) => boolean;
}

/** Times are milliseconds. */
export function createReplayWindow(entriesMax: number = REPLAY_ENTRIES_MAX): ReplayWindow {
  const expiries = new Map<string, number>();
  let nextSweepAt = 0;

  const sweep = (now: number): void => {
    for (const [id, expiresAt] of expiries) if (expiresAt <= now) expiries.delete(id);
    nextSweepAt = now + 1_000;
  };

  return {
    admit: (id, expiresAt, now) => {
      if (now >= nextSweepAt) sweep(now);
      if (expiries.has(id) || expiries.size >= entriesMax) return false;
      expiries.set(id, expiresAt);
      return true;
    },
  };
}
