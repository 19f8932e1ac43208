import { compareBytes, fromUtf8, utf8 } from './bytes.ts';

/**
 * Deterministic CBOR (RFC 8949, section 4.2.1): integers, byte strings, text, arrays, maps with text or integer
 * keys, tags, true, false and null. No floats, no indefinite lengths: what cannot be encoded in one way is refused.
 */
export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | CborMap
  | CborTag;
export type CborMap = ReadonlyMap<string | number, CborValue>;
export class CborTag {
  readonly tag: number;
  readonly content: CborValue;
  constructor(tag: number, content: CborValue) {
    this.tag = tag;
    this.content = content;
  }
}

export interface CborLimits {
  /** Nesting of arrays, maps and tags. */
  readonly depthMax: number;
  /** Items in one array or map. */
  readonly itemsMax: number;
  /** Length of the whole input. */
  readonly bytesMax: number;
}
export const CBOR_LIMITS: CborLimits = { depthMax: 16, itemsMax: 1_000_000, bytesMax: 256 * 1024 * 1024 };

/** Bytes that are not deterministic CBOR, or a value that has no deterministic encoding. */
export class CborError extends Error {
  override readonly name = 'CborError';
}

const MAJOR_UNSIGNED = 0;
const MAJOR_NEGATIVE = 1;
const MAJOR_BYTES = 2;
const MAJOR_TEXT = 3;
const MAJOR_ARRAY = 4;
const MAJOR_MAP = 5;
const MAJOR_TAG = 6;
const U64_MAX = (1n << 64n) - 1n;

class Writer {
  bytes = new Uint8Array(256);
  length = 0;

  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length] = value;
    this.length += 1;
  }

  append(part: Uint8Array): void {
    this.reserve(part.length);
    this.bytes.set(part, this.length);
    this.length += part.length;
  }

  bigEndian(value: bigint, width: number): void {
    for (let shift = width - 1; shift >= 0; shift -= 1)
      this.byte(Number((value >> BigInt(shift * 8)) & 255n));
  }

  head(major: number, argument: number | bigint): void {
    const type = major << 5;
    if (argument < 24) this.byte(type | Number(argument));
    else if (argument < 256) {
      this.byte(type | 24);
      this.byte(Number(argument));
    } else if (argument < 65_536) {
      this.byte(type | 25);
      this.byte(Number(argument) >> 8);
      this.byte(Number(argument) & 255);
    } else if (argument < 4_294_967_296) {
      this.byte(type | 26);
      this.bigEndian(BigInt(argument), 4);
    } else {
      this.byte(type | 27);
      this.bigEndian(BigInt(argument), 8);
    }
  }
}

function writeInteger(writer: Writer, value: number | bigint): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new CborError('only safe integers have a deterministic encoding');
  }
  const argument = value < 0 ? -1n - BigInt(value) : value;
  if (argument > U64_MAX) throw new CborError('an integer needs more than 64 bits');
  writer.head(value < 0 ? MAJOR_NEGATIVE : MAJOR_UNSIGNED, argument);
}

function writeMap(writer: Writer, map: CborMap): void {
  const entries = [...map].map(([key, value]) => ({ key: encodeCbor(key), value }));
  entries.sort((left, right) => compareBytes(left.key, right.key));
  writer.head(MAJOR_MAP, entries.length);
  for (const entry of entries) {
    writer.append(entry.key);
    writeValue(writer, entry.value);
  }
}

function writeValue(writer: Writer, value: CborValue): void {
  if (typeof value === 'number' || typeof value === 'bigint') writeInteger(writer, value);
  else if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new CborError('a text holds a lone surrogate');
    const bytes = utf8(value);
    writer.head(MAJOR_TEXT, bytes.length);
    writer.append(bytes);
  } else if (value === null) writer.byte(0xf6);
  else if (typeof value === 'boolean') writer.byte(value ? 0xf5 : 0xf4);
  else if (value instanceof Uint8Array) {
    writer.head(MAJOR_BYTES, value.length);
    writer.append(value);
  } else if (value instanceof CborTag) {
    writer.head(MAJOR_TAG, value.tag);
    writeValue(writer, value.content);
  } else if (value instanceof Map) writeMap(writer, value);
  else {
    const items = value as readonly CborValue[];
    writer.head(MAJOR_ARRAY, items.length);
    for (const item of items) writeValue(writer, item);
  }
}

/** The one encoding of a value. @throws {@link CborError} for a value that has none. */
export function encodeCbor(value: CborValue): Uint8Array {
  const writer = new Writer();
  writeValue(writer, value);
  return writer.bytes.slice(0, writer.length);
}

class Reader {
  readonly bytes: Uint8Array;
  readonly limits: CborLimits;
  offset = 0;

  constructor(bytes: Uint8Array, limits: CborLimits) {
    this.bytes = bytes;
    this.limits = limits;
  }

  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.offset) throw new CborError('the input ends too early');
    const part = this.bytes.subarray(this.offset, this.offset + length);
    this.offset += length;
    return part;
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  argument(low: number): number | bigint {
    if (low < 24) return low;
    if (low > 27) throw new CborError('indefinite lengths and reserved values are refused');
    const width = 1 << (low - 24);
    let value = 0n;
    for (const byte of this.take(width)) value = (value << 8n) | BigInt(byte);
    const least = width === 1 ? 24n : 1n << BigInt(width * 4);
    if (value < least) throw new CborError('an argument is longer than needed');
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }

  size(low: number, most: number): number {
    const size = this.argument(low);
    if (typeof size === 'bigint' || size > most) throw new CborError('an item is larger than its limit');
    return size;
  }
}

function readMap(reader: Reader, low: number, depth: number): CborMap {
  const size = reader.size(low, reader.limits.itemsMax);
  const map = new Map<string | number, CborValue>();
  let previous: Uint8Array | undefined;
  for (let index = 0; index < size; index += 1) {
    const start = reader.offset;
    const key = readValue(reader, depth);
    if (typeof key !== 'string' && typeof key !== 'number')
      throw new CborError('a map key is not text or integer');
    const encoded = reader.bytes.subarray(start, reader.offset);
    if (previous && compareBytes(previous, encoded) >= 0)
      throw new CborError('map keys are out of order or repeated');
    previous = encoded;
    map.set(key, readValue(reader, depth));
  }
  return map;
}

function readText(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch {
    throw new CborError('a text is not UTF-8');
  }
}

function readSimple(low: number): boolean | null {
  if (low === 20) return false;
  if (low === 21) return true;
  if (low === 22) return null;
  throw new CborError('floats and other simple values are refused');
}

function readTag(reader: Reader, low: number, depth: number): CborTag {
  const tag = reader.argument(low);
  if (typeof tag === 'bigint') throw new CborError('a tag is larger than its limit');
  return new CborTag(tag, readValue(reader, depth));
}

function readArray(reader: Reader, low: number, depth: number): readonly CborValue[] {
  const size = reader.size(low, reader.limits.itemsMax);
  const items: CborValue[] = [];
  for (let index = 0; index < size; index += 1) items.push(readValue(reader, depth));
  return items;
}

function readValue(reader: Reader, depth: number): CborValue {
  if (depth > reader.limits.depthMax) throw new CborError('the input is nested too deeply');
  const initial = reader.byte();
  const low = initial & 31;
  switch (initial >> 5) {
    case MAJOR_UNSIGNED:
      return reader.argument(low);
    case MAJOR_NEGATIVE: {
      const value = -1n - BigInt(reader.argument(low));
      return value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : value;
    }
    case MAJOR_BYTES:
      return reader.take(reader.size(low, reader.bytes.length)).slice();
    case MAJOR_TEXT:
      return readText(reader.take(reader.size(low, reader.bytes.length)));
    case MAJOR_ARRAY:
      return readArray(reader, low, depth + 1);
    case MAJOR_MAP:
      return readMap(reader, low, depth + 1);
    case MAJOR_TAG:
      return readTag(reader, low, depth + 1);
    default:
      return readSimple(low);
  }
}

/**
 * Decodes one value that fills the whole input. Integers come back as `number` while safe, else as `bigint`.
 * @throws {@link CborError} for anything that {@link encodeCbor} would not have written.
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits = CBOR_LIMITS): CborValue {
  if (bytes.length > limits.bytesMax) throw new CborError('the input is larger than its limit');
  const reader = new Reader(bytes, limits);
  const value = readValue(reader, 0);
  if (reader.offset !== bytes.length) throw new CborError('there are bytes after the value');
  return value;
}
