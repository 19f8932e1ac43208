import type { Caller } from '../caller.ts';
import { FhirError, parseSearch, searchContextFor, unknownParameter } from '../fhir/index.ts';
import type { GatewayContext } from '../gateway.ts';
import type { Page, SearchPlan } from '../index-store/index.ts';
import type { TypeFilter } from './export-request.ts';
import { LISTING_ROWS } from './limits.ts';

/** Parameters about the answer: a filter has none. */
const SHAPING = /^_(include|revinclude|sort|count|total|summary|elements|cursor|format|pretty)(:|$)/;

function notAFilter(): FhirError {
  return new FhirError({
    status: 400,
    code: 'invalid',
    message: 'A filter only says which records are meant: it sorts, counts, shapes and includes nothing.',
    help: 'Leave such parameters out of _typeFilter.',
    expression: ['_typeFilter'],
  });
}

/**
 * What the filters find, as ids by type; a type without filters has no entry. Filters of one type add up (Bulk Data
 * Access 2, `_typeFilter`).
 *
 * @throws {@link FhirError} 400 for a search that this server does not understand.
 */
export async function idsOfFilters(
  gateway: GatewayContext,
  caller: Caller,
  filters: readonly TypeFilter[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const found = new Map<string, Set<string>>();
  for (const filter of filters) {
    const ids = found.get(filter.type) ?? new Set();
    for await (const id of search(gateway, caller, filter)) ids.add(id);
    found.set(filter.type, ids);
  }
  return found;
}

/** @throws {@link FhirError} 400 for a search that this server does not understand. */
export function planFilter(gateway: GatewayContext, caller: Caller, filter: TypeFilter): SearchPlan {
  if (filter.parameters.some(([name]) => SHAPING.test(name))) throw notAFilter();
  const context = searchContextFor(gateway.store, caller, filter.type);
  const { plan, unknown } = parseSearch(filter.type, filter.parameters, context);
  if (unknown[0] !== undefined) throw unknownParameter(unknown[0]);
  return { ...plan, countMax: LISTING_ROWS, countTotal: false };
}

async function* search(gateway: GatewayContext, caller: Caller, filter: TypeFilter): AsyncIterable<string> {
  const plan = planFilter(gateway, caller, filter);
  for (let after: Page | undefined, isFirst = true; isFirst || after; isFirst = false) {
    const found = await gateway.index.search(after ? { ...plan, after } : plan);
    yield* await idsOf(gateway, found.seqs);
    after = found.next;
  }
}

async function idsOf({ vault }: GatewayContext, seqs: readonly number[]): Promise<readonly string[]> {
  if (seqs.length === 0) return [];
  const rows = await vault.reader.selectFrom('version').select('id').where('seq', 'in', seqs).execute();
  return rows.map(({ id }) => id);
}
