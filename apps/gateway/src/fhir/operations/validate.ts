import { isLosslessObject, isResource, type LosslessObject, parseLossless, toPlain } from '@careledger/fhir';
import type { OperationOutcomeIssue } from '@medplum/fhirtypes';
import { validationOf } from '../../validation/index.ts';
import { isScopeCovered, requireAuthorship, requireScope } from '../access.ts';
import { FhirError, forbidden, outcomeOf } from '../fhir-error.ts';
import { type FhirAnswer, type FhirRequest, objectBody, parameterOf } from '../fhir-request.ts';
import { readCurrent } from '../interactions/read.ts';
import { operationParameters, optionalBody, requiredParameter, textParameter } from './parameters.ts';

type Mode = 'create' | 'update' | 'delete' | 'profile';
const MODES: ReadonlySet<string> = new Set(['create', 'update', 'delete', 'profile']);
/** Characters of a profile's canonical URL. */
const PROFILE_CHARACTERS_MAX = 512;

interface Question {
  readonly resource: LosslessObject | undefined;
  readonly mode: Mode | undefined;
  readonly profile: string | undefined;
}

function wrong(name: string, message: string): FhirError {
  const help = 'See http://hl7.org/fhir/OperationDefinition/Resource-validate.';
  return new FhirError({ status: 400, code: 'value', message, help, expression: [name] });
}

function questionOf(request: FhirRequest, body: LosslessObject | undefined): Question {
  const isForm = body?.resourceType === 'Parameters';
  const named = body && isForm ? operationParameters(body) : () => undefined;
  const inner = named('resource')?.resource;
  const mode = textParameter(named('mode')) ?? parameterOf(request.parameters, 'mode');
  const profile = textParameter(named('profile')) ?? parameterOf(request.parameters, 'profile');
  if (mode !== undefined && !MODES.has(mode))
    throw wrong('mode', 'The mode is none of create, update, delete and profile.');
  if (mode === 'profile' && profile === undefined) throw wrong('profile', 'This mode needs a profile.');
  if ((profile?.length ?? 0) > PROFILE_CHARACTERS_MAX)
    throw wrong('profile', 'The profile is too long to be one.');
  const resource = isForm ? (isLosslessObject(inner) ? inner : undefined) : body;
  return { resource, profile, mode: mode as Mode | undefined };
}

/** May the caller ask about resources of this type at all? */
function requireAnyScope({ scope, type }: FhirRequest): void {
  const covered = (['create', 'update', 'read'] as const).some((one) =>
    isScopeCovered(scope.caller, type, one),
  );
  if (!covered) throw forbidden();
}

function idIssue({ mode, resource }: Question, type: string): readonly OperationOutcomeIssue[] {
  if (mode !== 'update' || typeof resource?.id === 'string') return [];
  const details = { text: 'A resource to update has an id.' };
  return [{ severity: 'error', code: 'required', details, expression: [`${type}.id`] }];
}

function outcome(issues: readonly OperationOutcomeIssue[]): FhirAnswer {
  const fine: OperationOutcomeIssue = {
    severity: 'information',
    code: 'informational',
    details: { text: 'Nothing was found wrong.' },
  };
  return { status: 200, resource: outcomeOf(issues.length > 0 ? issues : [fine]) };
}

function judged(question: Question, type: string): FhirAnswer {
  const resource = requiredParameter('resource', question.resource);
  if (!isResource(resource) || resource.resourceType !== type) {
    throw wrong('Resource.resourceType', 'The resource is not of the type that the address names.');
  }
  const options = question.profile === undefined ? {} : { profiles: [question.profile] };
  const { issues } = validationOf(toPlain(resource), options);
  return outcome([...issues, ...idIssue(question, type)]);
}

/** `POST Type/$validate`: what storing this resource would find wrong. Nothing is stored. */
export async function validate(request: FhirRequest): Promise<FhirAnswer> {
  requireAnyScope(request);
  const question = questionOf(request, objectBody(request.body));
  if (question.mode === 'delete')
    throw wrong('mode', 'Whether a deletion is possible is asked of Type/id/$validate.');
  return judged(question, request.type);
}

/**
 * `Type/id/$validate`: the resource in the body as an update of this one, or (without a body) the one that is stored;
 * with mode `delete`, whether the caller may delete it.
 */
export async function validateInstance(request: FhirRequest): Promise<FhirAnswer> {
  requireAnyScope(request);
  const question = questionOf(request, optionalBody(request));
  const stored = await readCurrent(request.scope, request);
  if (question.mode === 'delete') {
    requireScope(request.scope.caller, request.type, 'delete');
    requireAuthorship(request.scope.caller, stored);
    return outcome([]);
  }
  const tree = parseLossless(stored.text);
  const resource = question.resource ?? (isLosslessObject(tree) ? tree : undefined);
  return judged({ ...question, resource, mode: question.mode ?? 'update' }, request.type);
}
