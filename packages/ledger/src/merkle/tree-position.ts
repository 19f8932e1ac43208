/** No tree is deeper: sizes are safe integers. */
export const MERKLE_DEPTH_MAX = 53;

/** Where a verifier stands while it climbs: `fn` and `sn` of RFC 9162, sections 2.1.3.2 and 2.1.4.2. */
export class TreePosition {
  index: number;
  /** Index of the last node on this level. */
  last: number;

  constructor(index: number, last: number) {
    this.index = index;
    this.last = last;
  }

  /** Does the sibling stand on the left? */
  isRightmostOrRight(): boolean {
    return this.index % 2 === 1 || this.index === this.last;
  }

  rise(): void {
    this.index = Math.floor(this.index / 2);
    this.last = Math.floor(this.last / 2);
  }

  /** A rightmost node without a sibling rises unchanged. */
  skipLeftTurns(): void {
    while (this.index !== 0 && this.index % 2 === 0) this.rise();
  }
}
