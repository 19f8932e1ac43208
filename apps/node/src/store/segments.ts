import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { invariant } from '@careledger/primitives';
import { NodeError } from '../errors.ts';

/** A segment takes no further block once it is this long. */
export const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;
/** No honest block record is longer: a length beyond it is damage, not a size to allocate. */
export const RECORD_BYTES_MAX = 64 * 1024 * 1024;

const LENGTH_BYTES = 4;
const HEIGHT_BYTES = 8;
const CHECKSUM_BYTES = 32;
/** Length, height, SHA-256 over both and the bytes. */
export const RECORD_HEAD_BYTES = LENGTH_BYTES + HEIGHT_BYTES + CHECKSUM_BYTES;

const DAMAGE_HELP =
  'Stop the node, restore the file from a copy of the same chain, or empty the node folder and let it catch up from its peers.';

interface Segment {
  readonly firstHeight: number;
  readonly path: string;
  /** Where each record begins, the first height first. */
  readonly offsets: number[];
  /** Where the next record begins. */
  end: number;
  /** Kept open for reading. */
  readonly descriptor: number;
}

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

function segmentName(firstHeight: number): string {
  return `${String(firstHeight).padStart(16, '0')}.segment`;
}

function readExactly(descriptor: number, offset: number, length: number): Buffer {
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
function readRecord(
  segment: Segment,
  offset: number,
  height: number,
): { readonly bytes: Buffer } | { readonly problem: string } {
  const head = readExactly(segment.descriptor, offset, RECORD_HEAD_BYTES);
  if (head.length < RECORD_HEAD_BYTES) return { problem: 'its head is cut off' };
  const length = head.readUInt32BE(0);
  if (length > RECORD_BYTES_MAX) return { problem: 'its length is impossible' };
  const stored = head.readBigUInt64BE(LENGTH_BYTES);
  if (stored !== BigInt(height)) return { problem: `it says height ${stored}` };
  const bytes = readExactly(segment.descriptor, offset + RECORD_HEAD_BYTES, length);
  if (bytes.length < length) return { problem: 'it is cut off' };
  if (!checksum(head, bytes).equals(head.subarray(LENGTH_BYTES + HEIGHT_BYTES)))
    return { problem: 'its checksum does not hold' };
  return { bytes };
}

/** Does a whole record of a later height stand anywhere after `offset`? Then what is at `offset` is no torn tail. */
function holdsLaterRecord(segment: Segment, offset: number, height: number): boolean {
  const rest = readExactly(segment.descriptor, offset, segment.end - offset);
  const next = Buffer.alloc(HEIGHT_BYTES);
  next.writeBigUInt64BE(BigInt(height + 1));
  for (let at = rest.indexOf(next); at >= 0; at = rest.indexOf(next, at + 1)) {
    const start = offset + at - LENGTH_BYTES;
    if (start >= offset && 'bytes' in readRecord(segment, start, height + 1)) return true;
  }
  return false;
}

export interface OpenSegmentsOptions {
  readonly folder: string;
  /** The highest block known to be acknowledged (from the index): it and all below are never truncated. */
  readonly acknowledgedHeight: number;
  readonly segmentBytesMax?: number;
  /** Called when a torn last record was cut off. */
  readonly onTruncated?: (torn: {
    readonly height: number;
    readonly file: string;
    readonly bytes: number;
  }) => void;
}

/**
 * Blocks in append-only files, one sync a block. A record is `{length, height, SHA-256, bytes}`; a file is named by
 * its first height. Nothing here is ever rewritten but a torn last record, which was never acknowledged.
 */
export class SegmentStore {
  readonly #folder: string;
  readonly #segmentBytesMax: number;
  readonly #segments: Segment[];
  #writer: { readonly segment: Segment; readonly handle: FileHandle } | undefined;

  private constructor(folder: string, segmentBytesMax: number, segments: Segment[]) {
    this.#folder = folder;
    this.#segmentBytesMax = segmentBytesMax;
    this.#segments = segments;
  }

  /**
   * Opens the files of a folder, finds every record, checks the last one.
   * @throws DamagedRecordError when a record that was acknowledged, or is not the last, does not hold.
   */
  static open(options: OpenSegmentsOptions): SegmentStore {
    mkdirSync(options.folder, { recursive: true });
    const segments: Segment[] = [];
    const names = readdirSync(options.folder).filter((name) => /^\d{16}\.segment$/.test(name));
    names.sort();
    let expected = 1;
    for (const [index, name] of names.entries()) {
      const path = join(options.folder, name);
      const firstHeight = Number(name.slice(0, 16));
      if (firstHeight !== expected)
        throw new DamagedRecordError(expected, path, 'the file that should hold it is missing');
      const segment = scan(path, firstHeight, { ...options, isLast: index === names.length - 1 });
      segments.push(segment);
      expected = firstHeight + segment.offsets.length;
    }
    if (options.acknowledgedHeight >= expected && segments.length > 0) {
      const file = segments.at(-1)?.path ?? options.folder;
      closeAll(segments);
      throw new DamagedRecordError(expected, file, 'it was acknowledged and is no longer there');
    }
    return new SegmentStore(options.folder, options.segmentBytesMax ?? SEGMENT_BYTES_MAX, segments);
  }

  /** The height of the last stored block; 0 when there is none. */
  get lastHeight(): number {
    const last = this.#segments.at(-1);
    return last ? last.firstHeight + last.offsets.length - 1 : 0;
  }

  /** Bytes of all records with their heads. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.end, 0);
  }

  /** The file that holds a height, for messages. */
  fileOf(height: number): string {
    return this.#segmentOf(height)?.path ?? this.#folder;
  }

  /**
   * Appends the next block and returns once it is on disk. After a failure the file is as before and the same block
   * may be appended again.
   */
  async append(height: number, bytes: Uint8Array): Promise<void> {
    invariant(height === this.lastHeight + 1, 'blocks are stored in order');
    invariant(bytes.length <= RECORD_BYTES_MAX, 'a block fits a record');
    const { segment, handle } = await this.#writerFor(height);
    const record = encodeRecord(height, bytes);
    try {
      await writeAll(handle, record, segment.end);
      await handle.datasync();
    } catch (fault) {
      // What the disk took of it may not stay: the next attempt writes the same place, and a restart must see no half of it.
      await handle.truncate(segment.end).catch(() => undefined);
      throw fault;
    }
    segment.offsets.push(segment.end);
    segment.end += record.length;
  }

  /**
   * The bytes of one block, or `undefined` above the last.
   * @throws DamagedRecordError when the record does not hold; it is never served.
   */
  read(height: number): Uint8Array | undefined {
    const segment = this.#segmentOf(height);
    const offset = segment?.offsets[height - segment.firstHeight];
    if (!segment || offset === undefined) return undefined;
    const record = readRecord(segment, offset, height);
    if ('problem' in record) throw new DamagedRecordError(height, segment.path, record.problem);
    return new Uint8Array(record.bytes.buffer, record.bytes.byteOffset, record.bytes.length);
  }

  async close(): Promise<void> {
    await this.#writer?.handle.close();
    this.#writer = undefined;
    closeAll(this.#segments);
    this.#segments.length = 0;
  }

  #segmentOf(height: number): Segment | undefined {
    return this.#segments.findLast((segment) => segment.firstHeight <= height);
  }

  async #writerFor(height: number): Promise<{ readonly segment: Segment; readonly handle: FileHandle }> {
    const last = this.#segments.at(-1);
    if (this.#writer && this.#writer.segment === last && last.end < this.#segmentBytesMax)
      return this.#writer;
    await this.#writer?.handle.close();
    this.#writer = undefined;
    const segment = last && last.end < this.#segmentBytesMax ? last : this.#create(height);
    this.#writer = { segment, handle: await open(segment.path, 'r+') };
    return this.#writer;
  }

  #create(firstHeight: number): Segment {
    const path = join(this.#folder, segmentName(firstHeight));
    const descriptor = openSync(path, existsSync(path) ? 'r+' : 'wx+');
    ftruncateSync(descriptor, 0);
    syncFolder(this.#folder);
    const segment: Segment = { firstHeight, path, offsets: [], end: 0, descriptor };
    this.#segments.push(segment);
    return segment;
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

/** A new name is durable only once its folder is. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function closeAll(segments: readonly Segment[]): void {
  for (const segment of segments) closeSync(segment.descriptor);
}

/** Finds the records of one file by their heads; checks the very last, and cuts it off when it is torn. */
function scan(
  path: string,
  firstHeight: number,
  options: OpenSegmentsOptions & { isLast: boolean },
): Segment {
  const descriptor = openSync(path, 'r+');
  const segment: Segment = { firstHeight, path, offsets: [], end: fstatSync(descriptor).size, descriptor };
  let offset = 0;
  while (offset < segment.end) {
    const height = firstHeight + segment.offsets.length;
    const next = nextOffset(segment, offset, height);
    const whole = next !== undefined && next <= segment.end;
    const isTail = !whole || next === segment.end;
    const holds = whole && (!isTail || !options.isLast || 'bytes' in readRecord(segment, offset, height));
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

function cutTornTail(
  segment: Segment,
  offset: number,
  height: number,
  options: OpenSegmentsOptions & { isLast: boolean },
): Segment {
  const isTorn =
    options.isLast && height > options.acknowledgedHeight && !holdsLaterRecord(segment, offset, height);
  if (!isTorn) {
    const record = readRecord(segment, offset, height);
    closeSync(segment.descriptor);
    throw new DamagedRecordError(
      height,
      segment.path,
      'problem' in record ? record.problem : 'its end is not where the next begins',
    );
  }
  options.onTruncated?.({ height, file: segment.path, bytes: segment.end - offset });
  ftruncateSync(segment.descriptor, offset);
  fsyncSync(segment.descriptor);
  segment.end = offset;
  return segment;
}
