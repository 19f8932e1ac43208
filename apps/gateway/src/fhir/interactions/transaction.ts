import {
  isLosslessArray,
  isLosslessObject,
  type LosslessObject,
  type LosslessValue,
  parseReference,
  rewriteReferences,
  withField,
} from '@careledger/fhir';
import { IndexStore } from '../../index-store/index.ts';
import type { StoredVersion } from '../../vault/index.ts';
import { hasGranularScopes } from '../dispatch.ts';
import { entryOf } from '../fhir-answer.ts';
import { FhirError } from '../fhir-error.ts';
import type { FhirAnswer, FhirRequest, WriteScope } from '../fhir-request.ts';
import { type MatchedRoute, matchRoute } from '../route-table.ts';
import { type BundleOptions, entryRequest, isRead } from './batch.ts';
import { type BundleEntry, entryAt, malformedBundle } from './bundle-entry.ts';
import { conditionPlan } from './conditional-match.ts';
import { appendProvenance } from './provenance.ts';
import { type PlannedWrite, TransactionTargets } from './transaction-targets.ts';

/** The order in which a transaction's entries are processed (FHIR R4, http, section 3.1.0.11.2). */
const ORDER: readonly string[] = ['DELETE', 'POST', 'PUT', 'PATCH', 'GET', 'HEAD'];

interface RoutedEntry {
  readonly entry: BundleEntry;
  readonly matched: MatchedRoute;
}

/** Says of an error which entry it is about. */
async function placed<Value>({ place }: BundleEntry, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof FhirError ? error.inEntry(place) : error;
  }
}

async function routed(value: LosslessValue, index: number, baseUrl: string): Promise<RoutedEntry> {
  const entry = entryAt(value, index, baseUrl);
  const matched = await placed(entry, async () => matchRoute(entry.method, entry.path));
  if (isRead(entry) || matched.route.interaction !== 'operation') return { entry, matched };
  throw malformedBundle(`${entry.place}.request.url`, 'A transaction may read and write, and nothing else.');
}

/** Two entries of one identity cannot both happen. */
function refuseOverlaps(writes: readonly PlannedWrite[]): void {
  const changed = new Set<string>();
  const found = new Set<string>();
  for (const { entry, target, answer } of writes) {
    if (!target) continue;
    const key = `${target.type}/${target.id}`;
    const isTwice = changed.has(key) || (answer === undefined && found.has(key));
    if (isTwice) throw malformedBundle(entry.place, 'Two entries of the transaction are about one resource.');
    (answer === undefined ? changed : found).add(key);
  }
}

/** What entries refer to each other by, once they have their ids. */
function fullUrls(writes: readonly PlannedWrite[]): Map<string, string> {
  const references = new Map<string, string>();
  for (const { entry, target } of writes) {
    const { fullUrl, place } = entry;
    if (fullUrl === undefined || !target) continue;
    if (references.has(fullUrl))
      throw malformedBundle(`${place}.fullUrl`, 'Two entries have the same fullUrl.');
    references.set(fullUrl, `${target.type}/${target.id}`);
  }
  return references;
}

/** A Provenance in a transaction is about the versions that the transaction makes. */
async function withVersionedTargets(
  tree: LosslessObject,
  versions: ReadonlyMap<string, number>,
): Promise<LosslessObject> {
  if (tree.resourceType !== 'Provenance' || !isLosslessArray(tree.target)) return tree;
  const target = tree.target.map((one) => {
    const reference = isLosslessObject(one) && typeof one.reference === 'string' ? one.reference : '';
    const version = versions.get(reference);
    return version === undefined || !isLosslessObject(one)
      ? one
      : withField(one, 'reference', `${reference}/_history/${version}`);
  });
  return withField(tree, 'target', target);
}

/** The version that each entry will make, for the Provenance entries beside them. */
async function versionsToCome(
  scope: WriteScope,
  writes: readonly PlannedWrite[],
): Promise<ReadonlyMap<string, number>> {
  const versions = new Map<string, number>();
  if (!writes.some(({ matched }) => matched.type === 'Provenance')) return versions;
  for (const { target, answer } of writes) {
    if (!target || answer) continue;
    const current = await scope.transaction.current(target);
    versions.set(`${target.type}/${target.id}`, (current?.version ?? 0) + 1);
  }
  return versions;
}

/** A Provenance comes after all that it may be about: whose record it is, its targets say. */
function rankOf({ entry, matched }: PlannedWrite): number {
  const isAboutOthers = matched.type === 'Provenance' && entry.method !== 'DELETE';
  return isAboutOthers ? ORDER.length : ORDER.indexOf(entry.method);
}

/** The writes with their references led to where they belong, in the order of processing. */
async function resolved(
  scope: WriteScope,
  targets: TransactionTargets,
  writes: readonly PlannedWrite[],
): Promise<readonly PlannedWrite[]> {
  refuseOverlaps(writes);
  const references = fullUrls(writes);
  const pending = writes.flatMap(({ entry, answer }) =>
    entry.resource && !answer ? [[entry.place, entry.resource] as const] : [],
  );
  for (const [from, to] of await targets.conditionalReferences(pending)) references.set(from, to);
  const versions = await versionsToCome(scope, writes);
  const rewritten: PlannedWrite[] = [];
  for (const write of writes) {
    const { body } = write.request;
    if (body.kind !== 'tree') {
      rewritten.push(write);
      continue;
    }
    const moved = rewriteReferences(body.tree, (reference) => references.get(reference));
    const tree = await withVersionedTargets(moved, versions);
    rewritten.push({ ...write, request: { ...write.request, body: { kind: 'tree', tree } } });
  }
  return rewritten.sort((left, right) => rankOf(left) - rankOf(right));
}

/**
 * The conditions were judged by what was committed; here they are asked of what the transaction wrote. One that fits a
 * resource of another entry would have been judged otherwise in another order: it is refused.
 */
async function requireUnambiguous(scope: WriteScope, { judged }: TransactionTargets): Promise<void> {
  const types = new Set(judged.map(({ type }) => type));
  const written = scope.transaction.changes.filter(({ type, deleted }) => !deleted && types.has(type));
  if (written.length === 0) return;
  const index = await IndexStore.inMemory();
  try {
    await index.apply(written);
    const keys = new Map(written.map(({ seq, type, id }) => [seq, `${type}/${id}`]));
    for (const condition of judged) {
      const { target, place } = condition;
      const own = target && `${target.type}/${target.id}`;
      const { seqs } = await index.search({
        ...conditionPlan(scope, condition),
        visibility: { kind: 'all' },
      });
      if (seqs.every((seq) => keys.get(seq) === own)) continue;
      const message = 'The condition of an entry fits what another entry of the transaction writes.';
      throw malformedBundle(`${place}.request`, message, 412);
    }
  } finally {
    await index.close();
  }
}

function isPlainRead({ matched }: RoutedEntry): boolean {
  return matched.route.interaction === 'read' || matched.route.interaction === 'vread';
}

type Answers = Map<string, object>;

/** Everything of a transaction that happens before it is durable. */
async function carryOut(
  bundle: FhirRequest,
  scope: WriteScope,
  {
    entries,
    answers,
    options,
  }: {
    readonly entries: readonly RoutedEntry[];
    readonly answers: Answers;
    readonly options: BundleOptions;
  },
): Promise<void> {
  const targets = new TransactionTargets(bundle, scope);
  const writes: PlannedWrite[] = [];
  for (const { entry, matched } of entries) {
    if (!isRead(entry)) writes.push(await placed(entry, () => targets.plan(entry, matched)));
  }
  const written: StoredVersion[] = [];
  for (const { entry, matched, request, answer } of await resolved(scope, targets, writes)) {
    const done = answer ?? (await placed(entry, () => matched.route.handler(request)));
    if (done.written) written.push(done.written);
    answers.set(entry.place, entryOf(done, options.prefer, false));
  }
  await requireUnambiguous(scope, targets);
  if (bundle.provenance) await appendProvenance(scope, bundle.provenance, written);
  for (const one of entries.filter(({ entry }) => isRead(entry))) {
    const inside = isPlainRead(one) ? scope : bundle.scope;
    const request = {
      ...entryRequest(bundle, one.entry, one.matched),
      scope: { ...inside, entry: one.entry.place },
    };
    const answer = await placed(one.entry, () => one.matched.route.handler(request));
    answers.set(one.entry.place, entryOf(answer, options.prefer, true));
  }
}

/**
 * Processes a transaction: all of it or nothing. Conditions are judged first, by what was committed; then entries happen
 * in FHIR's order. Searches and histories are checked with the rest, and answered once everything is durable.
 *
 * @throws {@link FhirError} with the place of the entry that cannot happen.
 */
export async function transaction(
  bundle: FhirRequest,
  values: readonly LosslessValue[],
  options: BundleOptions,
): Promise<FhirAnswer> {
  const { store } = bundle.scope;
  const entries: RoutedEntry[] = [];
  for (const [index, value] of values.entries())
    entries.push(await routed(value, index, store.options.baseUrl));
  const answers: Answers = new Map();
  await store.transaction(
    (inner) => carryOut(bundle, { ...bundle.scope, transaction: inner }, { entries, answers, options }),
    {
      searches: hasGranularScopes(bundle.scope.caller) || entries.some(asksIndex),
      thereafter: async () => {
        if (entries.every(({ entry }) => isRead(entry))) return;
        for (const one of entries.filter((each) => isRead(each.entry) && !isPlainRead(each))) {
          const answer = await one.matched.route.handler(entryRequest(bundle, one.entry, one.matched));
          answers.set(one.entry.place, entryOf(answer, options.prefer, true));
        }
      },
    },
  );
  const entry = entries.map((one) => answers.get(one.entry.place));
  return { status: 200, resource: { resourceType: 'Bundle', type: 'transaction-response', entry } };
}

/** Does judging this entry ask the search index? */
function asksIndex({ entry, matched }: RoutedEntry): boolean {
  if (matched.route.isConditional === true || entry.conditions.ifNoneExist !== undefined) return true;
  let isAsked = false;
  if (entry.resource) {
    rewriteReferences(entry.resource, (reference) => {
      isAsked ||= parseReference(reference).kind === 'conditional';
      return undefined;
    });
  }
  return isAsked;
}
