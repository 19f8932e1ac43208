import { NodeError } from './errors.ts';
import type { LedgerNode } from './ledger-node.ts';
import type { NodeOptions } from './options.ts';

/** Makes a ledger node. Nothing is opened before `start`. */
export function createNode(options: NodeOptions): LedgerNode {
  throw new NodeError(
    'node/unfinished',
    `node ${options.node} cannot start yet`,
    'Wait for the next commit.',
  );
}
