import { compareBytes, equalBytes, invariant, sha256 } from '@careledger/primitives';
import { STATE_TREE_DEPTH_MAX, type StateLeaf } from '../proofs.ts';
import {
  bitAt,
  EMPTY_STATE_ROOT,
  innerNode,
  isEmptySide,
  leafNode,
  loadNode,
  type ReadStateNode,
  type StateNode,
} from './nodes.ts';

/** One change of state; an absent value removes the key. */
export interface StateChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

interface HashedChange {
  readonly keyHash: Uint8Array;
  readonly valueHash: Uint8Array | undefined;
}

/** One leaf, or an inner node known by its hash. */
interface Branch {
  readonly hash: Uint8Array;
  /** What stands there, where it was looked up or made; `unknown` for a side that nothing changes in. */
  readonly kind: 'leaf' | 'inner' | 'unknown';
  readonly leaf?: StateLeaf;
  /** The leaf as it is stored, where the store may lack it. */
  readonly node?: StateNode;
  /** The store has it already. */
  readonly stored: boolean;
}

/** A part of the tree: nothing, or a branch. */
type Subtree = Branch | undefined;

type LeafBranch = Branch & { readonly kind: 'leaf'; readonly leaf: StateLeaf };

function leafBranch(leaf: StateLeaf, stored: boolean): LeafBranch {
  const node = leafNode(leaf);
  return { hash: node.hash, kind: 'leaf', leaf, node, stored };
}

/** A run of the sorted changes: `from` included, `to` not. */
interface Run {
  readonly from: number;
  readonly to: number;
}

/** The first position in the run whose key goes right at this depth. */
function splitRun(keyHashAt: (index: number) => Uint8Array, run: Run, depth: number): number {
  let low = run.from;
  let high = run.to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bitAt(keyHashAt(middle), depth)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function hashChanges(changes: readonly StateChange[]): readonly HashedChange[] {
  const hashed = changes.map(({ key, value }) => ({
    keyHash: sha256(key),
    valueHash: value && sha256(value),
  }));
  hashed.sort((left, right) => compareBytes(left.keyHash, right.keyHash));
  for (const [index, change] of hashed.entries()) {
    const next = hashed[index + 1];
    invariant(!next || !equalBytes(change.keyHash, next.keyHash), 'a batch changes a key once');
  }
  return hashed;
}

class TreeUpdate {
  readonly nodes: StateNode[] = [];
  readonly #node: ReadStateNode;
  readonly #changes: readonly HashedChange[];

  constructor(node: ReadStateNode, changes: readonly HashedChange[]) {
    this.#node = node;
    this.#changes = changes;
  }

  apply(hash: Uint8Array, run: Run, depth: number): Subtree {
    if (isEmptySide(hash)) return this.build(this.#leavesOf(undefined, run), depth);
    if (run.from === run.to) return { hash, kind: 'unknown', stored: true };
    const content = loadNode(this.#node, hash);
    if ('leaf' in content) return this.build(this.#leavesOf(content.leaf, run), depth);
    const sides = content.inner;
    const middle = splitRun((index) => this.#change(index).keyHash, run, depth);
    const left = this.apply(sides.left, { from: run.from, to: middle }, depth + 1);
    const right = this.apply(sides.right, { from: middle, to: run.to }, depth + 1);
    const isSame =
      equalBytes(left?.hash ?? EMPTY_STATE_ROOT, sides.left) &&
      equalBytes(right?.hash ?? EMPTY_STATE_ROOT, sides.right);
    return isSame ? { hash, kind: 'inner', stored: true } : this.#join(left, right);
  }

  /** The smallest tree over these sorted leaves. */
  build(leaves: readonly LeafBranch[], depth: number): Subtree {
    if (leaves.length <= 1) return leaves[0];
    invariant(depth < STATE_TREE_DEPTH_MAX, 'two keys differ in some bit of their hashes');
    const middle = leaves.findIndex((branch) => bitAt(branch.leaf.keyHash, depth));
    const split = middle < 0 ? leaves.length : middle;
    const left = this.build(leaves.slice(0, split), depth + 1);
    const right = this.build(leaves.slice(split), depth + 1);
    return this.#join(left, right);
  }

  /** Puts a finished part among the new nodes, unless the store has it. */
  keep(subtree: Subtree): Uint8Array {
    if (!subtree) return EMPTY_STATE_ROOT;
    if (subtree.node && !subtree.stored) this.nodes.push(subtree.node);
    return subtree.hash;
  }

  #change(index: number): HashedChange {
    const change = this.#changes[index];
    invariant(change, 'a run lies within the changes');
    return change;
  }

  /** A lone leaf rises to where it stands alone, so that the shape depends on the keys only. */
  #join(left: Subtree, right: Subtree): Subtree {
    const lone = left && right ? undefined : this.#known(left ?? right);
    if (!left && !right) return undefined;
    if (lone?.kind === 'leaf') return lone;
    const node = innerNode(this.keep(left), this.keep(right));
    this.nodes.push(node);
    return { hash: node.hash, kind: 'inner', stored: false };
  }

  #known(branch: Subtree): Subtree {
    if (branch?.kind !== 'unknown') return branch;
    const content = loadNode(this.#node, branch.hash);
    return 'leaf' in content ? { ...branch, kind: 'leaf', leaf: content.leaf } : { ...branch, kind: 'inner' };
  }

  /** The leaves that stand after these changes where one leaf or nothing stood, sorted. */
  #leavesOf(existing: StateLeaf | undefined, run: Run): readonly LeafBranch[] {
    const result: LeafBranch[] = [];
    let waiting = existing;
    for (let index = run.from; index < run.to; index += 1) {
      const { keyHash, valueHash } = this.#change(index);
      const order = waiting ? compareBytes(waiting.keyHash, keyHash) : 1;
      if (waiting && order < 0) result.push(leafBranch(waiting, true));
      const isUnchanged = order === 0 && waiting && valueHash && equalBytes(waiting.valueHash, valueHash);
      if (order <= 0) waiting = undefined;
      if (valueHash) result.push(leafBranch({ keyHash, valueHash }, isUnchanged === true));
    }
    if (waiting) result.push(leafBranch(waiting, true));
    return result;
  }
}

/**
 * Applies a batch of changes copy-on-write. The root depends on the keys and values that stand, never on the way there.
 *
 * @param options.root The tree before; {@link EMPTY_STATE_ROOT} to begin with.
 * @param options.node Reads a stored node; nodes of unfinalized parents must be readable too.
 * @returns The new root and the nodes that the store lacks. Old nodes stay valid for old roots.
 * @throws InvariantError when a node is missing or a key is changed twice.
 */
export function updateStateTree(options: {
  readonly root: Uint8Array;
  readonly node: ReadStateNode;
  readonly changes: readonly StateChange[];
}): { readonly root: Uint8Array; readonly nodes: readonly StateNode[] } {
  const changes = hashChanges(options.changes);
  const update = new TreeUpdate(options.node, changes);
  const root = update.keep(update.apply(options.root, { from: 0, to: changes.length }, 0));
  return { root, nodes: update.nodes };
}
