import { HttpError } from '../server/index.ts';

/** What to do with what is too large for the vault, said with every refusal of it. */
const POINTER_ADVICE =
  'Keep it in the imaging system or archive that is made for it, and register a pointer: a DocumentReference or ' +
  'ImagingStudy with its address, and for an attachment its size and hash.';

export function documentTooLarge(bytesMax: number): HttpError {
  return new HttpError({
    status: 413,
    code: 'document/too-large',
    message: `The document is larger than ${bytesMax} bytes.`,
    help: POINTER_ADVICE,
  });
}

export function tooLargeToInline(contentType: string): HttpError {
  return new HttpError({
    status: 406,
    code: 'document/not-inline',
    message: 'The document is too large to stand inside a FHIR resource.',
    help: `Ask with Accept: ${contentType}, and with Range for a part of it.`,
  });
}

export function notAcceptable(): HttpError {
  return new HttpError({
    status: 406,
    code: 'document/format',
    message: 'The document has another content type than those accepted.',
    help: 'Ask with Accept: */*, or for the resource with Accept: application/fhir+json.',
  });
}

export function contentTypeMissing(): HttpError {
  return new HttpError({
    status: 400,
    code: 'document/content-type',
    message: 'The document has no content type of a well-known form.',
    help: 'Send Content-Type, such as application/pdf or application/dicom.',
  });
}

export function contextMalformed(): HttpError {
  return new HttpError({
    status: 400,
    code: 'document/security-context',
    message: 'X-Security-Context is not a reference to a resource of this server.',
    help: 'Send it as Patient/<id>.',
  });
}

export function tooManyUploads(): HttpError {
  return new HttpError({
    status: 503,
    code: 'document/busy',
    message: 'Too many documents are being stored at this moment.',
    help: 'Try again in a few seconds.',
    retryAfterSeconds: 5,
  });
}

export function uploadBroken(): HttpError {
  return new HttpError({
    status: 400,
    code: 'document/incomplete',
    message: 'The document did not arrive whole.',
    help: 'Send it again; nothing of it was kept.',
  });
}
