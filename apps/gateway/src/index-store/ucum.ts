import { createRequire } from 'node:module';

/** The system of UCUM's codes. */
export const UCUM_SYSTEM = 'http://unitsofmeasure.org';
/** Units whose conversion is kept. */
const UNITS_MAX = 2_048;

/** What of the UCUM library is used; it brings no types. */
interface UcumUtils {
  convertToBaseUnits(
    unit: string,
    value: number,
  ): {
    readonly status: string;
    readonly magnitude?: number;
    readonly unitToExp?: Readonly<Record<string, number>>;
  };
}

interface UcumLibrary {
  readonly UcumLhcUtils: { getInstance(): UcumUtils };
}

/** How a unit becomes base units: `value * factor + offset`. */
interface Conversion {
  readonly dimension: string;
  readonly factor: number;
  readonly offset: number;
}

/** A quantity in base units. */
export interface CanonicalQuantity {
  /** `m-3g1`: base units with their exponents, in order. */
  readonly dimension: string;
  readonly convert: (value: number) => number;
}

let library: UcumUtils | undefined;
const conversions = new Map<string, Conversion | undefined>();

function utils(): UcumUtils {
  library ??= (createRequire(import.meta.url)('@lhncbc/ucum-lhc') as UcumLibrary).UcumLhcUtils.getInstance();
  return library;
}

function conversionOf(unit: string): Conversion | undefined {
  // `{score}` and `{beats}` have the same dimension, none, and are not the same.
  if (unit === '' || unit.includes('{')) return undefined;
  const [zero, one, two] = [0, 1, 2].map((value) => utils().convertToBaseUnits(unit, value));
  if (one?.status !== 'succeeded' || one.magnitude === undefined || two?.magnitude === undefined)
    return undefined;
  const offset = zero?.magnitude ?? 0;
  const factor = one.magnitude - offset;
  const isLinear = Math.abs(two.magnitude - (offset + 2 * factor)) <= Math.abs(two.magnitude) * 1e-9;
  if (!isLinear || !Number.isFinite(factor) || factor === 0) return undefined;
  const exponents = Object.entries(one.unitToExp ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
  return { dimension: exponents.map(([base, exponent]) => `${base}${exponent}`).join(''), factor, offset };
}

/** What a UCUM unit measures, so that 5.4 g/L is found as 540 mg/dL; undefined for what UCUM does not define so. */
export function canonicalUnit(unit: string): CanonicalQuantity | undefined {
  if (!conversions.has(unit)) {
    if (conversions.size >= UNITS_MAX) conversions.clear();
    conversions.set(unit, conversionOf(unit));
  }
  const conversion = conversions.get(unit);
  if (!conversion) return undefined;
  const { dimension, factor, offset } = conversion;
  return { dimension, convert: (value) => value * factor + offset };
}
