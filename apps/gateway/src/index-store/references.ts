import { parseReference } from '@careledger/fhir';
import type { TypedElement } from './element-path.ts';

/** What a reference points to. */
export interface ReferenceTarget {
  /** A resource of this gateway. */
  readonly local?: { readonly type: string; readonly id: string };
  /** Its address elsewhere, without a version; or a canonical URL. */
  readonly address?: string;
}

interface ReferenceLike {
  readonly reference?: unknown;
  readonly identifier?: unknown;
  readonly resourceType?: unknown;
  readonly id?: unknown;
}

/**
 * What the text of a reference points to.
 * @param base FHIR base URL of this gateway, with its last slash.
 */
export function referenceTarget(text: string, base: string): ReferenceTarget {
  const { kind, type, id } = parseReference(text.startsWith(base) ? text.slice(base.length) : text);
  if (kind === 'relative' && type !== undefined && id !== undefined) return { local: { type, id } };
  if (kind === 'contained') return {};
  return { address: text.replace(/\/_history\/[^/]+$/, '') };
}

/** What a Reference, a canonical or a resource in a Bundle points to. */
export function referenceTargetOf({ value }: TypedElement, base: string): ReferenceTarget {
  if (typeof value === 'string') return referenceTarget(value, base);
  if (typeof value !== 'object' || value === null) return {};
  const { reference, resourceType, id } = value as ReferenceLike;
  if (typeof reference === 'string') return referenceTarget(reference, base);
  if (typeof resourceType === 'string' && typeof id === 'string')
    return { local: { type: resourceType, id } };
  return {};
}

/** The identifier by which a Reference names its target, if it does. */
export function referenceIdentifier({ value }: TypedElement): TypedElement | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { identifier } = value as ReferenceLike;
  return typeof identifier === 'object' && identifier !== null
    ? { type: 'Identifier', value: identifier }
    : undefined;
}
