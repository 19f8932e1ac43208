import type { RecordKey, StoredVersion } from '../../vault/index.ts';
import { requireScope } from '../access.ts';
import { gone, notFound } from '../fhir-error.ts';
import type { FhirAnswer, FhirRequest, RecordScope } from '../fhir-request.ts';
import { isUnchanged } from '../preconditions.ts';
import { visibleOldVersion, visibleVersion } from './versions.ts';

/** The current version. @throws {@link FhirError} 403, 404 or 410. */
export async function readCurrent(scope: RecordScope, key: RecordKey): Promise<StoredVersion> {
  requireScope(scope.caller, key.type, 'read');
  const stored = await visibleVersion(scope, key, 'read');
  if (!stored) throw notFound();
  if (stored.deleted) throw gone();
  return stored;
}

/**
 * One version as it was written. It takes that the caller may see the newest one too: a record that was moved to
 * another patient is no longer this caller's.
 *
 * @throws {@link FhirError} 403, 404 or 410.
 */
export async function readVersion(
  scope: RecordScope,
  key: RecordKey & { readonly version: string },
): Promise<StoredVersion> {
  requireScope(scope.caller, key.type, 'vread');
  const newest = await visibleVersion(scope, key, 'read');
  if (!newest) throw notFound();
  const stored =
    key.version === String(newest.version) ? newest : await visibleOldVersion(scope, key, key.version);
  if (!stored) throw notFound();
  if (stored.deleted) throw gone();
  return stored;
}

function answerOf({ conditions }: FhirRequest, version: StoredVersion): FhirAnswer {
  return { status: isUnchanged(conditions, version) ? 304 : 200, version };
}

/** `GET Type/id`. */
export async function read(request: FhirRequest): Promise<FhirAnswer> {
  return answerOf(request, await readCurrent(request.scope, request));
}

/** `GET Type/id/_history/version`. */
export async function vread(request: FhirRequest): Promise<FhirAnswer> {
  return answerOf(request, await readVersion(request.scope, request));
}
