export const HEIGHT_BYTES = 8;

/** Most significant byte first, so that keys sort by number. */
export function bigEndian(value: number, bytes: 4 | 8): Uint8Array {
  const encoded = Buffer.alloc(bytes);
  if (bytes === 8) encoded.writeBigUInt64BE(BigInt(value));
  else encoded.writeUInt32BE(value);
  return encoded;
}

/** A copy that no longer lies in LMDB's own memory. */
export function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** The first key after all that begin with `prefix`, or `undefined` when there is none. */
export function keyAfter(prefix: Uint8Array): Uint8Array | undefined {
  const end = prefix.slice();
  for (let last = end.length - 1; last >= 0; last -= 1) {
    const byte = end[last] ?? 0;
    if (byte < 0xff) {
      end[last] = byte + 1;
      return end.slice(0, last + 1);
    }
  }
  return undefined;
}
