import { FhirError } from '../fhir-error.ts';

/** Operations of one patch. */
export const PATCH_OPERATIONS_MAX = 256;
/** Characters of one path or pointer. */
export const PATCH_PATH_CHARACTERS_MAX = 1_024;

/** The patch itself is malformed: 400. `expression` names the operation, never what it says. */
export function malformedPatch(expression: string, message: string): FhirError {
  const help = 'See RFC 6902, or FHIRPath Patch in FHIR R4 (fhirpatch), for the form of a patch.';
  return new FhirError({ status: 400, code: 'structure', message, help, expression: [expression] });
}

/** The patch is well-formed and does not fit what is stored: 422, and nothing is changed. */
export function patchDoesNotFit(expression: string, message: string): FhirError {
  const help = 'Read the resource again: it may have changed since the patch was made.';
  return new FhirError({ status: 422, code: 'processing', message, help, expression: [expression] });
}

/** @throws {@link FhirError} 400 or 413 for a number of operations that is none. */
export function requireOperationCount(expression: string, count: number): void {
  if (count === 0) throw malformedPatch(expression, 'The patch has no operation.');
  if (count <= PATCH_OPERATIONS_MAX) return;
  throw new FhirError({
    status: 413,
    code: 'too-costly',
    message: `The patch has more than ${PATCH_OPERATIONS_MAX} operations.`,
    help: 'Send the whole resource by PUT.',
    expression: [expression],
  });
}
