import { compareBytes, utf8 } from './bytes.ts';
import { CBOR_MAJOR, CborError, type CborMap, CborTag, type CborValue } from './cbor-value.ts';

const U64_MAX = (1n << 64n) - 1n;
const U32_SIZE = 4_294_967_296;

const WRITER_BYTES = 256;
/** A larger buffer is not kept for the next value. */
const SPARE_BYTES_MAX = 64 * 1024;

class Writer {
  #bytes = new Uint8Array(WRITER_BYTES);
  #length = 0;

  /** Ready for another value; false when it grew too large to be kept. */
  reset(): boolean {
    this.#length = 0;
    return this.#bytes.length <= SPARE_BYTES_MAX;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  append(part: Uint8Array): void {
    this.reserve(part.length);
    this.#bytes.set(part, this.#length);
    this.#length += part.length;
  }

  unsigned32(value: number): void {
    this.byte(value >>> 24);
    this.byte((value >>> 16) & 255);
    this.byte((value >>> 8) & 255);
    this.byte(value & 255);
  }

  head(major: number, argument: number | bigint): void {
    const type = major << 5;
    if (typeof argument === 'bigint') {
      this.byte(type | 27);
      this.unsigned32(Number(argument >> 32n));
      this.unsigned32(Number(argument & 0xffffffffn));
    } else if (argument < 24) this.byte(type | argument);
    else if (argument < 256) {
      this.byte(type | 24);
      this.byte(argument);
    } else if (argument < 65_536) {
      this.byte(type | 25);
      this.byte(argument >> 8);
      this.byte(argument & 255);
    } else if (argument < U32_SIZE) {
      this.byte(type | 26);
      this.unsigned32(argument);
    } else {
      this.byte(type | 27);
      this.unsigned32(Math.floor(argument / U32_SIZE));
      this.unsigned32(argument % U32_SIZE);
    }
  }
}

function writeInteger(writer: Writer, value: number | bigint): void {
  if (typeof value === 'bigint') {
    const argument = value < 0n ? -1n - value : value;
    if (argument > U64_MAX) throw new CborError('an integer needs more than 64 bits');
    const isSmall = argument <= BigInt(Number.MAX_SAFE_INTEGER);
    writer.head(
      value < 0n ? CBOR_MAJOR.negative : CBOR_MAJOR.unsigned,
      isSmall ? Number(argument) : argument,
    );
    return;
  }
  if (!Number.isSafeInteger(value)) throw new CborError('only safe integers have a deterministic encoding');
  if (value < 0) writer.head(CBOR_MAJOR.negative, -1 - value);
  else writer.head(CBOR_MAJOR.unsigned, value);
}

function writeText(writer: Writer, value: string): void {
  if (!value.isWellFormed()) throw new CborError('a text holds a lone surrogate');
  const bytes = utf8(value);
  writer.head(CBOR_MAJOR.text, bytes.length);
  writer.append(bytes);
}

/** Field names come again and again: their encodings are remembered, a bounded number of them. */
const knownKeys = new Map<string | number, Uint8Array>();
const KNOWN_KEYS_MAX = 2048;
const KNOWN_KEY_LENGTH_MAX = 64;

function encodeKey(key: string | number): Uint8Array {
  const known = knownKeys.get(key);
  if (known) return known;
  const encoded = encodeCbor(key);
  if (knownKeys.size < KNOWN_KEYS_MAX && encoded.length <= KNOWN_KEY_LENGTH_MAX) knownKeys.set(key, encoded);
  return encoded;
}

function writeMap(writer: Writer, map: CborMap): void {
  const entries: { readonly key: Uint8Array; readonly value: CborValue }[] = [];
  for (const [key, value] of map) entries.push({ key: encodeKey(key), value });
  entries.sort((left, right) => compareBytes(left.key, right.key));
  writer.head(CBOR_MAJOR.map, entries.length);
  for (const entry of entries) {
    writer.append(entry.key);
    writeValue(writer, entry.value);
  }
}

function writeArray(writer: Writer, items: readonly CborValue[]): void {
  writer.head(CBOR_MAJOR.array, items.length);
  for (const item of items) writeValue(writer, item);
}

function writeTag(writer: Writer, { tag, content }: CborTag): void {
  if (!Number.isSafeInteger(tag) || tag < 0) throw new CborError('a tag is not an unsigned integer');
  writer.head(CBOR_MAJOR.tag, tag);
  writeValue(writer, content);
}

function writeValue(writer: Writer, value: CborValue): void {
  if (typeof value === 'number' || typeof value === 'bigint') writeInteger(writer, value);
  else if (typeof value === 'string') writeText(writer, value);
  else if (value instanceof Uint8Array) {
    writer.head(CBOR_MAJOR.bytes, value.length);
    writer.append(value);
  } else if (value === null) writer.byte(0xf6);
  else if (typeof value === 'boolean') writer.byte(value ? 0xf5 : 0xf4);
  else if (value instanceof Map) writeMap(writer, value);
  else if (value instanceof CborTag) writeTag(writer, value);
  else if (Array.isArray(value)) writeArray(writer, value as readonly CborValue[]);
  else throw new CborError('a value is of no type that CBOR has here');
}

/** Most values are short and come one after the other: they share one buffer. */
let spare: Writer | undefined;

/** The one encoding of a value. @throws {@link CborError} for a value that has none. */
export function encodeCbor(value: CborValue): Uint8Array {
  const writer = spare ?? new Writer();
  // A key is encoded while a map is: then it takes another buffer.
  spare = undefined;
  try {
    writeValue(writer, value);
    return writer.finish();
  } finally {
    if (writer.reset()) spare = writer;
  }
}
