import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { NodeError } from '../errors.ts';

/** No honest block record is longer: a length beyond it is damage, not a size to allocate. */
export const RECORD_BYTES_MAX = 64 * 1024 * 1024;

export const LENGTH_BYTES = 4;
export const HEIGHT_BYTES = 8;
const CHECKSUM_BYTES = 32;
/** Length, height, SHA-256 over both and the bytes. */
export const RECORD_HEAD_BYTES = LENGTH_BYTES + HEIGHT_BYTES + CHECKSUM_BYTES;

const DAMAGE_HELP =
  'Stop the node, restore the file from a copy of the same chain, or empty the node folder and let it catch up from its peers.';

/** A stored record that is not what was written. */
export class DamagedRecordError extends NodeError {
  readonly height: number;
  readonly file: string;

  constructor(height: number, file: string, problem: string) {
    super(
      'store/damaged',
      `the block record at height ${height} in ${file} is damaged: ${problem}`,
      DAMAGE_HELP,
    );
    this.height = height;
    this.file = file;
  }
}

function checksum(head: Uint8Array, bytes: Uint8Array): Buffer {
  return createHash('sha256')
    .update(head.subarray(0, LENGTH_BYTES + HEIGHT_BYTES))
    .update(bytes)
    .digest();
}

/** The record of one block as it stands in a file. */
export function encodeRecord(height: number, bytes: Uint8Array): Buffer {
  const record = Buffer.alloc(RECORD_HEAD_BYTES + bytes.length);
  record.writeUInt32BE(bytes.length, 0);
  record.writeBigUInt64BE(BigInt(height), LENGTH_BYTES);
  record.set(bytes, RECORD_HEAD_BYTES);
  checksum(record, bytes).copy(record, LENGTH_BYTES + HEIGHT_BYTES);
  return record;
}

/** Reads up to `length` bytes; fewer at the end of the file. */
export function readExactly(descriptor: number, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const count = readSync(descriptor, buffer, filled, length - filled, offset + filled);
    if (count === 0) return buffer.subarray(0, filled);
    filled += count;
  }
  return buffer;
}

/** Reads and checks the record of `height` at `offset`. Gives the reason when it does not hold. */
export function readRecord(
  descriptor: number,
  offset: number,
  height: number,
): { readonly bytes: Buffer } | { readonly problem: string } {
  const head = readExactly(descriptor, offset, RECORD_HEAD_BYTES);
  if (head.length < RECORD_HEAD_BYTES) return { problem: 'its head is cut off' };
  const length = head.readUInt32BE(0);
  if (length > RECORD_BYTES_MAX) return { problem: 'its length is impossible' };
  const stored = head.readBigUInt64BE(LENGTH_BYTES);
  if (stored !== BigInt(height)) return { problem: `it says height ${stored}` };
  const bytes = readExactly(descriptor, offset + RECORD_HEAD_BYTES, length);
  if (bytes.length < length) return { problem: 'it is cut off' };
  if (!checksum(head, bytes).equals(head.subarray(LENGTH_BYTES + HEIGHT_BYTES)))
    return { problem: 'its checksum does not hold' };
  return { bytes };
}
