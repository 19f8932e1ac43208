import { equalBytes } from '@careledger/primitives';
import { bitAt, EMPTY_STATE_ROOT, isEmptySide, loadNode, type ReadStateNode } from './nodes.ts';

interface Sides {
  readonly left: Uint8Array;
  readonly right: Uint8Array;
}

const NOTHING: Sides = { left: EMPTY_STATE_ROOT, right: EMPTY_STATE_ROOT };

/** Both sides below a node; a lone leaf stands for the side that its key goes to. */
function sidesOf(node: ReadStateNode, hash: Uint8Array, depth: number): Sides {
  if (isEmptySide(hash)) return NOTHING;
  const content = loadNode(node, hash);
  if ('inner' in content) return content.inner;
  return bitAt(content.leaf.keyHash, depth) ? { ...NOTHING, right: hash } : { ...NOTHING, left: hash };
}

/** Does the tree below `hash` hold this very leaf? */
function holdsLeaf(
  node: ReadStateNode,
  hash: Uint8Array,
  leaf: { readonly hash: Uint8Array; readonly keyHash: Uint8Array; readonly depth: number },
): boolean {
  if (equalBytes(hash, leaf.hash)) return true;
  if (isEmptySide(hash)) return false;
  const content = loadNode(node, hash);
  if ('leaf' in content) return false;
  const side = bitAt(leaf.keyHash, leaf.depth) ? content.inner.right : content.inner.left;
  return holdsLeaf(node, side, { ...leaf, depth: leaf.depth + 1 });
}

/**
 * The nodes of one tree that another does not hold: what may go when the first is no longer asked for. An inner node
 * stands at one place only, which the keys below it decide, so both trees are walked side by side and what they share
 * is never entered.
 *
 * @param options.node Must still hold every node of both.
 */
export function* staleNodes(options: {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  readonly node: ReadStateNode;
  readonly depth?: number;
}): Iterable<Uint8Array> {
  const { before, after, node, depth = 0 } = options;
  if (isEmptySide(before) || equalBytes(before, after)) return;
  const content = loadNode(node, before);
  if ('leaf' in content) {
    const { keyHash } = content.leaf;
    if (!holdsLeaf(node, after, { hash: before, keyHash, depth })) yield before;
    return;
  }
  const sides = sidesOf(node, after, depth);
  yield* staleNodes({ before: content.inner.left, after: sides.left, node, depth: depth + 1 });
  yield* staleNodes({ before: content.inner.right, after: sides.right, node, depth: depth + 1 });
  yield before;
}
