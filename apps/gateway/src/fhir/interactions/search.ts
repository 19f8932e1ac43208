import { type FhirAnswer, type FhirRequest, parametersOf } from '../fhir-request.ts';

const FORM = 'application/x-www-form-urlencoded';

/** `GET Type?...` and `POST Type/_search`. */
export async function search(request: FhirRequest): Promise<FhirAnswer> {
  const { type, body, scope, services, isStrict } = request;
  const isForm = body.kind === 'text' && body.contentType.startsWith(FORM);
  const parameters = [...request.parameters, ...(isForm ? parametersOf(body.text) : [])];
  const { caller } = scope;
  return { status: 200, resource: await services.search.search({ type, parameters, caller, isStrict }) };
}
