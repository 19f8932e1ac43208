import type { Caller } from '../caller.ts';
import type { FhirAnswer, FhirRequest } from './fhir-request.ts';
import { appendProvenance } from './interactions/provenance.ts';
import type { Route } from './route-table.ts';

/** Is the search index asked about this caller's writes? Then it must know everything that was written before. */
export function hasGranularScopes({ scopes }: Caller): boolean {
  return scopes.some(({ restriction }) => restriction !== undefined && restriction.length > 0);
}

/**
 * Carries a request out. A write runs inside one transaction, where its conditions are judged: in the writer's turn,
 * with everything that was acknowledged before in sight.
 */
export async function dispatch(route: Route, request: FhirRequest): Promise<FhirAnswer> {
  if (route.isWrite !== true) return route.handler(request);
  const { scope, conditions, provenance } = request;
  const searches =
    route.isConditional === true || conditions.ifNoneExist !== undefined || hasGranularScopes(scope.caller);
  return scope.store.transaction(
    async (transaction) => {
      const inside = { ...scope, transaction };
      const answer = await route.handler({ ...request, scope: inside });
      if (provenance && answer.written) await appendProvenance(inside, provenance, [answer.written]);
      return answer;
    },
    { searches },
  );
}
