import type { Found, IndexStore, Page, SearchPlan, SortKey } from '../../index-store/index.ts';
import { invalidParameter } from '../fhir-error.ts';

/** Orders that mean the same for every type. */
function isShared({ by }: SortKey): boolean {
  return by === '_lastUpdated' || by === '_id';
}

/**
 * One page over several types that are searched alike, in one order.
 * @throws {@link FhirError} 400 for an order that only one of the types has.
 */
export async function searchTypes(
  index: IndexStore,
  plans: readonly SearchPlan[],
  after: Page | undefined,
): Promise<Found> {
  const asked = plans.map((plan): SearchPlan => (after ? { ...plan, after } : plan));
  const [first, ...others] = asked;
  if (!first) return { seqs: [], total: 0 };
  if (others.length === 0) return index.search(first);
  if (!first.sort.every(isShared)) {
    throw invalidParameter('_sort', 'A search over several types is sorted by _lastUpdated or _id.');
  }
  return index.searchTogether(asked);
}
