import { equalBytes, err, HASH_BYTES, ok, type Result, sha256 } from '@careledger/primitives';
import { STATE_TREE_DEPTH_MAX, type StateLeaf, type StateProof } from '../proofs.ts';
import {
  bitAt,
  EMPTY_STATE_ROOT,
  innerNode,
  isEmptySide,
  leafNode,
  loadNode,
  type ReadStateNode,
} from './nodes.ts';

/** Why a state proof shows nothing. */
export type StateProofFault =
  | 'hash length'
  | 'too deep'
  | 'leaf off the path'
  | 'key is present'
  | 'key is absent'
  | 'value'
  | 'root';

/** The path to a key's leaf or to what stands in its place: proves a value and an absence alike. */
export function proveState(options: {
  readonly root: Uint8Array;
  readonly node: ReadStateNode;
  readonly key: Uint8Array;
}): StateProof {
  const keyHash = sha256(options.key);
  const siblings: Uint8Array[] = [];
  let hash = options.root;
  while (!isEmptySide(hash)) {
    const content = loadNode(options.node, hash);
    if ('leaf' in content) return { siblings, leaf: content.leaf };
    const goesRight = bitAt(keyHash, siblings.length);
    hash = goesRight ? content.inner.right : content.inner.left;
    siblings.push(goesRight ? content.inner.left : content.inner.right);
  }
  return { siblings, leaf: undefined };
}

function sharesPath(left: Uint8Array, right: Uint8Array, depth: number): boolean {
  for (let level = 0; level < depth; level += 1) {
    if (bitAt(left, level) !== bitAt(right, level)) return false;
  }
  return true;
}

function checkLeaf(
  leaf: StateLeaf | undefined,
  keyHash: Uint8Array,
  value: Uint8Array | undefined,
): StateProofFault | undefined {
  const isOwnLeaf = leaf !== undefined && equalBytes(leaf.keyHash, keyHash);
  if (value === undefined) return isOwnLeaf ? 'key is present' : undefined;
  if (!isOwnLeaf) return 'key is absent';
  return equalBytes(leaf.valueHash, sha256(value)) ? undefined : 'value';
}

/**
 * Does this key have exactly this value (`undefined`: no value) under this root? The root must come from a header that
 * the caller verified.
 */
export function verifyStateProof(options: {
  readonly root: Uint8Array;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly proof: StateProof;
}): Result<undefined, StateProofFault> {
  const { siblings, leaf } = options.proof;
  if (siblings.length > STATE_TREE_DEPTH_MAX) return err('too deep');
  const hashes = leaf ? [...siblings, leaf.keyHash, leaf.valueHash] : siblings;
  if (options.root.length !== HASH_BYTES || !hashes.every((hash) => hash.length === HASH_BYTES))
    return err('hash length');
  const keyHash = sha256(options.key);
  if (leaf && !sharesPath(leaf.keyHash, keyHash, siblings.length)) return err('leaf off the path');
  const fault = checkLeaf(leaf, keyHash, options.value);
  if (fault) return err(fault);
  let hash = leaf ? leafNode(leaf).hash : EMPTY_STATE_ROOT;
  for (let depth = siblings.length - 1; depth >= 0; depth -= 1) {
    const sibling = siblings[depth] as Uint8Array;
    hash = bitAt(keyHash, depth) ? innerNode(sibling, hash).hash : innerNode(hash, sibling).hash;
  }
  return equalBytes(hash, options.root) ? ok(undefined) : err('root');
}
