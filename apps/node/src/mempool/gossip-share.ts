/** What one peer may send of transactions, so that none can keep a node from the others' (SEC-15). */
export const GOSSIP_WINDOW_MS = 10_000;
/** Bytes of one peer's transactions in one window. */
export const GOSSIP_BYTES_IN_WINDOW_MAX = 128 * 1024 * 1024;
/** Transactions of one peer in one window that this node refuses: an honest peer checks before it passes on. */
export const GOSSIP_REFUSED_IN_WINDOW_MAX = 2_000;
/** Bytes of one peer that are being checked at a time. */
export const GOSSIP_BYTES_IN_FLIGHT_MAX = 16 * 1024 * 1024;

interface Share {
  since: number;
  bytes: number;
  refused: number;
  inFlight: number;
}

/** Counts what each peer sends, and says when it is too much. A member's node is known, so there are few. */
export class GossipShares {
  readonly #shares = new Map<string, Share>();
  /** Messages dropped since the start. */
  dropped = 0;

  /** May these bytes of a peer be looked at? Call `done` once they were. */
  admit(peer: string, bytes: number, now: number): boolean {
    const share = this.#shareOf(peer, now);
    const isTooMuch =
      share.bytes + bytes > GOSSIP_BYTES_IN_WINDOW_MAX ||
      share.refused > GOSSIP_REFUSED_IN_WINDOW_MAX ||
      (share.inFlight > 0 && share.inFlight + bytes > GOSSIP_BYTES_IN_FLIGHT_MAX);
    if (isTooMuch) {
      this.dropped += 1;
      return false;
    }
    share.bytes += bytes;
    share.inFlight += bytes;
    return true;
  }

  done(peer: string, bytes: number, refused: number): void {
    const share = this.#shares.get(peer);
    if (!share) return;
    share.inFlight -= bytes;
    share.refused += refused;
  }

  #shareOf(peer: string, now: number): Share {
    const known = this.#shares.get(peer);
    if (known && now - known.since < GOSSIP_WINDOW_MS) return known;
    const fresh = { since: now, bytes: 0, refused: 0, inFlight: known?.inFlight ?? 0 };
    this.#shares.set(peer, fresh);
    return fresh;
  }
}
