import { randomUUID } from 'node:crypto';
import { requireScope } from '../access.ts';
import { type FhirAnswer, type FhirRequest, parametersOf, resourceBody, writing } from '../fhir-request.ts';
import { matchOne } from './conditional-match.ts';
import { appendVersion } from './versions.ts';

/** `POST Type`, with `If-None-Exist` only where nothing fits that search. */
export async function create(request: FhirRequest): Promise<FhirAnswer> {
  const { type, conditions } = request;
  const scope = writing(request.scope);
  requireScope(scope.caller, type, 'create');
  const tree = resourceBody(request);
  const { ifNoneExist } = conditions;
  if (ifNoneExist !== undefined) {
    const condition = { type, parameters: parametersOf(ifNoneExist), expression: 'If-None-Exist' };
    const found = await matchOne(scope, condition);
    if (found) return { status: 200, version: found };
  }
  const written = await appendVersion(scope, tree, { id: request.id || randomUUID() });
  return { status: 201, version: written, written };
}
