import { utf8Length } from './bytes.ts';
import { decodeCbor } from './cbor-decode.ts';
import { encodeCbor } from './cbor-encode.ts';
import { CBOR_LIMITS, CborError, type CborLimits, type CborMap, type CborValue } from './cbor-value.ts';

/** Both directions of one typed value: as a CBOR value, and as its canonical bytes. */
export interface Codec<Value> {
  readonly toCbor: (value: Value) => CborValue;
  /** @throws {@link CborError} naming the field, never its value. */
  readonly fromCbor: (value: CborValue) => Value;
  readonly encode: (value: Value) => Uint8Array;
  /** @throws {@link CborError} for bytes that `encode` would not have written. */
  readonly decode: (bytes: Uint8Array, limits?: CborLimits) => Value;
  /** What the value looks like, for schemas and allow-lists. */
  readonly shape: Shape;
}

/** A machine-readable description of a codec: the source of API documentation and of the on-ledger allow-list. */
export type Shape =
  | { readonly kind: 'integer' | 'boolean' }
  | { readonly kind: 'text'; readonly bytesMax: number; readonly pattern?: string }
  | { readonly kind: 'bytes'; readonly bytesMin: number; readonly bytesMax: number }
  | { readonly kind: 'choice'; readonly of: readonly string[] }
  | { readonly kind: 'list'; readonly of: Shape; readonly countMax: number }
  | { readonly kind: 'optional'; readonly of: Shape }
  /** Texts by name: names and contents have the same form. */
  | { readonly kind: 'map'; readonly of: Shape; readonly countMax: number }
  | { readonly kind: 'struct'; readonly fields: Readonly<Record<string, Shape>> };

/** Makes a codec from its two conversions. */
export function codec<Value>(
  shape: Shape,
  toCbor: (value: Value) => CborValue,
  fromCbor: (value: CborValue) => Value,
): Codec<Value> {
  return {
    shape,
    toCbor,
    fromCbor,
    encode: (value) => encodeCbor(toCbor(value)),
    decode: (bytes, limits = CBOR_LIMITS) => fromCbor(decodeCbor(bytes, limits)),
  };
}

function refuse(problem: string): never {
  throw new CborError(problem);
}

/** An unsigned safe integer as `number`. */
export const uint: Codec<number> = codec(
  { kind: 'integer' },
  (value) => (Number.isSafeInteger(value) && value >= 0 ? value : refuse('not an unsigned integer')),
  (value) => (typeof value === 'number' && value >= 0 ? value : refuse('not an unsigned integer')),
);

export const bool: Codec<boolean> = codec(
  { kind: 'boolean' },
  (value) => (typeof value === 'boolean' ? value : refuse('not true or false')),
  (value) => (typeof value === 'boolean' ? value : refuse('not true or false')),
);

/** Text of at most `bytesMax` UTF-8 bytes that matches `pattern` as a whole. */
export function text<Value extends string = string>(options: {
  bytesMax: number;
  pattern?: RegExp;
}): Codec<Value> {
  const check = (value: CborValue): Value => {
    if (typeof value !== 'string') refuse('not text');
    if (utf8Length(value) > options.bytesMax) refuse(`longer than ${options.bytesMax} bytes`);
    if (options.pattern && !options.pattern.test(value)) refuse('not of the agreed form');
    return value as Value;
  };
  const pattern = options.pattern ? { pattern: options.pattern.source } : {};
  return codec({ kind: 'text', bytesMax: options.bytesMax, ...pattern }, check, check);
}

/** A byte string between two lengths, both included. */
export function bytes<Value extends Uint8Array = Uint8Array>(options: {
  bytesMin?: number;
  bytesMax: number;
}): Codec<Value> {
  const least = options.bytesMin ?? 0;
  const check = (value: CborValue): Value => {
    if (!(value instanceof Uint8Array)) refuse('not a byte string');
    if (value.length < least || value.length > options.bytesMax) {
      refuse(`not ${least === options.bytesMax ? least : `${least} to ${options.bytesMax}`} bytes long`);
    }
    return value as Value;
  };
  return codec({ kind: 'bytes', bytesMin: least, bytesMax: options.bytesMax }, check, check);
}

/** A byte string of exactly this length. */
export function fixedBytes<Value extends Uint8Array = Uint8Array>(length: number): Codec<Value> {
  return bytes<Value>({ bytesMin: length, bytesMax: length });
}

/** One of a few fixed words. */
export function oneOf<const Words extends readonly string[]>(words: Words): Codec<Words[number]> {
  const check = (value: CborValue): Words[number] =>
    words.find((word) => word === value) ?? refuse(`not one of ${words.join(', ')}`);
  return codec({ kind: 'choice', of: words }, check, check);
}

/** A list of at most `countMax` items. */
export function list<Item>(item: Codec<Item>, options: { countMax: number }): Codec<readonly Item[]> {
  return codec(
    { kind: 'list', of: item.shape, countMax: options.countMax },
    (values) => {
      if (values.length > options.countMax) refuse(`more than ${options.countMax} items`);
      return convertAll(values, item.toCbor);
    },
    (value) => {
      if (!Array.isArray(value)) return refuse('not a list');
      if (value.length > options.countMax) refuse(`more than ${options.countMax} items`);
      return convertAll(value as readonly CborValue[], item.fromCbor);
    },
  );
}

/** A struct field that may be left out. Only {@link struct} knows what to do with it. */
export interface OptionalCodec<Value> extends Codec<Value> {
  readonly optional: true;
}

export function optional<Value>(inner: Codec<Value>): OptionalCodec<Value> {
  return { ...inner, shape: { kind: 'optional', of: inner.shape }, optional: true };
}

type ValueOf<Field> = Field extends Codec<infer Value> ? Value : never;
type OptionalKeys<Of> = {
  [Key in keyof Of]: Of[Key] extends { readonly optional: true } ? Key : never;
}[keyof Of];
/** The object type that a set of field codecs describes. */
export type StructOf<Of> = {
  readonly [Key in Exclude<keyof Of, OptionalKeys<Of>>]: ValueOf<Of[Key]>;
} & { readonly [Key in OptionalKeys<Of>]?: ValueOf<Of[Key]> };

/** The same refusal, with the name of the field or place in front of where it happened. */
function located(name: string, error: unknown): unknown {
  if (!(error instanceof CborError)) return error;
  const path = /^[\w.[\]]+: /.test(error.message) ? (error.message.startsWith('[') ? '' : '.') : ': ';
  return new CborError(`${name}${path}${error.message}`);
}

/** Converts each item; a refusal names its place. */
function convertAll<From, To>(items: readonly From[], convert: (item: From) => To): readonly To[] {
  const converted: To[] = [];
  try {
    for (const item of items) converted.push(convert(item));
    return converted;
  } catch (error) {
    throw located(`[${converted.length}]`, error);
  }
}

type KnownFields = readonly (readonly [string, Codec<unknown> & { readonly optional?: true }])[];

function convertField<From, To>(name: string, content: From, convert: (content: From) => To): To {
  try {
    return convert(content);
  } catch (error) {
    throw located(name, error);
  }
}

function readStruct<Value>(known: KnownFields, names: ReadonlySet<string>, value: CborValue): Value {
  if (!(value instanceof Map)) return refuse('not a map');
  const map = value as CborMap;
  for (const key of map.keys()) {
    if (typeof key !== 'string' || !names.has(key)) refuse('a field is not known here');
  }
  const result: Record<string, unknown> = {};
  for (const [name, field] of known) {
    const content = map.get(name);
    if (content !== undefined) result[name] = convertField(name, content, field.fromCbor);
    else if (!field.optional) refuse(`the field ${name} is missing`);
  }
  return result as Value;
}

/** A map with exactly these text keys. Unknown and missing fields are refused. */
export function struct<const Of extends Record<string, unknown>>(fields: Of): Codec<StructOf<Of>> {
  const known = Object.entries(fields as Record<string, Codec<unknown> & { readonly optional?: true }>);
  const names = new Set(known.map(([name]) => name));
  const shape: Shape = {
    kind: 'struct',
    fields: Object.fromEntries(known.map(([name, field]) => [name, field.shape])),
  };
  return codec<StructOf<Of>>(
    shape,
    (value) => {
      const map = new Map<string, CborValue>();
      for (const [name, field] of known) {
        const content = (value as Record<string, unknown>)[name];
        if (content === undefined && field.optional) continue;
        map.set(name, convertField(name, content, field.toCbor));
      }
      return map;
    },
    (value) => readStruct<StructOf<Of>>(known, names, value),
  );
}
