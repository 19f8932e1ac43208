import { ucumUtils } from 'fhirpath';

export const UCUM_SYSTEM = 'http://unitsofmeasure.org';
/** A longer unit is no unit: the grammar of UCUM is read by a library that is not made for hostile text. */
const UNIT_CHARACTERS_MAX = 64;
/** Units whose factor is remembered; a hospital uses a few hundred. */
const UNITS_REMEMBERED_MAX = 4096;
/** Digits that a double keeps through a conversion there and back. */
const SIGNIFICANT_DIGITS = 12;

/** A quantity in the base units of UCUM: two quantities that mean the same have the same one. */
export interface CanonicalQuantity {
  readonly value: number;
  /** Base units with exponents, in a fixed order: `g.m-3`; empty for a pure number. */
  readonly unit: string;
}

interface BaseUnits {
  readonly unit: string;
  /** What one of the unit is in base units; `undefined` where the scale has a zero of its own (`Cel`, `[pH]`). */
  readonly factor: number | undefined;
}

interface Conversion {
  readonly status: string;
  readonly magnitude?: number;
  readonly unitToExp?: Readonly<Record<string, number>>;
  readonly fromUnitIsSpecial?: boolean;
}

const remembered = new Map<string, BaseUnits | undefined>();

function convert(unit: string, value: number): Conversion | undefined {
  try {
    return ucumUtils.convertToBaseUnits(unit, value) as Conversion;
  } catch {
    return undefined;
  }
}

function read(unit: string): BaseUnits | undefined {
  const { status, ucumCode } = ucumUtils.validateUnitString(unit) as {
    status: string;
    ucumCode: string | null;
  };
  // The library also knows synonyms (`celsius`): only what it hands back unchanged is UCUM's own code.
  if (status !== 'valid' || ucumCode !== unit) return undefined;
  const one = convert(unit, 1);
  // An arbitrary unit (`[IU]`) measures by a procedure of its own and compares with itself alone.
  if (one?.status !== 'succeeded' || !one.unitToExp) return { unit, factor: 1 };
  const exponents = one.unitToExp;
  const names = Object.keys(exponents).sort();
  return {
    unit: names.map((name) => (exponents[name] === 1 ? name : `${name}${exponents[name]}`)).join('.'),
    factor: one.fromUnitIsSpecial ? undefined : one.magnitude,
  };
}

function baseUnits(unit: string): BaseUnits | undefined {
  if (unit === '' || unit.length > UNIT_CHARACTERS_MAX) return undefined;
  if (remembered.has(unit)) return remembered.get(unit);
  if (remembered.size >= UNITS_REMEMBERED_MAX) remembered.clear();
  const base = read(unit);
  remembered.set(unit, base);
  return base;
}

/** Is this a unit by the grammar and the tables of UCUM? */
export function isUcumUnit(code: string): boolean {
  return baseUnits(code) !== undefined;
}

/**
 * A quantity in UCUM's base units, to compare what was measured in different ones: `1 g/L` and `100 mg/dL` have the same.
 * Rounded to 12 digits. `mol` is a number (of particles) in UCUM, so it never equals a mass.
 *
 * @returns `undefined` when the unit is not UCUM's.
 * @example canonicalQuantity(100, 'mg/dL') // { value: 1000, unit: 'g.m-3' }
 */
export function canonicalQuantity(value: number, unit: string): CanonicalQuantity | undefined {
  const base = baseUnits(unit);
  if (!base) return undefined;
  const magnitude = base.factor === undefined ? convert(unit, value)?.magnitude : base.factor * value;
  if (magnitude === undefined || !Number.isFinite(magnitude)) return undefined;
  return { value: Number(magnitude.toPrecision(SIGNIFICANT_DIGITS)), unit: base.unit };
}
