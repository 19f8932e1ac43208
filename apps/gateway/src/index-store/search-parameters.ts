import { getSearchParameters } from '@medplum/core';
import type { SearchParameter } from '@medplum/fhirtypes';
import { loadDefinitions } from '../validation/index.ts';

/** Search parameter types whose values the index holds. */
export type IndexedType = 'token' | 'reference' | 'string' | 'uri' | 'date';

export interface IndexedParameter {
  readonly code: string;
  readonly type: IndexedType;
  readonly definition: SearchParameter;
  /** Resource types that a reference may point to. */
  readonly targets: readonly string[];
}

const INDEXED: ReadonlySet<string> = new Set(['token', 'reference', 'string', 'uri', 'date']);
/** Bases whose parameters every type has; those that we answer are handled by name in the search itself. */
const COMMON_PREFIX = '_';

const byType = new Map<string, ReadonlyMap<string, IndexedParameter>>();

/** R4's search parameters of a resource type that this index answers, by code. */
export function searchParametersOf(resourceType: string): ReadonlyMap<string, IndexedParameter> {
  const known = byType.get(resourceType);
  if (known) return known;
  loadDefinitions();
  const parameters = new Map<string, IndexedParameter>();
  for (const definition of Object.values(getSearchParameters(resourceType) ?? {})) {
    const { code, type, expression, target } = definition;
    if (!code || !expression || code.startsWith(COMMON_PREFIX) || !INDEXED.has(type)) continue;
    parameters.set(code, { code, type: type as IndexedType, definition, targets: target ?? [] });
  }
  byType.set(resourceType, parameters);
  return parameters;
}
