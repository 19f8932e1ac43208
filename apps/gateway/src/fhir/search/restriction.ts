import type { Criterion } from '../../index-store/index.ts';
import { FhirError } from '../fhir-error.ts';
import { criterionOf } from './criteria.ts';
import { CRITERIA_MAX } from './limits.ts';
import type { Parameter, SearchContext } from './search-context.ts';

/** A text is compared with records, which deciding about access does not do. */
function isDecidedByIndex(criterion: Criterion): boolean {
  if (criterion.kind === 'any') return criterion.groups.every((group) => group.every(isDecidedByIndex));
  return criterion.kind !== 'text';
}

/**
 * The criteria of a granular scope (`?category=laboratory`).
 *
 * @returns `undefined` when one of them is not understood: such a scope permits nothing of this type.
 */
export function restrictionCriteria(
  type: string,
  restriction: readonly Parameter[],
  context: Pick<SearchContext, 'tokenizer' | 'baseUrl'>,
): readonly Criterion[] | undefined {
  if (restriction.length > CRITERIA_MAX) return undefined;
  try {
    const criteria = restriction.flatMap(
      (parameter) => criterionOf(type, parameter, { ...context, visibility: { kind: 'all' } }) ?? [],
    );
    return criteria.length === restriction.length && criteria.every(isDecidedByIndex) ? criteria : undefined;
  } catch (error) {
    if (error instanceof FhirError) return undefined;
    throw error;
  }
}
