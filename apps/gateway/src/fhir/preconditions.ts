import type { StoredVersion } from '../vault/index.ts';
import { FhirError, versionConflict } from './fhir-error.ts';

/** `W/"3"` or `"3"`; R4 makes version ids of the characters of ids. */
const ETAG = /^(?:W\/)?"([A-Za-z0-9\-.]{1,64})"$/;
/** Entity tags in one header. */
const ETAGS_MAX = 16;

/** Version ids that a condition names; `*` stands for any. */
export type VersionCondition = '*' | readonly string[];

/** What must hold for a request to be carried out (FHIR R4, http, section 3.1.0.1.3 and 3.1.0.5). */
export interface Conditions {
  readonly ifMatch?: VersionCondition;
  readonly ifNoneMatch?: VersionCondition;
  /** Milliseconds. */
  readonly ifModifiedSince?: number;
  /** The query of If-None-Exist. */
  readonly ifNoneExist?: string;
}

/** @throws {@link FhirError} 400 for one that is none: ignoring it would overwrite somebody's change. */
function versionCondition(name: string, value: string | undefined): VersionCondition | undefined {
  if (value === undefined) return undefined;
  if (value.trim() === '*') return '*';
  const versions = value.split(',').map((tag) => ETAG.exec(tag.trim())?.[1]);
  const known = versions.filter((version) => version !== undefined);
  if (known.length === versions.length && known.length <= ETAGS_MAX) return known;
  throw new FhirError({
    status: 400,
    code: 'invalid',
    message: `${name} is not an entity tag.`,
    help: 'Send it as W/"3".',
    expression: [name],
  });
}

/** @throws {@link FhirError} 400. */
export function conditionsOf(headers: Readonly<Record<string, string | undefined>>): Conditions {
  const ifMatch = versionCondition('If-Match', headers['if-match']);
  const ifNoneMatch = versionCondition('If-None-Match', headers['if-none-match']);
  const ifNoneExist = headers['if-none-exist'];
  const since = headers['if-modified-since'];
  // RFC 9110 (section 13.1.3): a date that is none is ignored.
  const ifModifiedSince = since === undefined ? Number.NaN : Date.parse(since);
  return {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }),
    ...(ifNoneExist === undefined ? {} : { ifNoneExist: ifNoneExist.replace(/^\?/, '') }),
    ...(Number.isNaN(ifModifiedSince) ? {} : { ifModifiedSince }),
  };
}

function isNamed(condition: VersionCondition, current: StoredVersion | undefined): boolean {
  if (condition === '*') return current !== undefined && !current.deleted;
  return current !== undefined && condition.includes(String(current.version));
}

/**
 * Holds a write to its If-Match and If-None-Match. Asked inside the write's transaction: of two writers with the same
 * If-Match one wins.
 *
 * @throws {@link FhirError} 412.
 */
export function requireVersion(conditions: Conditions, current: StoredVersion | undefined): void {
  const { ifMatch, ifNoneMatch } = conditions;
  if (ifMatch !== undefined && !isNamed(ifMatch, current)) throw versionConflict('If-Match');
  if (ifNoneMatch !== undefined && isNamed(ifNoneMatch, current)) throw versionConflict('If-None-Match');
}

/** Has the reader this version already? If-None-Match counts before If-Modified-Since (RFC 9110, section 13.2.2). */
export function isUnchanged(conditions: Conditions, version: StoredVersion): boolean {
  const { ifNoneMatch, ifModifiedSince } = conditions;
  if (ifNoneMatch !== undefined) return isNamed(ifNoneMatch, version);
  // Last-Modified tells whole seconds.
  return ifModifiedSince !== undefined && Math.floor(version.time / 1000) * 1000 <= ifModifiedSince;
}
