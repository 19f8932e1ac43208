import { isLosslessArray, isLosslessObject, type LosslessObject, type LosslessValue } from '@careledger/fhir';
import { FhirError } from '../fhir-error.ts';
import { type FhirRequest, objectBody } from '../fhir-request.ts';

/** Parameters of one operation's request. */
const PARAMETERS_MAX = 64;

/** A request that is Parameters, as a lookup by name. @throws {@link FhirError} 400. */
export function operationParameters(tree: LosslessObject): (name: string) => LosslessObject | undefined {
  const { resourceType, parameter = [] } = tree;
  const isForm =
    resourceType === 'Parameters' && isLosslessArray(parameter) && parameter.length <= PARAMETERS_MAX;
  if (!isForm || !parameter.every(isLosslessObject)) {
    throw new FhirError({
      status: 400,
      code: 'structure',
      message: 'The body is not Parameters.',
      help: `Send a Parameters resource with at most ${PARAMETERS_MAX} parameters.`,
      expression: ['Parameters'],
    });
  }
  return (name) => parameter.filter(isLosslessObject).find((one) => one.name === name);
}

/** The text of a parameter's value, whichever string type it has. */
export function textParameter(found: LosslessObject | undefined): string | undefined {
  const value = Object.entries(found ?? {}).find(([key]) => /^value[A-Z]/.test(key))?.[1];
  return typeof value === 'string' ? value : undefined;
}

/** A parameter of an operation's request that must be there. @throws {@link FhirError} 400. */
export function requiredParameter<Value extends LosslessValue>(
  name: string,
  value: Value | undefined,
): Value {
  if (value !== undefined) return value;
  throw new FhirError({
    status: 400,
    code: 'required',
    message: 'A parameter that this operation needs is missing.',
    help: 'See the OperationDefinition that /fhir/R4/metadata names.',
    expression: [`Parameters.parameter.where(name='${name}')`],
  });
}

/** The body, where there may be none. */
export function optionalBody({ body }: FhirRequest): LosslessObject | undefined {
  return body.kind === 'none' || (body.kind === 'text' && body.text === '') ? undefined : objectBody(body);
}
