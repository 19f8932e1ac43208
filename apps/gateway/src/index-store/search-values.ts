import {
  convertToSearchableReferences,
  convertToSearchableStrings,
  convertToSearchableTokens,
  convertToSearchableUris,
  evalFhirPathTyped,
  getSearchParameterDetails,
  type TypedValue,
  toTypedValue,
} from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';
import { type DateRange, dateRangesOf } from './date-range.ts';
import { type IndexedParameter, searchParametersOf } from './search-parameters.ts';
import { edgesOf, type Tokenizer } from './tokenizer.ts';

/** What one resource is found by. */
export interface SearchValues {
  readonly tokens: readonly Uint8Array[];
  readonly dates: readonly (DateRange & { readonly parameter: string })[];
}

/** Tokens of one resource: a limit for what a hostile resource can make the index hold. */
export const TOKENS_MAX = 4_096;
const DATES_MAX = 256;
/** A system that no code has, to tell the display texts that core mixes in with the codes. */
const DISPLAY_SYSTEM = 'urn:careledger:display';

type Add = (kind: Parameters<Tokenizer['token']>[2], value: string) => void;

function addTokens(values: TypedValue[], add: Add): void {
  for (const { system, value } of convertToSearchableTokens(values, { textSearchSystem: DISPLAY_SYSTEM })) {
    if (system === DISPLAY_SYSTEM) continue;
    if (value !== undefined) {
      add('value', value);
      add('value', `${system ?? ''}|${value}`);
    }
    if (system !== undefined) add('system', system);
  }
}

function addReferences(values: TypedValue[], add: Add): void {
  for (const reference of convertToSearchableReferences(values)) {
    const plain = reference.replace(/\/_history\/[^/]+$/, '');
    add('reference', plain);
    const [type, id, ...rest] = plain.split('/');
    if (type !== undefined && id !== undefined && rest.length === 0) add('reference', id);
  }
}

function addStrings(values: TypedValue[], add: Add): void {
  for (const text of convertToSearchableStrings(values)) {
    add('exact', text);
    for (const edge of edgesOf(text)) add('edge', edge);
  }
}

function addValues(parameter: IndexedParameter, values: TypedValue[], add: Add): void {
  if (parameter.type === 'token') addTokens(values, add);
  else if (parameter.type === 'reference') addReferences(values, add);
  else if (parameter.type === 'string') addStrings(values, add);
  else for (const uri of convertToSearchableUris(values)) add('uri', uri);
}

function evaluate(resource: Resource, parameter: IndexedParameter): TypedValue[] {
  try {
    const details = getSearchParameterDetails(resource.resourceType, parameter.definition);
    return evalFhirPathTyped(details.parsedExpression, [toTypedValue(resource)]);
  } catch {
    // Imported data may be invalid; what cannot be evaluated cannot be found by it, but is not lost.
    return [];
  }
}

/** Everything that a resource can be found by, as the index holds it. */
export function searchValuesOf(resource: Resource, tokenizer: Tokenizer): SearchValues {
  const type = resource.resourceType;
  const tokens = new Map<string, Uint8Array>();
  const dates: (DateRange & { parameter: string })[] = [];
  for (const parameter of searchParametersOf(type).values()) {
    const values = evaluate(resource, parameter);
    if (values.length === 0) continue;
    const add: Add = (kind, value) => {
      const name = `${parameter.code}\u0000${kind}\u0000${value}`;
      if (tokens.size < TOKENS_MAX && !tokens.has(name)) {
        tokens.set(name, tokenizer.token(type, parameter.code, kind, value));
      }
    };
    add('present', '');
    if (parameter.type === 'date') {
      for (const { value } of values) {
        for (const range of dateRangesOf(value)) dates.push({ parameter: parameter.code, ...range });
      }
    } else addValues(parameter, values, add);
  }
  return { tokens: [...tokens.values()], dates: dates.slice(0, DATES_MAX) };
}
