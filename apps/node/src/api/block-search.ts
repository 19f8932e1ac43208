import { utf8 } from '@careledger/primitives';
import type { RunningNode } from '../running-node.ts';
import type { LookupEntry } from '../store/transaction-lookups.ts';
import { type HeightRange, heightsOf } from './height-range.ts';
import { hexParameter } from './parameters.ts';

export interface BlockQuestion extends HeightRange {
  /** Public key, hexadecimal. */
  readonly proposer?: string;
  /** Transaction type that one of its transactions has. */
  readonly type?: string;
  readonly limit?: number;
  readonly cursor?: string;
}

/** Behind every transaction that a block can hold. */
const LAST_INDEX = 0xfffffffe;

/** Heights of the blocks that were asked for, ascending. @param after Begins behind this height. */
export function* findBlocks(
  node: RunningNode,
  question: BlockQuestion,
  after: number | undefined,
): Iterable<number> {
  const range = heightsOf(node, question);
  const from = Math.max(range.from, (after ?? 0) + 1);
  const to = Math.min(range.to, node.chain.height);
  const { proposer, type } = question;
  if (from > to) return;
  if (proposer !== undefined) {
    for (const height of blocksBy(node, hexParameter(proposer), from)) {
      if (height > to) return;
      if (type === undefined || holdsType(node, type, height)) yield height;
    }
  } else if (type !== undefined) {
    for (
      let height = nextWithType(node, type, from);
      height <= to;
      height = nextWithType(node, type, height + 1)
    )
      yield height;
  } else for (let height = from; height <= to; height += 1) yield height;
}

/** The place behind which the transactions of this height begin. */
function before(node: RunningNode, height: number): LookupEntry {
  const { time } = node.evidence.header(height - 1);
  return { time, height: height - 1, index: LAST_INDEX };
}

function* blocksBy(node: RunningNode, proposer: Uint8Array, from: number): Iterable<number> {
  const range = { from: 0, to: Number.MAX_SAFE_INTEGER, after: before(node, from) };
  for (const { height } of node.chain.store.index.find('proposer', proposer, range)) yield height;
}

/** The first height from `from` on that holds a transaction of this type; infinite when there is none. */
function nextWithType(node: RunningNode, type: string, from: number): number {
  if (from > node.chain.height) return Number.POSITIVE_INFINITY;
  const range = { from: 0, to: Number.MAX_SAFE_INTEGER, after: before(node, from) };
  for (const { height } of node.chain.store.index.find('type', utf8(type), range)) return height;
  return Number.POSITIVE_INFINITY;
}

function holdsType(node: RunningNode, type: string, height: number): boolean {
  return nextWithType(node, type, height) === height;
}
