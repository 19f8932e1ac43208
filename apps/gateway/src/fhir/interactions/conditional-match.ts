import type { RecordKey, StoredVersion } from '../../vault/index.ts';
import { requireScope } from '../access.ts';
import { FhirError, invalidParameter } from '../fhir-error.ts';
import type { RecordScope } from '../fhir-request.ts';
import { parseSearch } from '../search-query.ts';
import { type SearchParameters, searchContextFor } from '../search-route.ts';

/** A search that decides about a write: `If-None-Exist`, `PUT Patient?identifier=...`, a conditional reference. */
export interface MatchCondition {
  readonly type: string;
  readonly parameters: SearchParameters;
  /** Where the condition stands, for refusals: `If-None-Exist`. */
  readonly expression: string;
}

function refused(condition: MatchCondition, status: number, message: string, help: string): FhirError {
  const code = status === 412 ? 'multiple-matches' : 'invalid';
  return new FhirError({ status, code, message, help, expression: [condition.expression] });
}

/** @throws {@link FhirError} 412: the condition was meant to name one resource. */
export function severalMatches(condition: MatchCondition): FhirError {
  const help = 'Make the condition more specific, or name the resource by its id.';
  return refused(condition, 412, 'The condition fits more than one resource.', help);
}

/** The plan of a condition; nothing unknown is ignored, because what is left would fit too much. */
export function conditionPlan(scope: RecordScope, condition: MatchCondition) {
  const { store, caller } = scope;
  const { type, parameters } = condition;
  requireScope(caller, type, 'search-type');
  const { plan, unknown } = parseSearch(type, parameters, searchContextFor(store, caller, type));
  if (unknown[0] !== undefined) {
    throw invalidParameter(condition.expression, 'A condition has a search parameter that is not known.');
  }
  if (plan.criteria.length === 0) {
    const help = 'Give at least one search parameter, such as identifier.';
    throw refused(condition, 412, 'The condition is no search.', help);
  }
  return { ...plan, countMax: 2, countTotal: false };
}

/**
 * The one resource that a condition fits, or `undefined` for none. Asked within the writer's turn, when the search index
 * knows everything that was committed before.
 *
 * @throws {@link FhirError} 400 for a condition that is not understood, 412 for one that fits several.
 */
export async function matchOne(
  scope: RecordScope,
  condition: MatchCondition,
): Promise<StoredVersion | undefined> {
  const { index, vault } = scope.store.options;
  const { seqs } = await index.search(conditionPlan(scope, condition));
  if (seqs.length > 1) throw severalMatches(condition);
  const [found] = await vault.bySeq(seqs, scope.transaction?.tx ?? vault.reader);
  return found;
}

/** The address of a conditional write, its resource found: `PUT Patient?identifier=...`. */
export async function matchedKey(
  scope: RecordScope,
  condition: MatchCondition,
): Promise<RecordKey | undefined> {
  const found = await matchOne(scope, condition);
  return found && { type: found.type, id: found.id };
}
