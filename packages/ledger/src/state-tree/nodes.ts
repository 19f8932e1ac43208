import { equalBytes, HASH_BYTES, invariant, sha256 } from '@careledger/primitives';
import type { StateLeaf } from '../proofs.ts';

/** Root of the tree without keys, and the hash of every empty side: 32 zero bytes. */
export const EMPTY_STATE_ROOT: Uint8Array = new Uint8Array(HASH_BYTES);

const LEAF_PREFIX = 0;
const INNER_PREFIX = 1;
const NODE_BYTES = 1 + 2 * HASH_BYTES;

/** A node as it is stored: 65 bytes, named by their SHA-256. */
export interface StateNode {
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Looks a stored node up by its hash. */
export type ReadStateNode = (hash: Uint8Array) => Uint8Array | undefined;

export interface InnerContent {
  readonly left: Uint8Array;
  readonly right: Uint8Array;
}

function encodeNode(prefix: number, first: Uint8Array, second: Uint8Array): StateNode {
  invariant(first.length === HASH_BYTES && second.length === HASH_BYTES, 'a node holds two whole hashes');
  const bytes = new Uint8Array(NODE_BYTES);
  bytes[0] = prefix;
  bytes.set(first, 1);
  bytes.set(second, 1 + HASH_BYTES);
  return { hash: sha256(bytes), bytes };
}

/** SHA-256(0x00 ‖ key hash ‖ value hash). */
export function leafNode(leaf: StateLeaf): StateNode {
  return encodeNode(LEAF_PREFIX, leaf.keyHash, leaf.valueHash);
}

/** SHA-256(0x01 ‖ left ‖ right). */
export function innerNode(left: Uint8Array, right: Uint8Array): StateNode {
  return encodeNode(INNER_PREFIX, left, right);
}

/** Is this the hash of an empty side? */
export function isEmptySide(hash: Uint8Array): boolean {
  return equalBytes(hash, EMPTY_STATE_ROOT);
}

/** The bit of a key's hash that decides at this depth: false is left. */
export function bitAt(keyHash: Uint8Array, depth: number): boolean {
  return (((keyHash[depth >> 3] as number) >> (7 - (depth & 7))) & 1) === 1;
}

/**
 * Reads and checks a stored node.
 * @throws InvariantError when the store does not hold it or holds other bytes: the store must be rebuilt.
 */
export function loadNode(
  node: ReadStateNode,
  hash: Uint8Array,
): { readonly leaf: StateLeaf } | { readonly inner: InnerContent } {
  const bytes = node(hash);
  invariant(bytes, 'the store holds every node of a state tree');
  invariant(bytes.length === NODE_BYTES, 'a stored node is 65 bytes long');
  const first = bytes.slice(1, 1 + HASH_BYTES);
  const second = bytes.slice(1 + HASH_BYTES);
  if (bytes[0] === LEAF_PREFIX) return { leaf: { keyHash: first, valueHash: second } };
  invariant(bytes[0] === INNER_PREFIX, 'a stored node is a leaf or an inner node');
  return { inner: { left: first, right: second } };
}
