/** One code of a terminology. */
export interface Coding {
  readonly system: string;
  readonly code: string;
  readonly display: string;
}

const TERMINOLOGY = 'http://terminology.hl7.org/CodeSystem';
export const UCUM = 'http://unitsofmeasure.org';

function inSystem(system: string): (code: string, display: string) => Coding {
  return (code, display) => ({ system, code, display });
}
export const snomed = inSystem('http://snomed.info/sct');
export const loinc = inSystem('http://loinc.org');
export const rxnorm = inSystem('http://www.nlm.nih.gov/research/umls/rxnorm');
export const cvx = inSystem('http://hl7.org/fhir/sid/cvx');
export const icd10 = inSystem('http://hl7.org/fhir/sid/icd-10-cm');

/** A code of one of HL7's own terminologies: `hl7('condition-clinical', 'active')`. */
export function hl7(name: string, code: string, display?: string): object {
  return { system: `${TERMINOLOGY}/${name}`, code, ...(display === undefined ? {} : { display }) };
}

/** A CodeableConcept of one or more codings, the first one's words as its text. */
export function concept(...codings: readonly (Coding | object)[]): object {
  const text = (codings[0] as Partial<Coding> | undefined)?.display;
  return { coding: codings, ...(text === undefined ? {} : { text }) };
}
