import { randomUUID } from 'node:crypto';
import {
  isLosslessArray,
  isLosslessObject,
  isResource,
  type LosslessObject,
  type LosslessResource,
  type LosslessValue,
  parseLossless,
  withField,
} from '@careledger/fhir';
import type { StoredVersion } from '../../vault/index.ts';
import { isScopeCovered, requireScope, visibilityFor } from '../access.ts';
import { FhirError } from '../fhir-error.ts';
import { parseJson, type RecordScope, type WriteScope } from '../fhir-request.ts';
import { PAGE_MAX, parseSearch } from '../search-query.ts';
import { searchContextFor } from '../search-route.ts';
import { JsonText } from '../stored-resource.ts';
import { appendVersion } from './versions.ts';

/** Reasons by the version that they are for: `Observation/1/_history/2`. */
export type Reasons = ReadonlyMap<string, readonly JsonText[]>;

export function versionReference({ type, id, version }: StoredVersion): string {
  return `${type}/${id}/_history/${version}`;
}

function wrongProvenance(message: string): FhirError {
  const help = 'Send a Provenance without a target, as JSON in one line; the server sets the target.';
  return new FhirError({ status: 400, code: 'structure', message, help, expression: ['X-Provenance'] });
}

/**
 * The `X-Provenance` header (FHIR R4, provenance, section 6.3.5): who changed something and why, stored with the change.
 *
 * @throws {@link FhirError} 400.
 */
export function parseProvenance(header: string | undefined): LosslessResource | undefined {
  if (header === undefined) return undefined;
  // Node hands out each byte of a header as one character; JSON in it is UTF-8.
  const bytes = Buffer.from(header, 'latin1');
  const tree = parseJson(header.length === bytes.length ? bytes.toString('utf8') : header);
  if (!isResource(tree) || tree.resourceType !== 'Provenance') {
    throw wrongProvenance('X-Provenance is not a Provenance.');
  }
  if (tree.target !== undefined) throw wrongProvenance('The Provenance names a target of its own.');
  return tree;
}

/** Stores the Provenance of what a request wrote, in the transaction that wrote it. */
export async function appendProvenance(
  scope: WriteScope,
  provenance: LosslessResource,
  written: readonly StoredVersion[],
): Promise<void> {
  if (written.length === 0) return;
  requireScope(scope.caller, 'Provenance', 'create');
  const target = written.map((version) => ({ reference: versionReference(version) }));
  const recorded = provenance.recorded ?? new Date(scope.store.options.now()).toISOString();
  const tree = {
    ...withField(withField(provenance, 'target', target), 'recorded', recorded),
    resourceType: 'Provenance',
  };
  try {
    await appendVersion(scope, tree, { id: randomUUID() });
  } catch (error) {
    throw error instanceof FhirError ? inHeader(error) : error;
  }
}

/** Findings of validation, said of the header instead of a body. */
function inHeader(error: FhirError): FhirError {
  const { status, code, message, help } = error;
  const issues = error.issues.map((issue) => ({
    ...issue,
    expression: (issue.expression ?? ['']).map((place) => `X-Provenance ${place}`.trim()),
  }));
  return new FhirError({ status, code, message, help, issues, isPlaced: true });
}

function reasonsIn(tree: LosslessValue): readonly LosslessObject[] {
  if (!isLosslessObject(tree)) return [];
  const { reason, activity } = tree;
  const reasons = isLosslessArray(reason) ? reason.filter(isLosslessObject) : [];
  return reasons.length > 0 || !isLosslessObject(activity) ? reasons : [activity];
}

function targetsIn(tree: LosslessValue): readonly string[] {
  const targets = isLosslessObject(tree) && isLosslessArray(tree.target) ? tree.target : [];
  return targets.flatMap((one) =>
    isLosslessObject(one) && typeof one.reference === 'string' ? [one.reference] : [],
  );
}

/**
 * Why these versions came to be, as far as the caller may read it: the reasons (or else the activity) of the Provenance
 * resources that name one of them.
 */
export async function reasonsOf(
  { store, caller }: RecordScope,
  versions: readonly StoredVersion[],
): Promise<Reasons> {
  const reasons = new Map<string, JsonText[]>();
  const targets = [...new Set(versions.map(({ type, id }) => `${type}/${id}`))];
  if (targets.length === 0 || !isScopeCovered(caller, 'Provenance', 'read')) return reasons;
  const { index, vault } = store.options;
  const context = {
    ...searchContextFor(store, caller, 'Provenance'),
    visibility: visibilityFor(store.options, caller, 'Provenance', 'read'),
  };
  const { plan } = parseSearch('Provenance', [['target', targets.join(',')]], context);
  const { seqs } = await index.search({ ...plan, countMax: PAGE_MAX, countTotal: false });
  for (const { text } of await vault.bySeq(seqs)) {
    const tree = parseLossless(text);
    const found = reasonsIn(tree).map((reason) => new JsonText(reason));
    for (const target of targetsIn(tree)) reasons.set(target, [...(reasons.get(target) ?? []), ...found]);
  }
  return reasons;
}
