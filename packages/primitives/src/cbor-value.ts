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

/** Major types (RFC 8949, section 3.1). */
export const CBOR_MAJOR = {
  unsigned: 0,
  negative: 1,
  bytes: 2,
  text: 3,
  array: 4,
  map: 5,
  tag: 6,
} as const;
