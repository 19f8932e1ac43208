import type { LosslessValue } from '@careledger/fhir';
import { chunksOf } from '../../vault/vault-rows.ts';
import { dispatch } from '../dispatch.ts';
import { entryOf, faultRefusal, knownRefusal, type ReturnPreference } from '../fhir-answer.ts';
import { FhirError, outcomeOf } from '../fhir-error.ts';
import { type FhirAnswer, type FhirRequest, parametersOf } from '../fhir-request.ts';
import { GROUP_WORKS_MAX } from '../record-store.ts';
import { type MatchedRoute, matchRoute } from '../route-table.ts';
import { type BundleEntry, entryAt } from './bundle-entry.ts';

/** What processing a bundle needs beside the request that brought it. */
export interface BundleOptions {
  readonly prefer: ReturnPreference;
  /** Hears of faults that an entry only shows as 500. */
  readonly onFault: (error: unknown) => void;
}

/** An entry as a request of its own. */
export function entryRequest(bundle: FhirRequest, entry: BundleEntry, matched: MatchedRoute): FhirRequest {
  const { type, id, version } = matched;
  return {
    ...bundle,
    ...{ type, id, version, method: entry.method, conditions: entry.conditions },
    scope: { ...bundle.scope, entry: entry.place },
    parameters: parametersOf(entry.query),
    body: entry.resource ? { kind: 'tree', tree: entry.resource } : { kind: 'none' },
  };
}

export function isRead({ method }: Pick<BundleEntry, 'method'>): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** An entry's failure as its answer. */
function refusedEntry(error: unknown, place: string, { onFault }: BundleOptions): object {
  const known = knownRefusal(error);
  if (!known) onFault(error);
  const refusal = known ? known.inEntry(place) : faultRefusal();
  return { response: { status: String(refusal.status), outcome: outcomeOf(refusal.issues) } };
}

async function answerEntry(bundle: FhirRequest, value: LosslessValue, index: number, options: BundleOptions) {
  try {
    const entry = entryAt(value, index, bundle.scope.store.options.baseUrl);
    const matched = matchRoute(entry.method, entry.path);
    const answer = await dispatch(matched.route, entryRequest(bundle, entry, matched));
    return entryOf(answer, options.prefer, isRead(entry));
  } catch (error) {
    return refusedEntry(error, `Bundle.entry[${index}]`, options);
  }
}

/**
 * Processes a batch: every entry by itself, whatever becomes of the others, a malformed one included. Entries may not
 * build on each other (FHIR R4, http, section 3.1.0.11.1), so those that write share transactions of the disk.
 */
export async function batch(
  bundle: FhirRequest,
  entries: readonly LosslessValue[],
  options: BundleOptions,
): Promise<FhirAnswer> {
  if (bundle.provenance) {
    throw new FhirError({
      status: 400,
      code: 'not-supported',
      message: 'X-Provenance cannot be told of a batch, whose entries happen one by one.',
      help: 'Send a transaction, or a Provenance as an entry.',
      expression: ['X-Provenance'],
    });
  }
  const answers: object[] = [];
  for (const chunk of chunksOf([...entries.entries()], GROUP_WORKS_MAX)) {
    const answered = chunk.map(([index, value]) => answerEntry(bundle, value, index, options));
    answers.push(...(await Promise.all(answered)));
  }
  return { status: 200, resource: { resourceType: 'Bundle', type: 'batch-response', entry: answers } };
}
