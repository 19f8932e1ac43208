import { type DateRange, dateRangeOf } from '../../index-store/index.ts';
import { ORGANIZATION_KEY, subjectKey } from '../../keystore/index.ts';
import { type RecordKey, type StoredVersion, VaultError } from '../../vault/index.ts';
import type { VersionRow } from '../../vault/vault-rows.ts';
import { maySee, type Permission, requireScope } from '../access.ts';
import { forbidden, invalidParameter, notFound } from '../fhir-error.ts';
import { type FhirAnswer, type FhirRequest, parameterOf, type RecordScope } from '../fhir-request.ts';
import { openCursor, sealCursor } from '../page-cursor.ts';
import type { SearchParameters } from '../search-route.ts';
import { StoredResource } from '../stored-resource.ts';
import { type HistoryFilter, historyCount, historyRows } from './history-query.ts';
import { type Reasons, reasonsOf } from './provenance.ts';
import { visibleVersion } from './versions.ts';

/** Versions in one page of a history, when the request does not say, and at most. */
export const HISTORY_PAGE_MAX = 100;
/** Versions that one page looks at: behind many that the caller may not see it ends early, with a link to go on. */
export const HISTORY_ROWS_MAX = 2_000;
const ROWS_PER_STEP = 200;

/** On a history's entry: who wrote the version, as organization, kind of caller and client or user id. */
export const ACTOR_EXTENSION = 'https://careledger.example/fhir/actor';
/** On a history's entry: the version that this one supersedes. */
export const SUPERSEDES_EXTENSION = 'https://careledger.example/fhir/supersedes';
/** On a history's entry: why, from the Provenance of the version. */
export const REASON_EXTENSION = 'https://careledger.example/fhir/reason';

const HANDLED: ReadonlySet<string> = new Set([
  ...['_count', '_since', '_at', '_cursor', '_format', '_pretty', '_summary', '_elements'],
]);

interface HistoryPage {
  readonly filter: Pick<HistoryFilter, 'since' | 'at'>;
  readonly countMax: number;
}

function rangeOf(name: string, value: string): DateRange {
  const range = dateRangeOf(value);
  if (!range) throw invalidParameter(name, 'A value is not a date of FHIR.');
  return range;
}

function countOf(value: string | undefined): number {
  if (value === undefined) return HISTORY_PAGE_MAX;
  if (!/^\d{1,9}$/.test(value)) throw invalidParameter('_count', '_count is not a number.');
  return Math.min(Number(value), HISTORY_PAGE_MAX);
}

function pageOf(parameters: SearchParameters, isStrict: boolean): HistoryPage {
  const unknown = parameters.find(([name]) => !HANDLED.has(name));
  if (unknown && isStrict) {
    throw invalidParameter(unknown[0].slice(0, 64), 'A history does not know this parameter.');
  }
  const since = parameterOf(parameters, '_since');
  const at = parameterOf(parameters, '_at');
  return {
    countMax: countOf(parameterOf(parameters, '_count')),
    filter: {
      ...(since === undefined ? {} : { since: rangeOf('_since', since).low }),
      ...(at === undefined ? {} : { at: rangeOf('_at', at) }),
    },
  };
}

function isErased(error: unknown): boolean {
  return error instanceof VaultError && error.code === 'vault/erased';
}

/** Opens rows one by one where one of them has been erased: it left the histories with its keys. */
async function openRows(
  { store }: RecordScope,
  rows: readonly VersionRow[],
): Promise<readonly StoredVersion[]> {
  const { vault } = store.options;
  try {
    return await vault.openRows(rows);
  } catch (error) {
    if (!isErased(error)) throw error;
  }
  const opened: StoredVersion[] = [];
  for (const row of rows) {
    try {
      opened.push(await vault.openRow(row));
    } catch (error) {
      if (!isErased(error)) throw error;
    }
  }
  return opened;
}

/**
 * Whose record the newest version is: that decides about every old one too. A record that was filed under a wrong
 * patient and corrected is not that patient's to read in its first form.
 */
class NewestVersions {
  readonly #scope: RecordScope;
  readonly #permission: Permission;
  readonly #seen = new Map<string, boolean>();

  constructor(scope: RecordScope, permission: Permission) {
    this.#scope = scope;
    this.#permission = permission;
  }

  async mayBeSeen({ type, id }: StoredVersion): Promise<boolean> {
    // Others see all patients' records, and their granular scopes ask for today's labels already.
    if (this.#scope.caller.kind !== 'patient') return true;
    const key = `${type}/${id}`;
    const known = this.#seen.get(key);
    if (known !== undefined) return known;
    const isSeen = await this.#look({ type, id });
    this.#seen.set(key, isSeen);
    return isSeen;
  }

  async #look(key: RecordKey): Promise<boolean> {
    try {
      return (await visibleVersion(this.#scope, key, this.#permission)) !== undefined;
    } catch (error) {
      if (isErased(error)) return false;
      throw error;
    }
  }
}

interface Collected {
  readonly versions: readonly StoredVersion[];
  /** Where the next page begins, when there may be one. */
  readonly next: number | undefined;
}

/** Visible versions below a place, newest first. */
async function collect(
  scope: RecordScope,
  filter: HistoryFilter,
  page: { readonly below: number; readonly countMax: number; readonly permission: Permission },
): Promise<Collected> {
  const { store, caller } = scope;
  const versions: StoredVersion[] = [];
  const newest = new NewestVersions(scope, page.permission);
  let { below } = page;
  for (let seen = 0; seen < HISTORY_ROWS_MAX; ) {
    const countMax = Math.min(ROWS_PER_STEP, page.countMax + 1);
    const rows = await historyRows(store.options.vault.reader, filter, { below, countMax });
    for (const version of await openRows(scope, rows)) {
      if (!(await maySee(store.options, caller, version, page.permission))) continue;
      if (!(await newest.mayBeSeen(version))) continue;
      if (versions.length === page.countMax) return { versions, next: below };
      versions.push(version);
      below = version.seq;
    }
    const last = rows.at(-1);
    if (!last || rows.length < countMax) return { versions, next: undefined };
    below = last.seq;
    seen += rows.length;
  }
  return { versions, next: below };
}

function historyEntry(baseUrl: string, stored: StoredVersion, reasons: Reasons): object {
  const { type, id, version, deleted, actor, time } = stored;
  const method = deleted ? 'DELETE' : version === 1 ? 'POST' : 'PUT';
  const supersedes = version === 1 ? [] : [{ url: SUPERSEDES_EXTENSION, valueString: String(version - 1) }];
  const reason = (reasons.get(`${type}/${id}/_history/${version}`) ?? []).map((concept) => ({
    url: REASON_EXTENSION,
    valueCodeableConcept: concept,
  }));
  return {
    extension: [{ url: ACTOR_EXTENSION, valueString: actor }, ...supersedes, ...reason],
    fullUrl: `${baseUrl}/${type}/${id}`,
    ...(deleted ? {} : { resource: new StoredResource(stored) }),
    request: { method, url: version === 1 ? type : `${type}/${id}` },
    response: {
      status: deleted ? '204' : version === 1 ? '201' : '200',
      etag: `W/"${version}"`,
      lastModified: new Date(time).toISOString(),
    },
  };
}

async function historyBundle(
  request: FhirRequest,
  path: string,
  filter: HistoryFilter & { readonly permission: Permission; readonly isCounted: boolean },
): Promise<FhirAnswer> {
  const { scope, services } = request;
  const { vault, baseUrl } = scope.store.options;
  const context = { path, caller: scope.caller };
  const text = parameterOf(request.parameters, '_cursor');
  const cursor = text === undefined ? undefined : openCursor(services.keystore, context, text);
  const parameters = cursor?.parameters ?? request.parameters;
  const page = pageOf(parameters, request.isStrict);
  const { permission, isCounted, ...rows } = { ...filter, ...page.filter };
  const below = cursor?.seq ?? Number.MAX_SAFE_INTEGER;
  const { versions, next } = await collect(scope, rows, { below, countMax: page.countMax, permission });
  const total = isCounted ? await historyCount(vault.reader, rows) : undefined;
  const reasons = await reasonsOf(scope, versions);
  const url = `${baseUrl}/${path}`;
  const link =
    next !== undefined && page.countMax > 0
      ? [
          {
            relation: 'next',
            url: `${url}?_cursor=${sealCursor(services.keystore, context, { parameters, seq: next })}`,
          },
        ]
      : [];
  return {
    status: 200,
    resource: {
      resourceType: 'Bundle',
      type: 'history',
      ...(total === undefined ? {} : { total }),
      link: [{ relation: 'self', url: `${url}${queryText(parameters)}` }, ...link],
      entry: versions.map((version) => historyEntry(baseUrl, version, reasons)),
    },
  };
}

function queryText(parameters: SearchParameters): string {
  if (parameters.length === 0) return '';
  const query = new URLSearchParams();
  for (const [name, value] of parameters) query.append(name, value);
  return `?${query.toString()}`;
}

/** The keys that may wrap what a patient sees: the patient's own, and the organization's for what is nobody's. */
function keyNamesFor({ caller }: RecordScope, includeUnowned = true): Pick<HistoryFilter, 'keyNames'> {
  if (caller.kind !== 'patient') return {};
  const own = subjectKey(caller.patientId ?? '');
  return { keyNames: includeUnowned ? [own, ORGANIZATION_KEY] : [own] };
}

/** `GET Type/id/_history`. Its total counts what the caller may see, and nothing else. */
export async function instanceHistory(request: FhirRequest): Promise<FhirAnswer> {
  const { scope, type, id } = request;
  requireScope(scope.caller, type, 'history-instance');
  const newest = await visibleVersion(scope, { type, id }, 'read');
  if (!newest) throw notFound();
  // Versions that are nobody's are a patient's to see in directories alone, where the newest one is nobody's too.
  const keyNames = keyNamesFor(scope, newest.subjects.length === 0);
  const filter = { types: [type], id, ...keyNames, permission: 'read', isCounted: true } as const;
  return historyBundle(request, `${type}/${id}/_history`, filter);
}

/** `GET Type/_history`, without a total: counting would open every version. */
export async function typeHistory(request: FhirRequest): Promise<FhirAnswer> {
  const { scope, type } = request;
  requireScope(scope.caller, type, 'history-type');
  const filter = { types: [type], ...keyNamesFor(scope), permission: 'search', isCounted: false } as const;
  return historyBundle(request, `${type}/_history`, filter);
}

/** `GET _history`: of the types that the caller's scopes cover. */
export async function systemHistory(request: FhirRequest): Promise<FhirAnswer> {
  const { scope } = request;
  const { caller } = scope;
  const covered = caller.scopes.filter(({ search }) => search).map(({ type }) => type);
  if (caller.kind === 'organization' || covered.length === 0) throw forbidden();
  const types = covered.includes('*') ? {} : { types: [...new Set(covered)] };
  const filter = { ...types, ...keyNamesFor(scope), permission: 'search', isCounted: false } as const;
  return historyBundle(request, '_history', filter);
}
