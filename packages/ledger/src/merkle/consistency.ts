import { equalBytes, err, HASH_BYTES, invariant, ok, type Result } from '@careledger/primitives';
import { EMPTY_MERKLE_ROOT, merkleNodeHash } from './hash.ts';
import { rangeHash, type SubtreeHash, splitOf } from './subtrees.ts';
import { MERKLE_DEPTH_MAX, TreePosition } from './tree-position.ts';

/** Why a consistency proof shows nothing. */
export type ConsistencyFault = 'size' | 'hash length' | 'path length' | 'first root' | 'second root';

function subproof(
  subtree: SubtreeHash,
  range: { readonly start: number; readonly size: number },
  first: number,
  known: boolean,
): readonly Uint8Array[] {
  const { start, size } = range;
  if (first === size) return known ? [] : [rangeHash(subtree, start, size)];
  const { leaves } = splitOf(size);
  if (first <= leaves) {
    const right = rangeHash(subtree, start + leaves, size - leaves);
    return [...subproof(subtree, { start, size: leaves }, first, known), right];
  }
  const rest = { start: start + leaves, size: size - leaves };
  return [...subproof(subtree, rest, first - leaves, false), rangeHash(subtree, start, leaves)];
}

/** Shows that the tree of `second` leaves begins with the tree of `first` (RFC 9162, section 2.1.4.1). */
export function consistencyProof(options: {
  readonly first: number;
  readonly second: number;
  readonly subtree: SubtreeHash;
}): readonly Uint8Array[] {
  const { first, second, subtree } = options;
  invariant(first >= 0 && first <= second, 'a tree grows');
  return first === 0 ? [] : subproof(subtree, { start: 0, size: second }, first, true);
}

export interface ConsistencyClaim {
  readonly first: number;
  readonly second: number;
  readonly firstRoot: Uint8Array;
  readonly secondRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

function isPowerOfTwo(size: number): boolean {
  return 2 ** Math.round(Math.log2(size)) === size;
}

/** Sizes without a path of their own: the empty tree begins every tree, and a tree begins itself. */
function verifyTrivial(claim: ConsistencyClaim): Result<undefined, ConsistencyFault> {
  if (claim.proof.length > 0) return err('path length');
  if (claim.first === 0 && !equalBytes(claim.firstRoot, EMPTY_MERKLE_ROOT)) return err('first root');
  if (claim.first === claim.second && !equalBytes(claim.firstRoot, claim.secondRoot))
    return err('second root');
  return ok(undefined);
}

function checkForm(claim: ConsistencyClaim): ConsistencyFault | undefined {
  const { first, second, proof } = claim;
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(second) || first < 0 || first > second)
    return 'size';
  if (proof.length > MERKLE_DEPTH_MAX + 1) return 'path length';
  const hashes = [claim.firstRoot, claim.secondRoot, ...proof];
  return hashes.every((hash) => hash.length === HASH_BYTES) ? undefined : 'hash length';
}

/** Both roots that the path leads to, from the hash where the two trees part. */
function climb(
  claim: ConsistencyClaim,
  start: Uint8Array,
  rest: readonly Uint8Array[],
): { readonly firstRoot: Uint8Array; readonly secondRoot: Uint8Array } | undefined {
  const position = new TreePosition(claim.first - 1, claim.second - 1);
  while (position.index % 2 === 1) position.rise();
  let firstRoot = start;
  let secondRoot = start;
  for (const sibling of rest) {
    if (position.last === 0) return undefined;
    if (position.isRightmostOrRight()) {
      firstRoot = merkleNodeHash(sibling, firstRoot);
      secondRoot = merkleNodeHash(sibling, secondRoot);
      position.skipLeftTurns();
    } else secondRoot = merkleNodeHash(secondRoot, sibling);
    position.rise();
  }
  return position.last === 0 ? { firstRoot, secondRoot } : undefined;
}

/** Does the tree with the second root begin with the tree with the first? (RFC 9162, section 2.1.4.2). */
export function verifyConsistency(claim: ConsistencyClaim): Result<undefined, ConsistencyFault> {
  const fault = checkForm(claim);
  if (fault) return err(fault);
  if (claim.first === 0 || claim.first === claim.second) return verifyTrivial(claim);
  const [start, ...rest] = isPowerOfTwo(claim.first) ? [claim.firstRoot, ...claim.proof] : claim.proof;
  const roots = start && climb(claim, start, rest);
  if (!roots || claim.proof.length === 0) return err('path length');
  if (!equalBytes(roots.firstRoot, claim.firstRoot)) return err('first root');
  return equalBytes(roots.secondRoot, claim.secondRoot) ? ok(undefined) : err('second root');
}
