import { stateEvidenceCodec } from '@careledger/ledger';
import type { RunningNode } from '../running-node.ts';
import { answer, BOTH, hexParameter, number } from './parameters.ts';
import type { RouteOptions } from './routes.ts';

/** Hexadecimal digits of the longest state key. */
const KEY_DIGITS_MAX = 1_024;

/** State with proof. */
export function stateRoutes(node: RunningNode): readonly RouteOptions[] {
  return [
    {
      method: 'GET',
      path: '/state/:key',
      summary: 'A value, or proof of its absence, under the newest certified header or at an earlier height.',
      params: { key: { type: 'string', pattern: '^([0-9a-f]{2})+$', maxLength: KEY_DIGITS_MAX } },
      query: { height: { ...number, minimum: 1 } },
      answers: BOTH,
      handler: (request, reply) => {
        const { key } = request.params as { readonly key: string };
        const { height } = request.query as { readonly height?: number };
        const value = node.evidence.proveState(hexParameter(key), height);
        return answer(request, reply, { value, codec: stateEvidenceCodec });
      },
    },
  ];
}
