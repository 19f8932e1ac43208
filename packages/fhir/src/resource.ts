import { isLosslessObject, type LosslessObject, type LosslessValue } from './lossless-value.ts';

/** Any FHIR resource, lossless or plain: what reading it needs, and no more. */
export interface FhirResource {
  readonly resourceType: string;
  readonly [element: string]: unknown;
}

/** A FHIR resource as it will be stored. */
export type LosslessResource = LosslessObject & { readonly resourceType: string };

const RESOURCE_TYPE = /^[A-Z][A-Za-z]{1,63}$/;
const RESOURCE_ID = /^[A-Za-z0-9\-.]{1,64}$/;

/** Is this an object with a resource type? Whether R4 knows the type is for validation to say. */
export function isResource(value: LosslessValue | undefined): value is LosslessResource {
  return (
    isLosslessObject(value) &&
    typeof value.resourceType === 'string' &&
    RESOURCE_TYPE.test(value.resourceType)
  );
}

/** Is this a logical id (FHIR R4, datatypes, `id`)? */
export function isResourceId(text: string): boolean {
  return RESOURCE_ID.test(text);
}

/** The resource's logical id, or `undefined` when it has none that is well-formed. */
export function idOf(resource: FhirResource): string | undefined {
  const id = resource.id;
  return typeof id === 'string' && isResourceId(id) ? id : undefined;
}
