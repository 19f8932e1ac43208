import { getStatus, OperationOutcomeError } from '@medplum/core';
import { SearchTooCostlyError } from '../index-store/index.ts';
import { type StoredVersion, VaultError } from '../vault/index.ts';
import { prettyText, shapedBundle, shapedText, shapeOf } from './answer-shape.ts';
import { FhirError, outcomeOf } from './fhir-error.ts';
import { type FhirAnswer, type FhirMethod, type FhirOutput, parameterOf } from './fhir-request.ts';
import type { SearchParameters } from './search-route.ts';
import { fhirText, StoredResource } from './stored-resource.ts';

const FHIR_JSON = 'application/fhir+json; charset=utf-8';

/** What a writer wants back (`Prefer: return=...`; FHIR R4, http, section 3.1.0.1.8). */
export type ReturnPreference = 'minimal' | 'representation' | 'OperationOutcome';

export function returnPreference(prefer: string): ReturnPreference {
  const asked = /\breturn=(minimal|representation|OperationOutcome)\b/.exec(prefer)?.[1];
  return (asked as ReturnPreference | undefined) ?? 'representation';
}

/** What the form of an answer depends on. */
export interface AnswerForm {
  readonly method: FhirMethod;
  readonly parameters: SearchParameters;
  readonly prefer: ReturnPreference;
  /** FHIR base URL, without a last slash. */
  readonly baseUrl: string;
}

const DONE = outcomeOf([{ severity: 'information', code: 'informational', details: { text: 'Done.' } }]);

function versionHeaders(version: StoredVersion, { status }: FhirAnswer, form: AnswerForm) {
  const { type, id, version: number, time } = version;
  const address = `${form.baseUrl}/${type}/${id}/_history/${number}`;
  const location = status === 201 || form.method === 'POST' ? 'location' : 'content-location';
  return {
    etag: `W/"${number}"`,
    'last-modified': new Date(time).toUTCString(),
    [location]: address,
  };
}

function isReading(method: FhirMethod): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** The answer's text: as it was committed, unless the reader asks for less. */
function bodyOf({ version, resource }: FhirAnswer, form: AnswerForm): string {
  const isWrite = version !== undefined && !isReading(form.method);
  if (isWrite && form.prefer === 'minimal') return '';
  if (isWrite && form.prefer === 'OperationOutcome') return fhirText(DONE);
  const shape = isWrite ? undefined : shapeOf(form.parameters);
  if (version) return shape ? shapedText(version.type, version.text, shape).text : version.text;
  return fhirText(resource && shape ? shapedBundle(resource, shape) : resource);
}

/** An answer as it goes over HTTP. */
export function outputOf(answer: FhirAnswer, form: AnswerForm): FhirOutput {
  const { status, version, resource } = answer;
  const headers: Record<string, string> =
    version && !version.deleted ? versionHeaders(version, answer, form) : {};
  if (version?.deleted) headers.etag = `W/"${version.version}"`;
  if (status === 204 || status === 304 || (!version && !resource)) return { status, headers, body: '' };
  const text = bodyOf(answer, form);
  if (text === '') return { status, headers, body: '' };
  const isPretty = parameterOf(form.parameters, '_pretty') === 'true';
  return {
    status,
    headers: { ...headers, 'content-type': FHIR_JSON },
    body: isPretty ? prettyText(text) : text,
  };
}

/** The answer to one entry of a bundle. */
export function entryOf(
  { status, version, resource }: FhirAnswer,
  prefer: ReturnPreference,
  isRead: boolean,
): object {
  if (!version) return { ...(resource ? { resource } : {}), response: { status: String(status) } };
  const { type, id, version: number, time, deleted } = version;
  const hasBody = !deleted && status !== 304 && (isRead || prefer === 'representation');
  return {
    ...(hasBody ? { resource: new StoredResource(version) } : {}),
    response: {
      status: String(status),
      location: `${type}/${id}/_history/${number}`,
      etag: `W/"${number}"`,
      lastModified: new Date(time).toISOString(),
      ...(prefer === 'OperationOutcome' && !isRead ? { outcome: DONE } : {}),
    },
  };
}

/** An error that the caller may hear of, as a refusal; `undefined` for a fault of ours. */
export function knownRefusal(error: unknown): FhirError | undefined {
  if (error instanceof FhirError) return error;
  if (error instanceof OperationOutcomeError) {
    // Core's words may quote a value after their first colon.
    const [message = ''] = (error.outcome.issue[0]?.details?.text ?? '').split(':', 1);
    const status = getStatus(error.outcome);
    return new FhirError({ status, code: 'invalid', message, help: 'See FHIR R4 (http).' });
  }
  if (error instanceof SearchTooCostlyError) {
    const { message, help } = error;
    return new FhirError({ status: 422, code: 'too-costly', message, help });
  }
  if (!(error instanceof VaultError) || error.code !== 'vault/erased') return undefined;
  const { help } = error;
  return new FhirError({ status: 410, code: 'deleted', message: 'The record has been erased.', help });
}

/** What a fault of ours looks like from outside. */
export function faultRefusal(): FhirError {
  return new FhirError({
    status: 500,
    code: 'exception',
    message: 'The server could not answer. The fault is in its log.',
    help: 'Tell the operator the time of the request.',
  });
}

export function refusalOutput(refusal: FhirError): FhirOutput {
  const body = JSON.stringify(outcomeOf(refusal.issues));
  return { status: refusal.status, headers: { 'content-type': FHIR_JSON }, body };
}
