import type { AccessDesk } from './access.ts';
import { JSON_TYPE, number } from './parameters.ts';
import type { RouteOptions } from './routes.ts';

export const DENIALS_LISTED_MAX = 1_000;
const DENIALS_LISTED = 100;

/** The journal of denied calls, for the operator. */
export function accessRoutes(access: AccessDesk): readonly RouteOptions[] {
  return [
    {
      method: 'GET',
      path: '/access-denials',
      summary:
        'The newest calls that were denied for want of a permission, each with the hash of the one before.',
      access: 'operate',
      query: { limit: { ...number, minimum: 1, maximum: DENIALS_LISTED_MAX } },
      answers: [JSON_TYPE],
      answer: 'Denials',
      handler: (request) => {
        const { limit = DENIALS_LISTED } = request.query as { readonly limit?: number };
        return { entries: access.journal.newest(limit) };
      },
    },
  ];
}
