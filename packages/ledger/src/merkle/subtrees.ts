import { invariant } from '@careledger/primitives';
import { EMPTY_MERKLE_ROOT, merkleLeafHash, merkleNodeHash } from './hash.ts';

/** Hash of the perfect subtree over the leaves `index * 2^level` to `(index + 1) * 2^level - 1`. */
export type SubtreeHash = (level: number, index: number) => Uint8Array;

/** Subtrees of 16 leaves and more are remembered: an eighth of a hash a leaf in memory. */
const CACHED_LEVEL_MIN = 4;

/**
 * Perfect subtrees over a growing list of leaves. They never change once full, so keep one reader for a process's
 * life: the first proof over n leaves hashes all of them, every later one about 16 + log2 n.
 *
 * @param leafHash {@link merkleLeafHash} of the leaf at an index.
 */
export function subtreesOf(leafHash: (index: number) => Uint8Array): SubtreeHash {
  const cache = new Map<string, Uint8Array>();
  const subtree: SubtreeHash = (level, index) => {
    if (level === 0) return leafHash(index);
    const name = `${level}/${index}`;
    const known = level < CACHED_LEVEL_MIN ? undefined : cache.get(name);
    if (known) return known;
    const hash = merkleNodeHash(subtree(level - 1, index * 2), subtree(level - 1, index * 2 + 1));
    if (level >= CACHED_LEVEL_MIN) cache.set(name, hash);
    return hash;
  };
  return subtree;
}

/** Subtrees over a list that is at hand as leaf bytes. */
export function subtreesOfLeaves(leaves: readonly Uint8Array[]): SubtreeHash {
  const hashes = leaves.map(merkleLeafHash);
  return subtreesOf((index) => {
    const hash = hashes[index];
    invariant(hash, 'a leaf index lies within the list');
    return hash;
  });
}

/** The largest power of two below `size`, for `size` > 1, and its exponent. */
export function splitOf(size: number): { readonly level: number; readonly leaves: number } {
  let level = 0;
  let leaves = 1;
  while (leaves * 2 < size) {
    leaves *= 2;
    level += 1;
  }
  return { level, leaves };
}

/** Root over `size` leaves from `start`, where `start` is a multiple of the largest power of two in `size`. */
export function rangeHash(subtree: SubtreeHash, start: number, size: number): Uint8Array {
  if (size === 0) return EMPTY_MERKLE_ROOT;
  if (size === 1) return subtree(0, start);
  const { level, leaves } = splitOf(size);
  if (leaves * 2 === size) return subtree(level + 1, start / size);
  const left = subtree(level, start / leaves);
  return merkleNodeHash(left, rangeHash(subtree, start + leaves, size - leaves));
}

/**
 * RFC 9162 root over whole leaves in order (section 2.1.1).
 *
 * @example
 * header.transactionsRoot = merkleRoot(transactions);
 */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return rangeHash(subtreesOfLeaves(leaves), 0, leaves.length);
}
