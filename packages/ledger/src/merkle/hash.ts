import { sha256 } from '@careledger/primitives';

/** Root of the tree without leaves: SHA-256 of nothing (RFC 9162, section 2.1.1). */
export const EMPTY_MERKLE_ROOT: Uint8Array = sha256(new Uint8Array(0));

const LEAF_PREFIX = 0;
const NODE_PREFIX = 1;

/** Hash of a leaf: SHA-256(0x00 ‖ leaf). The prefix keeps a leaf from passing as a node. */
export function merkleLeafHash(leaf: Uint8Array): Uint8Array {
  const framed = new Uint8Array(leaf.length + 1);
  framed[0] = LEAF_PREFIX;
  framed.set(leaf, 1);
  return sha256(framed);
}

/** Hash of an inner node: SHA-256(0x01 ‖ left ‖ right). */
export function merkleNodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const framed = new Uint8Array(1 + left.length + right.length);
  framed[0] = NODE_PREFIX;
  framed.set(left, 1);
  framed.set(right, 1 + left.length);
  return sha256(framed);
}
