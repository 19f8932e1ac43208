import { equalBytes, err, HASH_BYTES, invariant, ok, type Result } from '@careledger/primitives';
import type { InclusionProof } from '../proofs.ts';
import { merkleNodeHash } from './hash.ts';
import { rangeHash, type SubtreeHash, splitOf, subtreesOfLeaves } from './subtrees.ts';
import { MERKLE_DEPTH_MAX, TreePosition } from './tree-position.ts';

/** Why an audit path shows nothing. */
export type InclusionFault = 'index' | 'hash length' | 'path length' | 'root';

/** The audit path of a leaf among the first `size` ones, O(log size) hashes (RFC 9162, section 2.1.3.1). */
export function inclusionProof(options: {
  readonly index: number;
  readonly size: number;
  readonly subtree: SubtreeHash;
}): InclusionProof {
  const { index, size, subtree } = options;
  invariant(Number.isSafeInteger(index) && index >= 0 && index < size, 'a proven leaf lies in the tree');
  const fromRoot: Uint8Array[] = [];
  let start = 0;
  let remaining = size;
  while (remaining > 1) {
    const { leaves } = splitOf(remaining);
    if (index - start < leaves) {
      fromRoot.push(rangeHash(subtree, start + leaves, remaining - leaves));
      remaining = leaves;
    } else {
      fromRoot.push(rangeHash(subtree, start, leaves));
      start += leaves;
      remaining -= leaves;
    }
  }
  return { index, size, path: fromRoot.reverse() };
}

/** The audit path of one of these leaves. */
export function inclusionProofOf(leaves: readonly Uint8Array[], index: number): InclusionProof {
  return inclusionProof({ index, size: leaves.length, subtree: subtreesOfLeaves(leaves) });
}

/**
 * Does this leaf stand at this index under this root? (RFC 9162, section 2.1.3.2). The size is the prover's word unless
 * the root binds it: the last index of two sizes can share a path.
 *
 * @param options.leafHash `merkleLeafHash` of the leaf's bytes.
 */
export function verifyInclusion(options: {
  readonly leafHash: Uint8Array;
  readonly proof: InclusionProof;
  readonly root: Uint8Array;
}): Result<undefined, InclusionFault> {
  const { index, size, path } = options.proof;
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size)
    return err('index');
  if (path.length > MERKLE_DEPTH_MAX) return err('path length');
  if (![options.leafHash, options.root, ...path].every((hash) => hash.length === HASH_BYTES))
    return err('hash length');
  const position = new TreePosition(index, size - 1);
  let hash = options.leafHash;
  for (const sibling of path) {
    if (position.last === 0) return err('path length');
    if (position.isRightmostOrRight()) {
      hash = merkleNodeHash(sibling, hash);
      position.skipLeftTurns();
    } else hash = merkleNodeHash(hash, sibling);
    position.rise();
  }
  if (position.last !== 0) return err('path length');
  return equalBytes(hash, options.root) ? ok(undefined) : err('root');
}
