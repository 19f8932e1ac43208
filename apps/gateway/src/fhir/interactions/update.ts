import { randomUUID } from 'node:crypto';
import { idOf, type LosslessResource } from '@careledger/fhir';
import { requireAuthorship, requireScope } from '../access.ts';
import { FhirError, forbidden } from '../fhir-error.ts';
import {
  type FhirAnswer,
  type FhirRequest,
  resourceBody,
  type WriteScope,
  writing,
} from '../fhir-request.ts';
import { type Conditions, requireVersion } from '../preconditions.ts';
import { matchedKey } from './conditional-match.ts';
import { appendVersion, requireClientId, visibleVersion } from './versions.ts';

function wrongId(type: string, message: string): FhirError {
  const help = 'Send the resource with the id that the address names.';
  return new FhirError({ status: 400, code: 'value', message, help, expression: [`${type}.id`] });
}

async function replace(
  scope: WriteScope,
  tree: LosslessResource,
  to: { readonly id: string; readonly conditions: Conditions; readonly isNewId: boolean },
): Promise<FhirAnswer> {
  const { resourceType: type } = tree;
  const before = await visibleVersion(scope, { type, id: to.id }, 'update');
  requireVersion(to.conditions, before);
  if (before) requireAuthorship(scope.caller, before);
  else {
    if (!to.isNewId) requireClientId(scope, type, to.id);
    requireScope(scope.caller, type, 'create');
    // There is one that the caller may not see: its id cannot be taken a second time.
    if (await scope.transaction.current({ type, id: to.id })) throw forbidden();
  }
  const written = await appendVersion(scope, tree, { id: to.id, replaces: before });
  return { status: before ? 200 : 201, version: written, written };
}

/** `PUT Type/id`: the next version, or the first one under an id that the client chose. */
export async function update(request: FhirRequest): Promise<FhirAnswer> {
  const { type, id, conditions } = request;
  const scope = writing(request.scope);
  requireScope(scope.caller, type, 'update');
  const tree = resourceBody(request);
  if (idOf(tree) !== id) throw wrongId(type, 'The resource does not have the id that the address names.');
  return replace(scope, tree, { id, conditions, isNewId: false });
}

/** `PUT Type?query`: updates the one that fits, or creates (FHIR R4, http, section 3.1.0.4.3). */
export async function conditionalUpdate(request: FhirRequest): Promise<FhirAnswer> {
  const { type, parameters, conditions } = request;
  const scope = writing(request.scope);
  requireScope(scope.caller, type, 'update');
  const tree = resourceBody(request);
  const ownId = idOf(tree);
  const found = await matchedKey(scope, { type, parameters, expression: `${type}?` });
  if (found && ownId !== undefined && ownId !== found.id) {
    throw wrongId(type, 'The resource has another id than the one that the condition fits.');
  }
  if (found) return replace(scope, tree, { id: found.id, conditions, isNewId: false });
  if (ownId === undefined) return replace(scope, tree, { id: randomUUID(), conditions, isNewId: true });
  if (await visibleVersion(scope, { type, id: ownId }, 'update')) {
    throw new FhirError({
      status: 409,
      code: 'duplicate',
      message: 'There is a resource with this id, and the condition does not fit it.',
      help: 'Update it by its id.',
      expression: [`${type}.id`],
    });
  }
  return replace(scope, tree, { id: ownId, conditions, isNewId: false });
}
