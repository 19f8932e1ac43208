import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { invariant } from '@careledger/primitives';
import { DamagedRecordError, encodeRecord, RECORD_BYTES_MAX, readRecord } from './block-record.ts';
import { type BeforeStep, moveIntoPlace, syncFolder, UNFINISHED } from './durable-file.ts';
import { type ScanOptions, type Segment, scanSegment } from './segment-scan.ts';

/** A segment takes no further block once it is this long. */
export const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;
function segmentName(firstHeight: number): string {
  return `${String(firstHeight).padStart(16, '0')}.segment`;
}

export interface OpenSegmentsOptions extends Omit<ScanOptions, 'isLast'> {
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
 * its first height. Nothing here is ever changed in place but a torn last record, which was never acknowledged.
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
    if (!options.isReadOnly) mkdirSync(options.folder, { recursive: true });
    const segments: Segment[] = [];
    try {
      openAll(options, segments);
    } catch (fault) {
      closeAll(segments);
      throw fault;
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

  /** The heights of each file, in order. */
  get files(): readonly { readonly firstHeight: number; readonly lastHeight: number }[] {
    return this.#segments.map(({ firstHeight, offsets }) => ({
      firstHeight,
      lastHeight: firstHeight + offsets.length - 1,
    }));
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
    const record = readRecord(segment.descriptor, offset, height);
    if ('problem' in record) throw new DamagedRecordError(height, segment.path, record.problem);
    return new Uint8Array(record.bytes.buffer, record.bytes.byteOffset, record.bytes.length);
  }

  /**
   * Gives one file other contents, record by record. The new file is complete and synced before it takes the old
   * one's name: a crash leaves one or the other. Nothing may be appended meanwhile.
   */
  async rewriteFile(
    firstHeight: number,
    change: (height: number, bytes: Uint8Array) => Uint8Array,
    beforeStep: BeforeStep,
  ): Promise<void> {
    const place = this.#segments.findIndex((segment) => segment.firstHeight === firstHeight);
    const old = this.#segments[place];
    invariant(old, 'a file is named by its first height');
    if (this.#writer?.segment === old) {
      await this.#writer.handle.close();
      this.#writer = undefined;
    }
    const unfinished = `${old.path}${UNFINISHED}`;
    beforeStep(`write ${old.path}`);
    const offsets: number[] = [];
    let end = 0;
    const handle = await open(unfinished, 'w');
    try {
      for (let height = firstHeight; height < firstHeight + old.offsets.length; height += 1) {
        const record = encodeRecord(height, change(height, this.read(height) as Uint8Array));
        await writeAll(handle, record, end);
        offsets.push(end);
        end += record.length;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    beforeStep(`rename ${old.path}`);
    moveIntoPlace(unfinished, old.path);
    this.#segments[place] = { ...old, offsets, end, descriptor: openSync(old.path, 'r+') };
    closeSync(old.descriptor);
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

function closeAll(segments: readonly Segment[]): void {
  for (const segment of segments) closeSync(segment.descriptor);
}

function openAll(options: OpenSegmentsOptions, segments: Segment[]): void {
  const names = readdirSync(options.folder).filter((name) => /^\d{16}\.segment$/.test(name));
  names.sort();
  let expected = 1;
  for (const [index, name] of names.entries()) {
    const path = join(options.folder, name);
    const firstHeight = Number(name.slice(0, 16));
    if (firstHeight !== expected) {
      throw new DamagedRecordError(expected, path, 'the file that should hold it is missing');
    }
    const segment = scanSegment(path, firstHeight, { ...options, isLast: index === names.length - 1 });
    segments.push(segment);
    expected = firstHeight + segment.offsets.length;
  }
  if (options.acknowledgedHeight >= expected) {
    const file = segments.at(-1)?.path ?? options.folder;
    throw new DamagedRecordError(expected, file, 'it was acknowledged and is no longer there');
  }
}
