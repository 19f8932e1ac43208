import type { TypedElement } from './element-path.ts';
import type { Tokenizer } from './tokenizer.ts';
import { canonicalUnit, UCUM_SYSTEM } from './ucum.ts';

const CURRENCY_SYSTEM = 'urn:iso:std:iso:4217';

/** A number with its unit, both ends. */
export interface QuantityRange {
  readonly low: number;
  readonly high: number;
  readonly system?: string | undefined;
  readonly code?: string | undefined;
  readonly unit?: string | undefined;
}

/** A range under the number of its parameter, alone or with a unit. */
export interface NumberedRange {
  readonly parameter: number;
  readonly low: number;
  readonly high: number;
}

interface QuantityLike {
  readonly value?: unknown;
  readonly comparator?: unknown;
  readonly system?: string;
  readonly code?: string;
  readonly unit?: string;
  readonly currency?: string;
  readonly low?: QuantityLike;
  readonly high?: QuantityLike;
  readonly origin?: QuantityLike;
  readonly lowerLimit?: unknown;
  readonly upperLimit?: unknown;
}

function finite(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function unitsOf({ system, code, unit, currency }: QuantityLike) {
  return currency === undefined
    ? { system, code, unit }
    : { system: CURRENCY_SYSTEM, code: currency, unit: undefined };
}

/** What a comparator makes of a value: `< 5` is everything below. */
function endsOf(value: number, comparator: unknown): { readonly low: number; readonly high: number } {
  if (comparator === '<' || comparator === '<=') return { low: Number.MIN_SAFE_INTEGER, high: value };
  if (comparator === '>' || comparator === '>=') return { low: value, high: Number.MAX_SAFE_INTEGER };
  return { low: value, high: value };
}

function openRange(
  low: number | undefined,
  high: number | undefined,
  units: QuantityLike,
): readonly QuantityRange[] {
  if (low === undefined && high === undefined) return [];
  return [{ low: low ?? Number.MIN_SAFE_INTEGER, high: high ?? Number.MAX_SAFE_INTEGER, ...unitsOf(units) }];
}

/** The numbers of a value: a number, Quantity and its kin, Money, Range, SampledData. */
export function quantityRangesOf({ type, value }: TypedElement): readonly QuantityRange[] {
  const plain = finite(value);
  if (plain !== undefined) return [{ low: plain, high: plain }];
  if (typeof value !== 'object' || value === null) return [];
  const quantity = value as QuantityLike;
  if (type === 'Range') {
    const { low, high } = quantity;
    return openRange(finite(low?.value), finite(high?.value), low ?? high ?? {});
  }
  if (type === 'SampledData') {
    return openRange(finite(quantity.lowerLimit), finite(quantity.upperLimit), quantity.origin ?? {});
  }
  const number = finite(quantity.value);
  if (number === undefined) return [];
  return [{ ...endsOf(number, quantity.comparator), ...unitsOf(quantity) }];
}

/** A quantity is found without unit, with its code alone, with system and code, and in UCUM's base units. */
export function numberedRanges(
  range: QuantityRange,
  at: {
    readonly tokenizer: Tokenizer;
    readonly type: string;
    readonly code: string;
    readonly number: number;
  },
): readonly NumberedRange[] {
  const { low, high, system, code, unit } = range;
  const numbers = new Set([at.number]);
  const add = (text: string): void => {
    numbers.add(at.tokenizer.unitNumber(at.type, at.code, text));
  };
  for (const one of [code, unit]) if (one !== undefined) add(`|${one}`);
  if (system !== undefined && code !== undefined) add(`${system}|${code}`);
  const ranges = [...numbers].map((parameter) => ({ parameter, low, high }));
  const canonical = system === UCUM_SYSTEM && code !== undefined ? canonicalUnit(code) : undefined;
  if (!canonical) return ranges;
  const parameter = at.tokenizer.unitNumber(at.type, at.code, `${UCUM_SYSTEM} ${canonical.dimension}`);
  return [...ranges, { parameter, low: canonical.convert(low), high: canonical.convert(high) }];
}
