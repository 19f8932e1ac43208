import { type Comparison, canonicalUnit, dateRangeOf, UCUM_SYSTEM } from '../../index-store/index.ts';
import { invalidParameter } from '../fhir-error.ts';
import { sayable, splitValue, unescaped } from './search-context.ts';

/** What a value with a prefix asks for. */
export interface AskedRange {
  readonly comparison: Comparison;
  readonly low: number;
  readonly high: number;
}

/** A range with the unit that it is asked in: a text under which the index holds units, or none. */
export interface AskedQuantity extends AskedRange {
  readonly unit: string | undefined;
}

const PREFIX = /^(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[-+]?\d)/;
const NUMBER = /^[-+]?\d{1,40}(?:\.(\d{1,40}))?(?:[eE]([-+]?\d{1,3}))?$/;
/** `ap` finds what is within a tenth (FHIR R4, search, section 3.1.1.4.4). */
const APPROXIMATELY = 0.1;

function prefixOf(text: string): { readonly comparison: Comparison; readonly rest: string } {
  const prefix = PREFIX.exec(text)?.[1] as Comparison | undefined;
  return prefix ? { comparison: prefix, rest: text.slice(2) } : { comparison: 'eq', rest: text };
}

function widened({ comparison, low, high }: AskedRange, by: number): AskedRange {
  return comparison === 'ap' ? { comparison, low: low - by, high: high + by } : { comparison, low, high };
}

/**
 * Reads a date. `ap` widens it by a tenth of its distance from now.
 * @param now Milliseconds since 1970.
 * @throws {@link FhirError} 400.
 */
export function askedDate(name: string, text: string, now: number): AskedRange {
  const { comparison, rest } = prefixOf(text);
  const range = dateRangeOf(rest);
  if (!range) throw invalidParameter(sayable(name), 'A value is not a date of FHIR.');
  return widened({ comparison, ...range }, Math.abs(now - range.low) * APPROXIMATELY);
}

/** The largest number below this one that a search tells from it. */
function justBelow(value: number): number {
  return value - Math.max(Math.abs(value), Number.MIN_VALUE) * Number.EPSILON;
}

/**
 * Reads a number. Without a prefix it stands for all that it is rounded from: `100` for 99.5 up to, not including, 100.5;
 * other prefixes take it as it is.
 *
 * @throws {@link FhirError} 400.
 */
export function askedNumber(name: string, text: string): AskedRange {
  const { comparison, rest } = prefixOf(text);
  const match = NUMBER.exec(rest);
  const value = Number(rest);
  if (!match || !Number.isFinite(value)) throw invalidParameter(sayable(name), 'A value is not a number.');
  if (comparison === 'ap') {
    return widened({ comparison, low: value, high: value }, Math.abs(value) * APPROXIMATELY);
  }
  if (comparison !== 'eq' && comparison !== 'ne') return { comparison, low: value, high: value };
  const [, fraction = '', exponent] = match;
  // `1e2` stands for 95 to 105 (FHIR R4, search, section 3.1.1.4.6): as 1.0e2 would.
  const digits = exponent === undefined ? fraction.length : Math.max(fraction.length, 1);
  const half = 0.5 * 10 ** (Number(exponent ?? 0) - digits);
  return { comparison, low: value - half, high: justBelow(value + half) };
}

/**
 * Reads `5.4`, `5.4|http://unitsofmeasure.org|mg` or `5.4||mg`. A UCUM unit becomes its base units.
 * @throws {@link FhirError} 400.
 */
export function askedQuantity(name: string, text: string): AskedQuantity {
  const [number = '', system = '', code = '', ...rest] = splitValue(text, '|').map(unescaped);
  if (rest.length > 0) throw invalidParameter(sayable(name), 'A quantity has more than a system and a code.');
  const asked = askedNumber(name, number);
  if (system === '') return { ...asked, unit: code === '' ? undefined : `|${code}` };
  if (code === '') throw invalidParameter(sayable(name), 'A quantity with a system has a code.');
  const canonical = system === UCUM_SYSTEM ? canonicalUnit(code) : undefined;
  if (!canonical) return { ...asked, unit: `${system}|${code}` };
  const { comparison, low, high } = asked;
  const converted = { comparison, low: canonical.convert(low), high: canonical.convert(high) };
  return { ...converted, unit: `${UCUM_SYSTEM} ${canonical.dimension}` };
}
