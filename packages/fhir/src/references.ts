import {
  isLosslessArray,
  isLosslessObject,
  type LosslessObject,
  type LosslessValue,
} from './lossless-value.ts';
import type { FhirResource } from './resource.ts';

/** How a reference names its target (FHIR R4, references, section 2.3.0.1). */
export type ReferenceKind =
  | 'relative'
  | 'absolute'
  | 'contained'
  | 'urn'
  | 'conditional'
  | 'identifier'
  | 'malformed';

export interface ParsedReference {
  readonly kind: ReferenceKind;
  /** Resource type, where the text says it. */
  readonly type?: string;
  /** Logical id (relative, absolute) or local id (contained; empty for `#`, the container itself). */
  readonly id?: string;
  /** Version id of `.../_history/1`. */
  readonly version?: string;
  /** The server of an absolute reference, with its last slash. */
  readonly base?: string;
}

/** One Reference element in a resource. */
export interface FoundReference extends ParsedReference {
  /** FHIRPath of the Reference element. */
  readonly expression: string;
  /** The text of `reference`; absent for a Reference by identifier alone. */
  readonly reference?: string;
}

const LITERAL =
  /^(https?:\/\/[^?#]*\/)?([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/([A-Za-z0-9\-.]{1,64}))?$/;
const CONDITIONAL = /^([A-Z][A-Za-z]+)\?./;

/** Takes a reference's text apart. */
export function parseReference(reference: string): ParsedReference {
  if (reference.startsWith('#')) return { kind: 'contained', id: reference.slice(1) };
  if (/^urn:(uuid|oid):/.test(reference)) return { kind: 'urn' };
  const literal = LITERAL.exec(reference);
  if (literal) {
    const [, base, type = '', id = '', version] = literal;
    return {
      kind: base === undefined ? 'relative' : 'absolute',
      type,
      id,
      ...(base === undefined ? {} : { base }),
      ...(version === undefined ? {} : { version }),
    };
  }
  const type = CONDITIONAL.exec(reference)?.[1];
  if (type !== undefined) return { kind: 'conditional', type };
  return /^[a-z][a-z0-9+.-]*:/i.test(reference) ? { kind: 'absolute' } : { kind: 'malformed' };
}

/**
 * Is the member `reference` of this object that of a Reference? R4 gives three other elements the same name:
 * Expression.reference (its object has a `language`), DetectedIssue.reference and Immunization.education.reference.
 */
function isReferenceObject(object: Readonly<Record<string, unknown>>, expression: string): boolean {
  return !('resourceType' in object) && !('language' in object) && !expression.includes('.education');
}

/** One Reference element, or `undefined` when the object is none. */
export function readReference(object: unknown, expression: string): FoundReference | undefined {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return undefined;
  const { reference, identifier, type } = object as Readonly<Record<string, unknown>>;
  if (typeof reference === 'string') return { expression, reference, ...parseReference(reference) };
  if (typeof identifier !== 'object' || identifier === null || Array.isArray(identifier)) return undefined;
  return { expression, kind: 'identifier', ...(typeof type === 'string' ? { type } : {}) };
}

function collect(value: unknown, expression: string, found: FoundReference[]): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) collect(item, `${expression}[${index}]`, found);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const object = value as Readonly<Record<string, unknown>>;
  if (typeof object.reference === 'string' && isReferenceObject(object, expression)) {
    const reference = readReference(object, expression);
    if (reference) found.push(reference);
  }
  for (const key of Object.keys(object)) {
    if (typeof object[key] === 'object') collect(object[key], `${expression}.${key}`, found);
  }
}

/** Every literal reference in a resource, its contained resources included, in document order. */
export function referencesOf(
  resource: FhirResource,
  expression: string = resource.resourceType,
): readonly FoundReference[] {
  const found: FoundReference[] = [];
  collect(resource, expression, found);
  return found;
}

/** What a reference should say instead, or `undefined` to leave it. */
export type ReferenceMapping = (reference: string) => string | undefined;

/** Elements of type uri, url or canonical that a transaction must rewrite too (FHIR R4, http, section 3.1.0.11.2). */
const URI_ELEMENTS: ReadonlySet<string> = new Set(['url', 'uri', 'valueUri', 'valueUrl', 'valueCanonical']);
const NARRATIVE_LINK = /((?:href|src)\s*=\s*")(urn:(?:uuid|oid):[^"]+)(")/g;

function rewriteText(key: string, text: string, parent: LosslessObject, mapping: ReferenceMapping): string {
  if (key === 'reference') return isReferenceObject(parent, '') ? (mapping(text) ?? text) : text;
  if (URI_ELEMENTS.has(key)) return text.startsWith('urn:') ? (mapping(text) ?? text) : text;
  if (key !== 'div') return text;
  return text.replace(NARRATIVE_LINK, (whole, open: string, target: string, close: string) => {
    const mapped = mapping(target);
    return mapped === undefined ? whole : open + mapped + close;
  });
}

/**
 * The resource with its references put through a mapping: import gives `urn:uuid:` references their `Type/id`. Numbers
 * and everything else stay as written; subtrees without a change are shared with the original.
 */
export function rewriteReferences<Value extends LosslessValue>(
  value: Value,
  mapping: ReferenceMapping,
): Value;
export function rewriteReferences(value: LosslessValue, mapping: ReferenceMapping): LosslessValue {
  if (isLosslessArray(value)) {
    const items = value.map((item) => rewriteReferences(item, mapping));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  if (!isLosslessObject(value)) return value;
  let changed: Record<string, LosslessValue> | undefined;
  for (const key of Object.keys(value)) {
    const before = value[key] as LosslessValue;
    const after =
      typeof before === 'string'
        ? rewriteText(key, before, value, mapping)
        : rewriteReferences(before, mapping);
    if (after === before) continue;
    changed ??= { ...value };
    changed[key] = after;
  }
  return changed ?? value;
}
