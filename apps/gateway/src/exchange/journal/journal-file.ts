import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import {
  decodeRecord,
  encodeRecord,
  hashOfRecord,
  JOURNAL_START,
  type JournalRecord,
  RECORD_BYTES,
} from '@careledger/custody';
import { ExchangeError } from '../errors.ts';

/** What goes into one record; number and chain are the file's affair. */
export type RecordContent = Pick<JournalRecord, 'id' | 'leaf' | 'sealed'>;

/** Where a record stands, once it is on the disk. */
export interface WrittenRecord {
  readonly sequence: number;
  /** The chain's hash before this record. */
  readonly previousHash: Uint8Array;
  /** The chain's hash up to and with this record. */
  readonly hash: Uint8Array;
}

interface Waiting {
  readonly content: RecordContent;
  readonly resolve: (written: WrittenRecord) => void;
  readonly reject: (error: unknown) => void;
}

const FILE = 'disclosures.journal';
const READ_RECORDS = 256;

/**
 * The journal on disk: records of one length, each naming the hash of the one before. Appends that wait together share
 * one write and one `fdatasync`; none is reported before it. After a failed sync nothing is ever reported again: what
 * the disk holds is then unknown until the file is opened anew.
 */
export class JournalFile {
  readonly #file: FileHandle;
  #length: number;
  #head: Uint8Array;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #failure: unknown;

  private constructor(file: FileHandle, length: number, head: Uint8Array) {
    this.#file = file;
    this.#length = length;
    this.#head = head;
  }

  /**
   * Opens the journal of a folder and reads it through: every record is handed to `onRecord` in order. A torn last
   * record, which was never reported, is cut off.
   *
   * @throws {@link ExchangeError} `journal/altered` naming the first record that was changed, moved or left out.
   */
  static async open(
    folder: string,
    onRecord: (record: JournalRecord, hash: Uint8Array) => void,
  ): Promise<JournalFile> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(join(folder, FILE), 'a+', 0o600);
    try {
      const { size } = await file.stat();
      const whole = Math.floor(size / RECORD_BYTES);
      const { count, head } = await readThrough(file, whole, onRecord);
      if (size !== count * RECORD_BYTES) {
        await file.truncate(count * RECORD_BYTES);
        await file.datasync();
      }
      return new JournalFile(file, count, head);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Records on the disk. */
  get length(): number {
    return this.#length;
  }

  /** Hash of the last record on the disk. */
  get head(): Uint8Array {
    return this.#head;
  }

  /** Appends a record; resolves when it is synced. @throws {@link ExchangeError} `journal/failed`. */
  append(content: RecordContent): Promise<WrittenRecord> {
    const written = new Promise<WrittenRecord>((resolve, reject) => {
      this.#waiting.push({ content, resolve, reject });
    });
    this.#writing ??= this.#write();
    return written;
  }

  /** Reads one record again and checks it. @throws {@link ExchangeError} `journal/altered`. */
  async read(sequence: number): Promise<JournalRecord> {
    const previous = sequence === 0 ? JOURNAL_START : hashOfRecord(await this.#bytes(sequence - 1));
    const decoded = decodeRecord(await this.#bytes(sequence), { sequence, previousHash: previous });
    if (!decoded.ok) throw altered(sequence, decoded.error);
    return decoded.value;
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  async #bytes(sequence: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(RECORD_BYTES);
    const { bytesRead } = await this.#file.read(bytes, 0, RECORD_BYTES, sequence * RECORD_BYTES);
    return bytes.subarray(0, bytesRead);
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      await this.#writeBatch(batch);
    }
    this.#writing = undefined;
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    if (this.#failure !== undefined) {
      for (const { reject } of batch) reject(failed(this.#failure));
      return;
    }
    let head = this.#head;
    const written: WrittenRecord[] = [];
    const encoded = batch.map(({ content }, index) => {
      const sequence = this.#length + index;
      const previousHash = head;
      const bytes = encodeRecord({ ...content, sequence, previousHash });
      head = hashOfRecord(bytes);
      written.push({ sequence, previousHash, hash: head });
      return bytes;
    });
    try {
      await this.#file.appendFile(Buffer.concat(encoded));
      await this.#file.datasync();
    } catch (error) {
      this.#failure = error;
      for (const { reject } of batch) reject(failed(error));
      return;
    }
    this.#length += batch.length;
    this.#head = head;
    for (const [index, { resolve }] of batch.entries()) resolve(written[index] as WrittenRecord);
  }
}

function failed(cause: unknown): ExchangeError {
  return new ExchangeError('journal/failed', 'The journal cannot be written.', { cause });
}

function altered(sequence: number, reason: string): ExchangeError {
  return new ExchangeError('journal/altered', `Record ${sequence} of the journal is altered (${reason}).`);
}

/** A file system may have made room for a record that a crash kept it from filling. */
function isUnfilled(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

async function readThrough(
  file: FileHandle,
  whole: number,
  onRecord: (record: JournalRecord, hash: Uint8Array) => void,
): Promise<{ readonly count: number; readonly head: Uint8Array }> {
  let head: Uint8Array = JOURNAL_START;
  for (let start = 0; start < whole; start += READ_RECORDS) {
    const count = Math.min(READ_RECORDS, whole - start);
    const bytes = new Uint8Array(count * RECORD_BYTES);
    await file.read(bytes, 0, bytes.length, start * RECORD_BYTES);
    for (let index = 0; index < count; index += 1) {
      const sequence = start + index;
      const one = bytes.slice(index * RECORD_BYTES, (index + 1) * RECORD_BYTES);
      const decoded = decodeRecord(one, { sequence, previousHash: head });
      if (!decoded.ok) {
        if (sequence === whole - 1 && isUnfilled(one)) return { count: sequence, head };
        throw altered(sequence, decoded.error);
      }
      head = hashOfRecord(one);
      onRecord(decoded.value, head);
    }
  }
  return { count: whole, head };
}
