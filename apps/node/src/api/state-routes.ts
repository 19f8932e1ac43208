import { disputeAnswerCodec, disputeCodec, stateEvidenceCodec } from '@careledger/ledger';
import { sha256 } from '@careledger/primitives';
import type { KeyHistoryEntry } from '../chain/evidence.ts';
import { toJson } from '../evidence-file.ts';
import type { RunningNode } from '../running-node.ts';
import { CURSOR_CHARACTERS_MAX, nextCursor, positionAfter, takePage } from './cursors.ts';
import { answer, BOTH, hexParameter, JSON_TYPE, number, transactionOf } from './parameters.ts';
import type { RouteOptions } from './routes.ts';

/** Hexadecimal digits of the longest state key. */
const KEY_DIGITS_MAX = 1_024;
export const HISTORY_PAGE_MAX = 500;
const HISTORY_PAGE = 100;

const key = { type: 'string', pattern: '^([0-9a-f]{2})+$', maxLength: KEY_DIGITS_MAX };

/** State with proof: now, at an earlier height, at an instant, and its history. */
export function stateRoutes(node: RunningNode): readonly RouteOptions[] {
  return [stateRoute(node), historyRoute(node), disputeRoute(node)];
}

function stateRoute(node: RunningNode): RouteOptions {
  return {
    method: 'GET',
    path: '/state/:key',
    summary:
      'A value, or proof of its absence, under the newest certified header or at an earlier kept height.',
    params: { key },
    access: 'read',
    query: { height: { ...number, minimum: 1 } },
    answers: BOTH,
    answer: 'StateEvidence',
    handler: (request, reply) => {
      const { height } = request.query as { readonly height?: number };
      const value = node.evidence.proveState(keyOf(request.params), height);
      return answer(request, reply, { value, codec: stateEvidenceCodec });
    },
  };
}

function historyRoute(node: RunningNode): RouteOptions {
  return {
    method: 'GET',
    path: '/state/:key/history',
    summary:
      'Every change of a key in block order: height, time, transaction and value. Each is proven by /state/{key}?height=.',
    params: { key },
    query: {
      limit: { ...number, minimum: 1, maximum: HISTORY_PAGE_MAX },
      cursor: { type: 'string', maxLength: CURSOR_CHARACTERS_MAX },
    },
    access: 'read',
    answers: [JSON_TYPE],
    answer: 'History',
    handler: (request) => {
      const { limit = HISTORY_PAGE, cursor } = request.query as {
        readonly limit?: number;
        readonly cursor?: string;
      };
      const asked = keyOf(request.params);
      const query = ['history', (request.params as { readonly key: string }).key];
      const after = positionAfter(query, cursor);
      const from = { height: after?.height ?? 0, transaction: after ? after.index + 1 : 0 };
      const { items, last } = takePage(node.evidence.history(asked, from), limit);
      const next = last && nextCursor(query, { height: last.height, index: last.transaction });
      return toJson({
        height: node.chain.height,
        after: node.chain.store.index.state.historyAfter,
        changes: items.map(changeOf),
        next,
      });
    },
  };
}

function changeOf({ transactionBytes, ...entry }: KeyHistoryEntry): object {
  const { height, time, transaction: index, valueHash, value } = entry;
  const transaction = transactionBytes && transactionOf(transactionBytes);
  return {
    height,
    time,
    ...(transaction && { index, transaction: transaction.id, type: transaction.payload.type }),
    isRemoved: valueHash === undefined,
    valueHash,
    value,
  };
}

function disputeRoute(node: RunningNode): RouteOptions {
  return {
    method: 'GET',
    path: '/disputes/:key',
    summary:
      'What held for a key at an instant: the last header not after it, value or absence with proof, and what shows that no other header lies between; signed by this node. The answer is the same from every node.',
    params: { key },
    query: { at: number },
    queryRequired: ['at'],
    access: 'read',
    answers: BOTH,
    answer: 'Dispute',
    handler: (request, reply) => {
      const { at } = request.query as { readonly at: number };
      const value = node.evidence.dispute(keyOf(request.params), at);
      const extra = { answerHash: sha256(disputeAnswerCodec.encode(value.answer)) };
      return answer(request, reply, { value, codec: disputeCodec, extra });
    },
  };
}

function keyOf(params: unknown): Uint8Array {
  return hexParameter((params as { readonly key: string }).key);
}
