import { compareBytes, fromUtf8 } from './bytes.ts';
import {
  CBOR_LIMITS,
  CBOR_MAJOR,
  CborError,
  type CborLimits,
  type CborMap,
  CborTag,
  type CborValue,
} from './cbor-value.ts';

const U32_SIZE = 4_294_967_296;
/** High words up to here leave a 64-bit argument a safe integer. */
const HIGH_WORD_MAX = 0x1f_ffff;
/** The smallest argument that needs this many bytes. */
const LEAST_ARGUMENT: Readonly<Record<number, number>> = { 1: 24, 2: 256, 4: 65_536 };

class Reader {
  readonly bytes: Uint8Array;
  readonly limits: CborLimits;
  offset = 0;

  constructor(bytes: Uint8Array, limits: CborLimits) {
    this.bytes = bytes;
    this.limits = limits;
  }

  /** Where the next `length` bytes begin; they count as read. */
  advance(length: number): number {
    const start = this.offset;
    if (length > this.bytes.length - start) throw new CborError('the input ends too early');
    this.offset = start + length;
    return start;
  }

  take(length: number): Uint8Array {
    const start = this.advance(length);
    return this.bytes.subarray(start, start + length);
  }

  copy(length: number): Uint8Array {
    const start = this.advance(length);
    return this.bytes.slice(start, start + length);
  }

  byte(): number {
    return this.bytes[this.advance(1)] as number;
  }

  unsigned(width: number): number {
    const start = this.advance(width);
    let value = 0;
    for (let index = start; index < start + width; index += 1)
      value = value * 256 + (this.bytes[index] as number);
    return value;
  }

  argument(low: number): number | bigint {
    if (low < 24) return low;
    if (low > 27) throw new CborError('indefinite lengths and reserved values are refused');
    const width = 1 << (low - 24);
    const high = width === 8 ? this.unsigned(4) : 0;
    const value = this.unsigned(Math.min(width, 4));
    if (width === 8 ? high === 0 : value < (LEAST_ARGUMENT[width] as number))
      throw new CborError('an argument is longer than needed');
    if (high <= HIGH_WORD_MAX) return high * U32_SIZE + value;
    return (BigInt(high) << 32n) | BigInt(value);
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
    case CBOR_MAJOR.unsigned:
      return reader.argument(low);
    case CBOR_MAJOR.negative: {
      const argument = reader.argument(low);
      if (typeof argument === 'number' && argument < Number.MAX_SAFE_INTEGER) return -1 - argument;
      return -1n - BigInt(argument);
    }
    case CBOR_MAJOR.bytes:
      return reader.copy(reader.size(low, reader.bytes.length));
    case CBOR_MAJOR.text:
      return readText(reader.take(reader.size(low, reader.bytes.length)));
    case CBOR_MAJOR.array:
      return readArray(reader, low, depth + 1);
    case CBOR_MAJOR.map:
      return readMap(reader, low, depth + 1);
    case CBOR_MAJOR.tag:
      return readTag(reader, low, depth + 1);
    default:
      return readSimple(low);
  }
}

/**
 * Decodes one value that fills the whole input. Integers come back as `number` while safe, else as `bigint`.
 * @throws {@link CborError} for anything that `encodeCbor` would not have written.
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits = CBOR_LIMITS): CborValue {
  if (bytes.length > limits.bytesMax) throw new CborError('the input is larger than its limit');
  const reader = new Reader(bytes, limits);
  const value = readValue(reader, 0);
  if (reader.offset !== bytes.length) throw new CborError('there are bytes after the value');
  return value;
}
