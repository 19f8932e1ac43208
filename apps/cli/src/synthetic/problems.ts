import { type Coding, icd10, rxnorm, snomed } from './codes.ts';
import { LABS, type Measurement } from './measurements.ts';

/** A laboratory value that an illness, or its treatment, moves out of the healthy range. */
export interface WatchedLab {
  readonly lab: Measurement;
  /** How far above the healthy range it starts, in percent of that range's upper bound. */
  readonly excessPercent: number;
  /** How much of that goes with every visit. */
  readonly reliefPercent: number;
}

/** A long illness: what it is called clinically and on a claim, how it is treated and watched. */
export interface ChronicProblem {
  readonly clinical: Coding;
  readonly billing: Coding;
  /** First and second choice. */
  readonly medications: readonly [Coding, Coding];
  readonly labs: readonly WatchedLab[];
  readonly raisesBloodPressure?: true;
  /** Carries HL7's label for psychiatric information. */
  readonly isPsychiatric?: true;
}

/** A short illness with its remedy. */
export interface AcuteProblem {
  readonly clinical: Coding;
  readonly billing: Coding;
  readonly medication: Coding;
}

function watched(lab: Measurement, excessPercent: number, reliefPercent = 12): WatchedLab {
  return { lab, excessPercent, reliefPercent };
}

const LISINOPRIL = rxnorm('314076', 'lisinopril 10 MG Oral Tablet');
const AMLODIPINE = rxnorm('197361', 'amlodipine 5 MG Oral Tablet');
const METFORMIN_EXTENDED = rxnorm(
  '860975',
  '24 HR metformin hydrochloride 500 MG Extended Release Oral Tablet',
);
const METFORMIN = rxnorm('861007', 'metformin hydrochloride 500 MG Oral Tablet');
const SIMVASTATIN = rxnorm('312961', 'simvastatin 20 MG Oral Tablet');
const ATORVASTATIN = rxnorm('259255', 'atorvastatin 80 MG Oral Tablet');
const ACETAMINOPHEN = rxnorm('313782', 'acetaminophen 325 MG Oral Tablet');
const IBUPROFEN = rxnorm('310965', 'ibuprofen 200 MG Oral Tablet');

export const CHRONIC_PROBLEMS: readonly [ChronicProblem, ...ChronicProblem[]] = [
  {
    clinical: snomed('44054006', 'Diabetes mellitus type 2'),
    billing: icd10('E11.9', 'Type 2 diabetes mellitus without complications'),
    medications: [METFORMIN, METFORMIN_EXTENDED],
    labs: [watched(LABS.hemoglobinA1c, 55, 6), watched(LABS.glucose, 80), watched(LABS.creatinine, 0)],
  },
  {
    clinical: snomed('38341003', 'Hypertensive disorder'),
    billing: icd10('I10', 'Essential (primary) hypertension'),
    medications: [LISINOPRIL, AMLODIPINE],
    labs: [watched(LABS.creatinine, 10, 2), watched(LABS.potassium, 0), watched(LABS.sodium, 0)],
    raisesBloodPressure: true,
  },
  {
    clinical: snomed('55822004', 'Hyperlipidemia'),
    billing: icd10('E78.5', 'Hyperlipidemia, unspecified'),
    medications: [SIMVASTATIN, ATORVASTATIN],
    labs: [watched(LABS.cholesterol, 30, 6), watched(LABS.ldl, 60), watched(LABS.triglycerides, 45)],
  },
  {
    clinical: snomed('40930008', 'Hypothyroidism'),
    billing: icd10('E03.9', 'Hypothyroidism, unspecified'),
    medications: [
      rxnorm('966222', 'levothyroxine sodium 0.075 MG Oral Tablet'),
      rxnorm('966222', 'levothyroxine sodium 0.075 MG Oral Tablet'),
    ],
    labs: [watched(LABS.thyrotropin, 110, 30)],
  },
  {
    clinical: snomed('49436004', 'Atrial fibrillation'),
    billing: icd10('I48.91', 'Unspecified atrial fibrillation'),
    medications: [
      rxnorm('855332', 'warfarin sodium 5 MG Oral Tablet'),
      rxnorm('1364445', 'apixaban 5 MG Oral Tablet'),
    ],
    // Warfarin keeps the INR between 2 and 3.
    labs: [watched(LABS.inr, 130, 0), watched(LABS.hemoglobin, 0)],
  },
  {
    clinical: snomed('35489007', 'Depressive disorder'),
    billing: icd10('F32.9', 'Major depressive disorder, single episode, unspecified'),
    medications: [
      rxnorm('312941', 'sertraline 50 MG Oral Tablet'),
      rxnorm('312941', 'sertraline 50 MG Oral Tablet'),
    ],
    labs: [watched(LABS.thyrotropin, 0)],
    isPsychiatric: true,
  },
];

export const ACUTE_PROBLEMS: readonly [AcuteProblem, ...AcuteProblem[]] = [
  {
    clinical: snomed('10509002', 'Acute bronchitis'),
    billing: icd10('J20.9', 'Acute bronchitis, unspecified'),
    medication: ACETAMINOPHEN,
  },
  {
    clinical: snomed('195662009', 'Acute viral pharyngitis'),
    billing: icd10('J02.9', 'Acute pharyngitis, unspecified'),
    medication: ACETAMINOPHEN,
  },
  {
    clinical: snomed('44465007', 'Sprain of ankle'),
    billing: icd10('S93.409A', 'Sprain of unspecified ligament of unspecified ankle, initial encounter'),
    medication: IBUPROFEN,
  },
  {
    clinical: snomed('65363002', 'Otitis media'),
    billing: icd10('H66.90', 'Otitis media, unspecified, unspecified ear'),
    medication: rxnorm('562251', 'amoxicillin 250 MG / clavulanate 125 MG Oral Tablet'),
  },
];

export const CHECK_UP: { readonly clinical: Coding; readonly billing: Coding } = {
  clinical: snomed('185349003', 'Encounter for check up'),
  billing: icd10('Z00.00', 'Encounter for general adult medical examination without abnormal findings'),
};
export const CHILD_CHECK_UP: Coding = icd10(
  'Z00.129',
  'Encounter for routine child health examination without abnormal findings',
);
export const VISIT_FOR_PROBLEM: Coding = snomed('185347001', 'Encounter for problem');

/** Substances with the reaction to them. */
export const ALLERGIES: readonly [readonly [Coding, Coding], ...(readonly [Coding, Coding])[]] = [
  [snomed('91936005', 'Allergy to penicillin'), snomed('247472004', 'Weal')],
  [snomed('232350006', 'House dust mite allergy'), snomed('49727002', 'Cough')],
  [snomed('300913006', 'Shellfish allergy'), snomed('422587007', 'Nausea')],
  [snomed('91934008', 'Allergy to nut'), snomed('39579001', 'Anaphylaxis')],
];
