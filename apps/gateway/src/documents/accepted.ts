const FHIR_JSON = /^(application|text)\/(fhir\+)?json$/i;

/** How a Binary is asked for: as what it holds, or as a FHIR resource. */
export type AcceptedForm = 'content' | 'resource' | 'either' | 'neither';

function bareType(type: string): string {
  return (type.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/**
 * What `Accept` and `_format` ask for (FHIR R4, binary): a FHIR type means the resource, every other one the content.
 * Nothing said means either.
 */
export function acceptedForm(
  asked: { readonly accept: string | undefined; readonly format: string | null },
  contentType: string,
): AcceptedForm {
  if (asked.format !== null) return 'resource';
  if (asked.accept === undefined) return 'either';
  const own = bareType(contentType);
  for (const type of asked.accept.split(',').map(bareType)) {
    if (FHIR_JSON.test(type)) return 'resource';
    if (type === '*/*' || type === own || type === `${own.split('/', 1)[0]}/*`) return 'content';
  }
  return 'neither';
}
