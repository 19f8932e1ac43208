import { isLosslessObject, JsonError, type LosslessObject, parseLossless } from '@careledger/fhir';
import { FhirError } from './fhir-error.ts';
import type { SearchParameters } from './search-route.ts';

const ETAG = /^\s*(?:W\/)?"([A-Za-z0-9\-.]{1,64})"\s*$/;

/** What this server does not offer. */
export function notSupported(): FhirError {
  return new FhirError({
    status: 404,
    code: 'not-supported',
    message: 'This server has no such resource type or operation.',
    help: 'See /fhir/R4/metadata.',
  });
}

export function parametersOf(query: string): SearchParameters {
  return [...new URLSearchParams(query)];
}

export function parseBody(body: string | undefined): LosslessObject {
  if (body === undefined || body === '') {
    const help = 'Send a FHIR resource as application/fhir+json.';
    throw new FhirError({ status: 400, code: 'required', message: 'The request has no body.', help });
  }
  try {
    const value = parseLossless(body);
    if (isLosslessObject(value)) return value;
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    const code = error.code === 'json/too-large' ? 'too-long' : 'structure';
    throw new FhirError({ status: 400, code, message: error.message, help: error.help });
  }
  const help = 'Send one JSON object.';
  throw new FhirError({ status: 400, code: 'structure', message: 'The body is not a resource.', help });
}

/** @throws {@link FhirError} 400 for an If-Match that is none: ignoring it would overwrite somebody's change. */
export function requireEtagForm(value: string | undefined): void {
  if (value === undefined || ETAG.test(value)) return;
  throw new FhirError({
    status: 400,
    code: 'invalid',
    message: 'If-Match is not an entity tag.',
    help: 'Send it as W/"3".',
    expression: ['If-Match'],
  });
}
