import { type Coding, loinc } from './codes.ts';

/** A quantity that is measured again and again, with what is usual for it. */
export interface Measurement {
  readonly code: Coding;
  readonly category: 'vital-signs' | 'laboratory';
  /** UCUM, and as people write it. */
  readonly unit: string;
  readonly unitText: string;
  /** Digits after the point. They are always written: 1.10, not 1.1. */
  readonly decimals: number;
  /** Bounds of the values of a healthy person, in units of the last digit. */
  readonly low: number;
  readonly high: number;
}

function vital(
  code: string,
  display: string,
  unit: string,
  range: readonly [number, number],
  decimals = 0,
): Measurement {
  return { ...measurement(code, display, unit, range, decimals), category: 'vital-signs' };
}
function measurement(
  code: string,
  display: string,
  unit: string,
  [low, high]: readonly [number, number],
  decimals: number,
): Measurement {
  const unitText = unit.replace('[degF]', 'degF').replace('10*3/uL', 'thousand/uL').replace(/[{}]/g, '');
  return { code: loinc(code, display), category: 'laboratory', unit, unitText, decimals, low, high };
}

export const VITALS = {
  systolic: vital('8480-6', 'Systolic blood pressure', 'mm[Hg]', [104, 128]),
  diastolic: vital('8462-4', 'Diastolic blood pressure', 'mm[Hg]', [64, 82]),
  heartRate: vital('8867-4', 'Heart rate', '/min', [58, 88]),
  temperature: vital('8310-5', 'Body temperature', 'Cel', [363, 371], 1),
  oxygen: vital('59408-5', 'Oxygen saturation in Arterial blood by Pulse oximetry', '%', [96, 99]),
  respiration: vital('9279-1', 'Respiratory rate', '/min', [12, 18]),
  weight: vital('29463-7', 'Body weight', 'kg', [552, 940], 1),
} as const;

export const LABS = {
  hemoglobinA1c: measurement('4548-4', 'Hemoglobin A1c/Hemoglobin.total in Blood', '%', [45, 56], 1),
  glucose: measurement('2345-7', 'Glucose [Mass/volume] in Serum or Plasma', 'mg/dL', [72, 99], 0),
  creatinine: measurement('2160-0', 'Creatinine [Mass/volume] in Serum or Plasma', 'mg/dL', [70, 120], 2),
  ureaNitrogen: measurement('3094-0', 'Urea nitrogen [Mass/volume] in Serum or Plasma', 'mg/dL', [8, 20], 0),
  sodium: measurement('2951-2', 'Sodium [Moles/volume] in Serum or Plasma', 'mmol/L', [136, 144], 0),
  potassium: measurement('2823-3', 'Potassium [Moles/volume] in Serum or Plasma', 'mmol/L', [36, 50], 1),
  cholesterol: measurement('2093-3', 'Cholesterol [Mass/volume] in Serum or Plasma', 'mg/dL', [140, 199], 0),
  triglycerides: measurement(
    '2571-8',
    'Triglyceride [Mass/volume] in Serum or Plasma',
    'mg/dL',
    [60, 149],
    0,
  ),
  hdl: measurement('2085-9', 'Cholesterol in HDL [Mass/volume] in Serum or Plasma', 'mg/dL', [41, 70], 0),
  ldl: measurement(
    '18262-6',
    'Cholesterol in LDL [Mass/volume] in Serum or Plasma by Direct assay',
    'mg/dL',
    [60, 99],
    0,
  ),
  hemoglobin: measurement('718-7', 'Hemoglobin [Mass/volume] in Blood', 'g/dL', [120, 165], 1),
  leukocytes: measurement(
    '6690-2',
    'Leukocytes [#/volume] in Blood by Automated count',
    '10*3/uL',
    [45, 105],
    1,
  ),
  platelets: measurement(
    '777-3',
    'Platelets [#/volume] in Blood by Automated count',
    '10*3/uL',
    [150, 400],
    0,
  ),
  thyrotropin: measurement(
    '3016-3',
    'Thyrotropin [Units/volume] in Serum or Plasma',
    'm[IU]/L',
    [50, 400],
    2,
  ),
  inr: measurement('6301-6', 'INR in Platelet poor plasma by Coagulation assay', '{INR}', [90, 110], 2),
} as const;
