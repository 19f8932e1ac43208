import { getStatus, OperationOutcomeError } from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';
import { SearchTooCostlyError } from '../index-store/index.ts';
import { VaultError } from '../vault/index.ts';
import { FhirError } from './fhir-error.ts';
import { StoredResource } from './stored-resource.ts';

/** The answer to one entry of a bundle. */
export function entryAnswer(status: number, resource: Resource | undefined, withResource: boolean): object {
  if (!(resource instanceof StoredResource)) {
    return { ...(resource ? { resource } : {}), response: { status: String(status) } };
  }
  const { type, id, version, time } = resource.stored;
  return {
    ...(withResource ? { resource } : {}),
    response: {
      status: String(status),
      location: `${type}/${id}/_history/${version}`,
      etag: `W/"${version}"`,
      lastModified: new Date(time).toISOString(),
    },
  };
}

/** The router's own refusals hold fixed words about types and ids; the values that a few quote are left out. */
export function routerRefusal(text: string, status: number): FhirError {
  const message = text.split(':', 1)[0] || 'The request is not one that this server answers.';
  return new FhirError({ status, code: 'invalid', message, help: 'See FHIR R4 (http).' });
}

export function knownRefusal(error: unknown): FhirError | undefined {
  if (error instanceof FhirError) return error;
  if (error instanceof OperationOutcomeError) {
    return routerRefusal(error.outcome.issue[0]?.details?.text ?? '', getStatus(error.outcome));
  }
  if (error instanceof SearchTooCostlyError) {
    const { message, help } = error;
    return new FhirError({ status: 400, code: 'too-costly', message, help });
  }
  if (error instanceof VaultError && error.code === 'vault/erased') {
    return new FhirError({
      status: 410,
      code: 'deleted',
      message: 'The record has been erased.',
      help: error.help,
    });
  }
  return undefined;
}
