import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { NodeError } from '../../errors.ts';

const SEQUENCE_BYTES = 8;
const LENGTH_BYTES = 4;
const CHECKSUM_BYTES = 32;
const HEAD_BYTES = SEQUENCE_BYTES + LENGTH_BYTES + CHECKSUM_BYTES;
const FILES = ['votes-0', 'votes-1'] as const;

interface VoteRecord {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

function checksum(head: Uint8Array, bytes: Uint8Array): Buffer {
  return createHash('sha256')
    .update(head.subarray(0, SEQUENCE_BYTES + LENGTH_BYTES))
    .update(bytes)
    .digest();
}

function encode({ sequence, bytes }: VoteRecord): Buffer {
  const record = Buffer.alloc(HEAD_BYTES + bytes.length);
  record.writeBigUInt64BE(BigInt(sequence), 0);
  record.writeUInt32BE(bytes.length, SEQUENCE_BYTES);
  record.set(bytes, HEAD_BYTES);
  checksum(record, bytes).copy(record, SEQUENCE_BYTES + LENGTH_BYTES);
  return record;
}

/** The record of a file, or `undefined` where its last write was cut short. */
function decode(file: Buffer): VoteRecord | undefined {
  if (file.length < HEAD_BYTES) return undefined;
  const length = file.readUInt32BE(SEQUENCE_BYTES);
  const bytes = file.subarray(HEAD_BYTES, HEAD_BYTES + length);
  if (bytes.length < length) return undefined;
  if (!checksum(file, bytes).equals(file.subarray(SEQUENCE_BYTES + LENGTH_BYTES, HEAD_BYTES)))
    return undefined;
  return { sequence: Number(file.readBigUInt64BE(0)), bytes: new Uint8Array(bytes) };
}

/**
 * What this validator has promised, so that a restart cannot make it vote twice. Two files take turns, one sync a
 * write: while one is written the other stays whole, and a write that was cut short was never acted upon.
 */
export class VoteFile {
  readonly #handles: readonly FileHandle[];
  #sequence: number;
  /** The last complete promise of the process before. */
  readonly restored: Uint8Array | undefined;

  private constructor(handles: readonly FileHandle[], last: VoteRecord | undefined) {
    this.#handles = handles;
    this.#sequence = last?.sequence ?? 0;
    this.restored = last?.bytes;
  }

  /** @throws NodeError `engine/votes-damaged` when there were promises and none can be read: voting would be unsafe. */
  static async open(folder: string): Promise<VoteFile> {
    mkdirSync(folder, { recursive: true });
    const paths = FILES.map((name) => join(folder, name));
    const files = paths.filter((path) => existsSync(path)).map((path) => readFileSync(path));
    const records = files.map(decode).filter((record) => record !== undefined);
    records.sort((left, right) => right.sequence - left.sequence);
    if (records.length === 0 && files.filter((file) => file.length > 0).length > 1) {
      throw new NodeError(
        'engine/votes-damaged',
        `neither file of votes in ${folder} can be read`,
        'Voting again could contradict an earlier vote. Retire this validator key and enrol a new one.',
      );
    }
    const handles: FileHandle[] = [];
    for (const path of paths) handles.push(await open(path, existsSync(path) ? 'r+' : 'w+'));
    return new VoteFile(handles, records[0]);
  }

  /** Returns once the promise is on disk. */
  async write(bytes: Uint8Array): Promise<void> {
    const sequence = this.#sequence + 1;
    const handle = this.#handles[sequence % FILES.length];
    if (!handle) return;
    const record = encode({ sequence, bytes });
    // A disk that fills up takes a part without an error: then nothing was promised, and nothing may be said.
    let written = 0;
    while (written < record.length) {
      const { bytesWritten } = await handle.write(record, written, record.length - written, written);
      written += bytesWritten;
    }
    await handle.datasync();
    this.#sequence = sequence;
  }

  async close(): Promise<void> {
    await Promise.all(this.#handles.map((handle) => handle.close()));
  }
}
