import {
  AUDIT_BUNDLE_KIND,
  type AuditBundle,
  type AuditEntry,
  auditBundleCodec,
  MerkleAccumulator,
  merkleLeafHash,
} from '@careledger/ledger';
import { invariant } from '@careledger/primitives';
import { NodeError } from '../errors.ts';
import type { RunningNode } from '../running-node.ts';
import { type HeightRange, heightsOf } from './height-range.ts';
import { CBOR, number } from './parameters.ts';
import type { RouteOptions } from './routes.ts';

/** Blocks in one bundle. */
const AUDIT_BLOCKS_MAX = 10_000;
/** Transaction bytes in one bundle; it ends with the block that reaches this. */
const AUDIT_BYTES_MAX = 64 * 1024 * 1024;

/** Consecutive blocks as a file that is checked offline. */
export function auditRoutes(node: RunningNode): readonly RouteOptions[] {
  return [
    {
      method: 'GET',
      path: '/audit-bundle',
      summary: `Consecutive blocks with all that proves them, at most ${AUDIT_BLOCKS_MAX}: an audit bundle file, by heights or by a span of block time.`,
      access: 'read',
      query: {
        from: { ...number, minimum: 1 },
        to: { ...number, minimum: 1 },
        since: number,
        until: number,
      },
      answers: [CBOR],
      handler: (request, reply) => {
        const { from, to } = heightsOf(node, request.query as HeightRange);
        return reply.type(CBOR).send(Buffer.from(auditBundleCodec.encode(bundleOf(node, from, to))));
      },
    },
  ];
}

function bundleOf(node: RunningNode, from: number, to: number): AuditBundle {
  if (from > to) {
    throw new NodeError(
      'ledger/not-found',
      'there are no blocks in this range',
      'Ask for heights between 1 and the newest one, or for a longer span of time.',
    );
  }
  node.evidence.header(to);
  const { index } = node.chain.store;
  const previous = index.header(from - 1);
  invariant(previous, 'every height up to the head has a header');
  return {
    kind: AUDIT_BUNDLE_KIND,
    trust: node.evidence.trustPath(),
    previous,
    history: historyBelow(node, from),
    entries: entriesOf(node, from, Math.min(to, from + AUDIT_BLOCKS_MAX - 1)),
  };
}

function historyBelow(node: RunningNode, height: number): MerkleAccumulator {
  let history = MerkleAccumulator.empty;
  for (let at = 0; at < height; at += 1) {
    const hash = node.chain.store.index.headerHash(at);
    invariant(hash, 'every height up to the head has a header hash');
    history = history.append(merkleLeafHash(hash));
  }
  return history;
}

function entriesOf(node: RunningNode, from: number, to: number): readonly AuditEntry[] {
  const entries: AuditEntry[] = [];
  let bytes = 0;
  for (let height = from; height <= to && bytes < AUDIT_BYTES_MAX; height += 1) {
    const { header, certificate, transactions, results } = node.evidence.block(height);
    entries.push({ certified: { header, certificate }, body: { transactions, results }, selected: [] });
    bytes += transactions.reduce((sum, transaction) => sum + transaction.length, 0);
  }
  return entries;
}
