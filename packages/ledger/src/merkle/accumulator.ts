import {
  CborError,
  type Codec,
  codec,
  hashCodec,
  invariant,
  list,
  struct,
  uint,
} from '@careledger/primitives';
import { EMPTY_MERKLE_ROOT, merkleNodeHash } from './hash.ts';
import { MERKLE_DEPTH_MAX } from './tree-position.ts';

function peakCount(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

/**
 * The right edge of a growing RFC 9162 tree: the roots of its perfect subtrees, largest first. Appending and taking
 * the root cost O(log n) and need no leaf. Immutable: `append` returns the grown one, so a branch that is dropped
 * costs nothing.
 */
export class MerkleAccumulator {
  static readonly empty: MerkleAccumulator = new MerkleAccumulator(0, []);
  readonly size: number;
  readonly peaks: readonly Uint8Array[];

  constructor(size: number, peaks: readonly Uint8Array[]) {
    invariant(peaks.length === peakCount(size), 'an accumulator has one peak for every set bit of its size');
    this.size = size;
    this.peaks = peaks;
  }

  /** @param leafHash `merkleLeafHash` of the new leaf. */
  append(leafHash: Uint8Array): MerkleAccumulator {
    const peaks = [...this.peaks];
    let merged = leafHash;
    for (let rest = this.size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      const left = peaks.pop();
      invariant(left, 'a set bit has a peak');
      merged = merkleNodeHash(left, merged);
    }
    return new MerkleAccumulator(this.size + 1, [...peaks, merged]);
  }

  /** The root over all leaves appended so far. */
  root(): Uint8Array {
    if (this.peaks.length === 0) return EMPTY_MERKLE_ROOT;
    return this.peaks.reduceRight((right, left) => merkleNodeHash(left, right));
  }
}

const fields = struct({ size: uint, peaks: list(hashCodec, { countMax: MERKLE_DEPTH_MAX }) });

/** Canonical bytes of an accumulator. */
export const merkleAccumulatorCodec: Codec<MerkleAccumulator> = codec(
  fields.shape,
  (value) => fields.toCbor(value),
  (value) => {
    const { size, peaks } = fields.fromCbor(value);
    if (peaks.length !== peakCount(size)) throw new CborError('peaks: not as many as the size has set bits');
    return new MerkleAccumulator(size, peaks);
  },
);
