/** A JSON number as the text it was written with: `1.10` says something about precision that `1.1` does not. */
export class LosslessNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** The nearest double: for comparing and indexing, never for storing. */
  toNumber(): number {
    return Number(this.text);
  }
}

export type LosslessArray = readonly LosslessValue[];
export interface LosslessObject {
  readonly [key: string]: LosslessValue;
}
/** A JSON value that is written back exactly as it was read. Never changed in place. */
export type LosslessValue = string | boolean | null | LosslessNumber | LosslessArray | LosslessObject;

/** A plain JSON value, its numbers being doubles. */
export type PlainValue = string | number | boolean | null | readonly PlainValue[] | PlainObject;
export interface PlainObject {
  readonly [key: string]: PlainValue;
}

/** Is this a JSON object, rather than an array, a number or another scalar? */
export function isLosslessObject(value: LosslessValue | undefined): value is LosslessObject {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof LosslessNumber)
  );
}

/** Is this a JSON array? (`Array.isArray` does not narrow readonly arrays.) */
export function isLosslessArray(value: LosslessValue | undefined): value is LosslessArray {
  return Array.isArray(value);
}

/** The same value with doubles for numbers: for validation and indexing, never for storing. */
export function toPlain(value: LosslessObject): PlainObject;
export function toPlain(value: LosslessValue): PlainValue;
export function toPlain(value: LosslessValue): PlainValue {
  if (value instanceof LosslessNumber) return value.toNumber();
  if (isLosslessArray(value)) return value.map((item) => toPlain(item));
  if (!isLosslessObject(value)) return value;
  const plain: Record<string, PlainValue> = {};
  for (const key of Object.keys(value)) plain[key] = toPlain(value[key] as LosslessValue);
  return plain;
}

/**
 * A value of our own making as a lossless one. Members that are `undefined` are left out; a {@link LosslessNumber}
 * may stand where a number does, to say how many digits count.
 * @throws TypeError for what JSON cannot say (functions, NaN, bigint).
 */
export function toLossless(value: unknown): LosslessValue {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (value instanceof LosslessNumber) return value;
  if (typeof value === 'number' && Number.isFinite(value)) return new LosslessNumber(String(value));
  if (Array.isArray(value)) return value.map((item) => toLossless(item));
  if (typeof value !== 'object') throw new TypeError(`JSON cannot say a ${typeof value}`);
  const lossless: Record<string, LosslessValue> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) lossless[key] = toLossless(member);
  }
  return lossless;
}
