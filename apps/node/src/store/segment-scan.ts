import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync } from 'node:fs';
import {
  DamagedRecordError,
  HEIGHT_BYTES,
  LENGTH_BYTES,
  RECORD_HEAD_BYTES,
  readExactly,
  readRecord,
} from './block-record.ts';

/** One file of blocks, its records found. */
export interface Segment {
  readonly firstHeight: number;
  readonly path: string;
  /** Where each record begins, the first height first. */
  readonly offsets: number[];
  /** Where the next record begins. */
  end: number;
  /** Kept open for reading. */
  readonly descriptor: number;
}

export interface ScanOptions {
  /** The highest block known to be acknowledged: it and all below are never truncated. */
  readonly acknowledgedHeight: number;
  readonly isLast: boolean;
  /** Look at files that are not this process's own: nothing is cut off, what is not whole is damage. */
  readonly isReadOnly?: boolean;
  /** Called when a torn last record was cut off. */
  readonly onTruncated?: (torn: TornRecord) => void;
}

export interface TornRecord {
  readonly height: number;
  readonly file: string;
  readonly bytes: number;
}

/** Finds the records of one file by their heads; checks the very last, and cuts it off when it is torn. */
export function scanSegment(path: string, firstHeight: number, options: ScanOptions): Segment {
  const descriptor = openSync(path, options.isReadOnly ? 'r' : 'r+');
  const segment: Segment = { firstHeight, path, offsets: [], end: fstatSync(descriptor).size, descriptor };
  let offset = 0;
  while (offset < segment.end) {
    const height = firstHeight + segment.offsets.length;
    const next = nextOffset(segment, offset, height);
    const whole = next !== undefined && next <= segment.end;
    const isTail = !whole || next === segment.end;
    const holds =
      whole && (!isTail || !options.isLast || 'bytes' in readRecord(segment.descriptor, offset, height));
    if (!holds) return cutTornTail(segment, offset, height, options);
    segment.offsets.push(offset);
    offset = next;
  }
  return segment;
}

function nextOffset(segment: Segment, offset: number, height: number): number | undefined {
  const head = readExactly(segment.descriptor, offset, LENGTH_BYTES + HEIGHT_BYTES);
  if (head.length < LENGTH_BYTES + HEIGHT_BYTES) return undefined;
  if (head.readBigUInt64BE(LENGTH_BYTES) !== BigInt(height)) return undefined;
  return offset + RECORD_HEAD_BYTES + head.readUInt32BE(0);
}

function cutTornTail(segment: Segment, offset: number, height: number, options: ScanOptions): Segment {
  // A wrong length sends the scan astray: then the record before is the damaged one.
  const before = segment.offsets.at(-1);
  if (before !== undefined) throwUnlessWhole(segment, before, height - 1);
  const mayBeTorn = !options.isReadOnly && options.isLast && height > options.acknowledgedHeight;
  if (!mayBeTorn || holdsLaterRecord(segment, offset, height)) {
    throwUnlessWhole(segment, offset, height);
    throwDamaged(segment, height, 'its end is not where the next begins');
  }
  options.onTruncated?.({ height, file: segment.path, bytes: segment.end - offset });
  ftruncateSync(segment.descriptor, offset);
  fsyncSync(segment.descriptor);
  segment.end = offset;
  return segment;
}

function throwUnlessWhole(segment: Segment, offset: number, height: number): void {
  const record = readRecord(segment.descriptor, offset, height);
  if ('problem' in record) throwDamaged(segment, height, record.problem);
}

function throwDamaged(segment: Segment, height: number, problem: string): never {
  closeSync(segment.descriptor);
  throw new DamagedRecordError(height, segment.path, problem);
}

/** Does a whole record of a later height stand anywhere after `offset`? Then what is at `offset` is no torn tail. */
function holdsLaterRecord(segment: Segment, offset: number, height: number): boolean {
  const rest = readExactly(segment.descriptor, offset, segment.end - offset);
  const next = Buffer.alloc(HEIGHT_BYTES);
  next.writeBigUInt64BE(BigInt(height + 1));
  for (let at = rest.indexOf(next); at >= 0; at = rest.indexOf(next, at + 1)) {
    const start = offset + at - LENGTH_BYTES;
    if (start >= offset && 'bytes' in readRecord(segment.descriptor, start, height + 1)) return true;
  }
  return false;
}
