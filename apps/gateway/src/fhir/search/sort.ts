import { type SortBy, type SortKey, searchParametersOf } from '../../index-store/index.ts';
import { invalidParameter } from '../fhir-error.ts';
import { SORT_KEYS_MAX } from './limits.ts';

function sortBy(type: string, code: string): SortBy {
  if (code === '_lastUpdated' || code === '_id') return code;
  const parameter = searchParametersOf(type).get(code);
  switch (parameter?.type) {
    case 'date':
    case 'number':
    case 'quantity':
      return { span: parameter.number };
    case 'string':
    case 'token':
    case 'reference':
    case 'uri':
      return { text: code };
    default:
      throw invalidParameter('_sort', 'This server does not sort by one of these parameters.');
  }
}

/**
 * The keys of `_sort=-date,family`.
 * @throws {@link FhirError} 400.
 */
export function sortKeys(type: string, value: string): readonly SortKey[] {
  const parts = value.split(',').filter((part) => part !== '');
  if (parts.length === 0) throw invalidParameter('_sort', '_sort names no parameter.');
  if (parts.length > SORT_KEYS_MAX) {
    throw invalidParameter('_sort', `_sort names more than ${SORT_KEYS_MAX} parameters.`);
  }
  return parts.map((part) => {
    const descending = part.startsWith('-');
    return { by: sortBy(type, descending ? part.slice(1) : part), descending };
  });
}
