import type { RecordKey } from '../../vault/index.ts';
import { actorOf, requireAuthorship, requireScope } from '../access.ts';
import { notFound } from '../fhir-error.ts';
import { type FhirAnswer, type FhirRequest, type WriteScope, writing } from '../fhir-request.ts';
import { type Conditions, requireVersion } from '../preconditions.ts';
import { matchedKey } from './conditional-match.ts';
import { visibleVersion } from './versions.ts';

async function remove(scope: WriteScope, key: RecordKey, conditions: Conditions): Promise<FhirAnswer> {
  const before = await visibleVersion(scope, key, 'delete');
  if (!before) throw notFound();
  requireVersion(conditions, before);
  if (before.deleted) return { status: 204, version: before };
  requireAuthorship(scope.caller, before);
  const written = await scope.transaction.delete(before, actorOf(scope.caller));
  return { status: 204, version: written, written };
}

/** `DELETE Type/id`: one more version, which says that the record is deleted. Once more is the same as once. */
export async function deleteResource(request: FhirRequest): Promise<FhirAnswer> {
  const scope = writing(request.scope);
  requireScope(scope.caller, request.type, 'delete');
  return remove(scope, request, request.conditions);
}

/** `DELETE Type?query`: the one that fits; none is no error, several are refused. */
export async function conditionalDelete(request: FhirRequest): Promise<FhirAnswer> {
  const { type, parameters, conditions } = request;
  const scope = writing(request.scope);
  requireScope(scope.caller, type, 'delete');
  const found = await matchedKey(scope, { type, parameters, expression: `${type}?` });
  if (found) return remove(scope, found, conditions);
  requireVersion(conditions, undefined);
  return { status: 204 };
}
