import {
  isResource,
  type LosslessResource,
  parseLossless,
  parseReference,
  referencesOf,
} from '@careledger/fhir';
import { dateRangeOf } from '../../index-store/index.ts';
import { subjectKey } from '../../keystore/index.ts';
import type { RecordKey, StoredVersion } from '../../vault/index.ts';
import type { VersionRow } from '../../vault/vault-rows.ts';
import { isDirectoryType, isScopeCovered, maySee, requireScope } from '../access.ts';
import { invalidParameter } from '../fhir-error.ts';
import { type FhirAnswer, type FhirRequest, parameterOf, type RecordScope } from '../fhir-request.ts';
import { readCurrent } from '../interactions/read.ts';
import { visibleVersion } from '../interactions/versions.ts';
import { openCursor, sealCursor } from '../page-cursor.ts';
import { PAGE_DEFAULT, PAGE_MAX } from '../search-query.ts';
import type { SearchParameters } from '../search-route.ts';
import { StoredResource } from '../stored-resource.ts';
import { operationParameters, optionalBody, textParameter } from './parameters.ts';

/** Directory entries (practitioners, organizations) that one page brings along. */
export const REFERRED_MAX = 200;
/** Records that one page looks at: behind many that the caller may not see it ends early, with a link to go on. */
const ROWS_MAX = 2_000;
const NAMES = ['_since', '_type', '_count'] as const;
const HANDLED: ReadonlySet<string> = new Set([
  ...NAMES,
  '_cursor',
  '_format',
  '_pretty',
  '_summary',
  '_elements',
]);

interface Asked {
  readonly types: readonly string[] | undefined;
  /** Milliseconds. */
  readonly since: number | undefined;
  readonly countMax: number;
}

function parametersOf(request: FhirRequest): SearchParameters {
  const body = optionalBody(request);
  if (!body) return request.parameters;
  const named = operationParameters(body);
  const given = ['start', 'end', ...NAMES].flatMap((name) => {
    const found = named(name);
    const text =
      textParameter(found) ?? (found?.valueInteger === undefined ? undefined : String(countIn(found)));
    return text === undefined ? [] : [[name, text] as const];
  });
  return [...request.parameters, ...given];
}

function countIn(found: { readonly [name: string]: unknown }): string {
  const { valueInteger } = found;
  return typeof valueInteger === 'object' && valueInteger !== null && 'text' in valueInteger
    ? String(valueInteger.text)
    : '';
}

function askedOf(parameters: SearchParameters): Asked {
  // A narrower time of care is not answered with everything: what is left out of a request may be left out for a reason.
  const foreign = parameters.find(([name]) => !HANDLED.has(name));
  if (foreign)
    throw invalidParameter(foreign[0].slice(0, 64), 'This operation does not know this parameter here.');
  const since = parameterOf(parameters, '_since');
  const range = since === undefined ? undefined : dateRangeOf(since);
  if (since !== undefined && !range) throw invalidParameter('_since', '_since is not a date of FHIR.');
  const count = parameterOf(parameters, '_count');
  if (count !== undefined && !/^[1-9]\d{0,8}$/.test(count))
    throw invalidParameter('_count', '_count is not a number.');
  const types = parameters.filter(([name]) => name === '_type').flatMap(([, value]) => value.split(','));
  return {
    types: types.length > 0 ? types : undefined,
    since: range?.low,
    countMax: Math.min(Number(count ?? PAGE_DEFAULT), PAGE_MAX),
  };
}

/** Current records under a patient's key, in the vault's order: everything that is about the patient. */
function rowsOf(
  { store }: RecordScope,
  patient: string,
  { types, since }: Asked,
  page: { readonly after: number; readonly countMax: number },
): Promise<VersionRow[]> {
  let query = store.options.vault.reader
    .selectFrom('version_key')
    .innerJoin('version', 'version.seq', 'version_key.seq')
    .selectAll('version')
    .where('version_key.key_name', '=', subjectKey(patient))
    .where('version.seq', '>', page.after)
    .where('version.current', '=', 1)
    .where('version.deleted', '=', 0)
    // The patient comes first, by itself.
    .where('version.type', '!=', 'Patient');
  if (types) query = query.where('version.type', 'in', types);
  if (since !== undefined) query = query.where('version.time', '>=', since);
  return query.orderBy('version.seq').limit(page.countMax).execute();
}

interface Collected {
  readonly versions: readonly StoredVersion[];
  readonly next: number | undefined;
}

async function collect(
  scope: RecordScope,
  patient: string,
  asked: Asked,
  page: { readonly after: number; readonly countMax: number },
): Promise<Collected> {
  const { store, caller } = scope;
  const versions: StoredVersion[] = [];
  let { after } = page;
  for (let seen = 0; seen < ROWS_MAX; ) {
    const countMax = page.countMax + 1;
    const rows = await rowsOf(scope, patient, asked, { after, countMax });
    const covered = rows.filter(({ type }) => isScopeCovered(caller, type, 'read'));
    for (const version of await store.options.vault.openRows(covered)) {
      if (!(await maySee(store.options, caller, version, 'read'))) continue;
      if (versions.length === page.countMax) return { versions, next: after };
      versions.push(version);
      after = version.seq;
    }
    const last = rows.at(-1);
    if (!last || rows.length < countMax) return { versions, next: undefined };
    after = last.seq;
    seen += rows.length;
  }
  return { versions, next: after };
}

function treeOf({ text }: StoredVersion): LosslessResource | undefined {
  const tree = parseLossless(text);
  return isResource(tree) ? tree : undefined;
}

/** What these records refer to in the organization's directory: who treated, where, with what. */
async function referred(
  scope: RecordScope,
  versions: readonly StoredVersion[],
): Promise<readonly StoredVersion[]> {
  const keys = new Map<string, RecordKey>();
  for (const version of versions) {
    const tree = treeOf(version);
    for (const { reference } of tree ? referencesOf(tree) : []) {
      const { kind, type = '', id = '' } = parseReference(reference ?? '');
      const isWanted =
        kind === 'relative' && isDirectoryType(type) && isScopeCovered(scope.caller, type, 'read');
      if (isWanted && keys.size < REFERRED_MAX) keys.set(`${type}/${id}`, { type, id });
    }
  }
  const found: StoredVersion[] = [];
  for (const key of keys.values()) {
    const version = await visibleVersion(scope, key, 'read');
    if (version && !version.deleted) found.push(version);
  }
  return found;
}

/**
 * `Patient/id/$everything`: the patient, all records about the patient and what they refer to in the directory, page by
 * page; of them what the caller may read.
 */
export async function everything(request: FhirRequest): Promise<FhirAnswer> {
  const { scope, services, id } = request;
  const { baseUrl } = scope.store.options;
  requireScope(scope.caller, 'Patient', 'read');
  const patient = await readCurrent(scope, { type: 'Patient', id });
  const path = `Patient/${id}/$everything`;
  const context = { path, caller: scope.caller };
  const text = parameterOf(request.parameters, '_cursor');
  const cursor = text === undefined ? undefined : openCursor(services.keystore, context, text);
  const parameters = cursor?.parameters ?? parametersOf(request);
  const asked = askedOf(parameters);
  const isFirst = cursor === undefined;
  const isPatientAsked = asked.types?.includes('Patient') !== false && patient.time >= (asked.since ?? 0);
  const first = isFirst && isPatientAsked ? [patient] : [];
  const countMax = Math.max(asked.countMax - first.length, 1);
  const page = await collect(scope, id, asked, { after: cursor?.seq ?? 0, countMax });
  const matched = [...first, ...page.versions];
  const along = asked.types ? [] : await referred(scope, matched);
  const entryOf = (mode: string) => (version: StoredVersion) => ({
    fullUrl: `${baseUrl}/${version.type}/${version.id}`,
    resource: new StoredResource(version),
    search: { mode },
  });
  const url = `${baseUrl}/${path}`;
  const link =
    page.next === undefined
      ? []
      : [
          {
            relation: 'next',
            url: `${url}?_cursor=${sealCursor(services.keystore, context, { parameters, seq: page.next })}`,
          },
        ];
  const entry = [...matched.map(entryOf('match')), ...along.map(entryOf('include'))];
  return { status: 200, resource: { resourceType: 'Bundle', type: 'searchset', link, entry } };
}
