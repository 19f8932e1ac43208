import { PATIENT_COMPARTMENT } from './patient-compartment.ts';
import { type FoundReference, readReference, referencesOf } from './references.ts';
import { type FhirResource, idOf } from './resource.ts';

/** A reference that may name a patient, but does not say which of ours. */
export interface UnresolvedSubject {
  /** FHIRPath of the Reference. */
  readonly expression: string;
  readonly reason: /** By business identifier alone. */
    | 'identifier-only'
    /** A `urn:uuid:` or conditional reference that nobody resolved. */
    | 'not-resolved'
    /** A patient at another server. */
    | 'elsewhere'
    /** A Patient inside this resource, who has no identity outside of it. */
    | 'contained-patient'
    /** A Patient resource without an id. */
    | 'no-id'
    | 'malformed';
}

export interface Subjects {
  /** Relative references `Patient/<id>` without version, each once, in order. */
  readonly patients: readonly string[];
  /** Empty for a resource whose subjects are all known. Who gets any must not treat the resource as nobody's. */
  readonly unresolved: readonly UnresolvedSubject[];
}

export interface SubjectsOptions {
  /** Base URLs (with a last slash) whose absolute references are our own. */
  readonly ownBases?: readonly string[];
}

type JsonObject = Readonly<Record<string, unknown>>;
/** Elements that are about the patient, so that a Reference without a type there is one to a patient. */
const SUBJECT_ELEMENTS: ReadonlySet<string> = new Set([
  'subject',
  'patient',
  'individual',
  'candidate',
  'beneficiary',
  'for',
]);

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Search {
  readonly root: JsonObject;
  readonly ownBases: readonly string[];
  readonly patients: Set<string>;
  readonly unresolved: UnresolvedSubject[];
}

/** Follows a path of element names through arrays; calls back with each value and its FHIRPath. */
function walk(
  value: unknown,
  path: readonly string[],
  expression: string,
  visit: (value: unknown, expression: string) => void,
): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) walk(item, path, `${expression}[${index}]`, visit);
    return;
  }
  const [step, ...rest] = path;
  if (step === undefined) visit(value, expression);
  else if (isObject(value) && value[step] !== undefined)
    walk(value[step], rest, `${expression}.${step}`, visit);
}

function containedReason(search: Search, id: string): UnresolvedSubject['reason'] | undefined {
  // `#` alone is the container: its own patient is found already when it is a Patient.
  if (id === '') return undefined;
  const contained = Array.isArray(search.root.contained) ? search.root.contained : [];
  const target = contained.find((resource) => isObject(resource) && resource.id === id);
  if (!isObject(target)) return 'not-resolved';
  return target.resourceType === 'Patient' ? 'contained-patient' : undefined;
}

/** Why this reference names no patient of ours; `undefined` when it names one, or is none to a patient at all. */
function unresolvedReason(
  search: Search,
  found: FoundReference,
  element: string,
): UnresolvedSubject['reason'] | undefined {
  const mayBePatient = found.type === undefined ? SUBJECT_ELEMENTS.has(element) : found.type === 'Patient';
  switch (found.kind) {
    case 'contained':
      return containedReason(search, found.id ?? '');
    case 'identifier':
      return mayBePatient ? 'identifier-only' : undefined;
    case 'absolute':
      return mayBePatient ? 'elsewhere' : undefined;
    case 'malformed':
      return mayBePatient ? 'malformed' : undefined;
    case 'urn':
    case 'conditional':
      return mayBePatient ? 'not-resolved' : undefined;
    default:
      return undefined;
  }
}

function addReference(search: Search, found: FoundReference | undefined, element: string): void {
  if (!found) return;
  const isOurs =
    found.kind === 'relative' ||
    (found.kind === 'absolute' && found.base !== undefined && search.ownBases.includes(found.base));
  if (isOurs) {
    if (found.type === 'Patient') search.patients.add(`Patient/${found.id}`);
    return;
  }
  const reason = unresolvedReason(search, found, element);
  if (reason) search.unresolved.push({ expression: found.expression, reason });
}

function lastName(expression: string): string {
  return expression.slice(expression.lastIndexOf('.') + 1).replace(/\[\d+\]$/, '');
}

function addSubjects(search: Search, resource: JsonObject, expression: string): void {
  const type = String(resource.resourceType);
  if (Object.hasOwn(PATIENT_COMPARTMENT, type)) {
    for (const path of PATIENT_COMPARTMENT[type] ?? []) {
      const steps = path.split('.');
      const element = steps.at(-1) ?? '';
      walk(resource, steps, expression, (value, at) =>
        addReference(search, readReference(value, at), element),
      );
    }
    return;
  }
  // R4 leaves Device.patient, GuidanceResponse.subject, Contract and others out: who is named there is a subject too.
  const withoutContained = { ...resource, resourceType: type, contained: undefined };
  for (const found of referencesOf(withoutContained, expression)) {
    addReference(search, found, lastName(found.expression));
  }
  if (type === 'Bundle') {
    walk(resource, ['entry', 'resource'], expression, (inner, at) => {
      if (isObject(inner)) addInline(search, inner, at);
    });
  }
}

/** A Patient that stands inside a Bundle is told with it, referred to or not. */
function addInline(search: Search, inner: JsonObject, expression: string): void {
  if (inner.resourceType === 'Bundle') addSubjects(search, inner, expression);
  if (inner.resourceType !== 'Patient') return;
  const id = idOf(inner as FhirResource);
  if (id === undefined) search.unresolved.push({ expression, reason: 'no-id' });
  else search.patients.add(`Patient/${id}`);
}

/**
 * Whose records are these? The patients in whose R4 Patient compartment the resource lies: the key of each of them
 * wraps the resource's data key, and each of them has to permit a release. Patient is its own subject; Organization or
 * Practitioner have none. A type outside the compartment has the patients it names anywhere (Device.patient), or it
 * would be nobody's. Contained resources count too, because their content travels with the resource.
 *
 * @example subjectsOf({ resourceType: 'Condition', subject: { reference: 'Patient/1/_history/2' } }).patients // ['Patient/1']
 */
export function subjectsOf(resource: FhirResource, options: SubjectsOptions = {}): Subjects {
  const search: Search = {
    root: resource,
    ownBases: options.ownBases ?? [],
    patients: new Set(),
    unresolved: [],
  };
  if (resource.resourceType === 'Patient') {
    const id = idOf(resource);
    if (id === undefined) search.unresolved.push({ expression: 'Patient', reason: 'no-id' });
    else search.patients.add(`Patient/${id}`);
  }
  addSubjects(search, resource, resource.resourceType);
  const contained = Array.isArray(resource.contained) ? resource.contained : [];
  for (const [index, inner] of contained.entries()) {
    if (isObject(inner)) addSubjects(search, inner, `${resource.resourceType}.contained[${index}]`);
  }
  return { patients: [...search.patients].sort(), unresolved: search.unresolved };
}

/** Can resources of this type lie in a patient's compartment? */
export function isPatientRelated(resourceType: string): boolean {
  return resourceType === 'Patient' || Object.hasOwn(PATIENT_COMPARTMENT, resourceType);
}
