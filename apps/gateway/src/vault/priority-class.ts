/** How soon a version must be anchored: what can harm a patient when others learn of it late comes first. */
export type PriorityClass = 'critical' | 'routine';

/** What such a record says is always urgent, and that it no longer holds is too. */
const CRITICAL_TYPES: ReadonlySet<string> = new Set(['AllergyIntolerance', 'DetectedIssue', 'Flag']);
/** `severe` (SNOMED CT), of a Condition. */
const SEVERE: readonly string[] = ['24484000'];
/** ABO and Rh group, together and each, and their panel (LOINC), of an Observation. */
const BLOOD_GROUPS: readonly string[] = ['882-1', '883-9', '10331-7', '34530-6'];
/** Critically abnormal, high or low (HL7 v3 ObservationInterpretation). */
const PANIC_VALUES: readonly string[] = ['AA', 'HH', 'LL'];

interface Concept {
  readonly coding?: readonly { readonly system?: unknown; readonly code?: unknown }[];
}

/** The elements that decide, as R4 defines them. Imported records may have them otherwise: those are routine. */
interface Judged {
  readonly status?: unknown;
  readonly severity?: Concept;
  readonly code?: Concept;
  readonly interpretation?: readonly Concept[];
}

const SNOMED = 'http://snomed.info/sct';
const LOINC = 'http://loinc.org';
const INTERPRETATION = 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation';

function has(concept: Concept | undefined, system: string, codes: readonly string[]): boolean {
  const codings = Array.isArray(concept?.coding) ? concept.coding : [];
  return codings.some((coding) => coding?.system === system && codes.includes(String(coding.code)));
}

const isActive = ({ status }: Judged): boolean => status === 'active';

const RULES: ReadonlyMap<string, (record: Judged) => boolean> = new Map([
  ['MedicationRequest', isActive],
  ['MedicationStatement', isActive],
  ['Condition', ({ severity }: Judged) => has(severity, SNOMED, SEVERE)],
  [
    'Observation',
    ({ code, interpretation }: Judged) =>
      has(code, LOINC, BLOOD_GROUPS) ||
      (Array.isArray(interpretation) && interpretation.some((one) => has(one, INTERPRETATION, PANIC_VALUES))),
  ],
]);

/**
 * The class of a version, by its type and what it says. A version that takes something critical back is critical too.
 *
 * @param texts Canonical text of the version and of the one that it replaces, as far as there are any.
 */
export function priorityOf(type: string, texts: readonly string[]): PriorityClass {
  if (CRITICAL_TYPES.has(type)) return 'critical';
  const isCritical = RULES.get(type);
  if (!isCritical) return 'routine';
  return texts.some((text) => text !== '' && isCritical(JSON.parse(text) as Judged)) ? 'critical' : 'routine';
}
