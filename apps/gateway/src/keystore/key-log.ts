import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { concat, utf8 } from '@careledger/primitives';
import { AEAD_OVERHEAD, decrypt, encrypt } from './aead.ts';
import { KeystoreError } from './errors.ts';

const LENGTH_BYTES = 4;
/** Longest record of the log, so that a broken length does not ask for gigabytes. */
export const KEY_RECORD_BYTES_MAX = 4_096;

function associatedData(fileId: Uint8Array, index: number): Uint8Array {
  const position = new Uint8Array(8);
  new DataView(position.buffer).setBigUint64(0, BigInt(index));
  return concat(utf8('careledger/keystore/record/1'), fileId, position);
}

/** Four bytes, big-endian. */
export function lengthPrefix(length: number): Uint8Array {
  const prefix = new Uint8Array(LENGTH_BYTES);
  new DataView(prefix.buffer).setUint32(0, length);
  return prefix;
}

function encryptRecord(key: Uint8Array, fileId: Uint8Array, index: number, record: Uint8Array): Uint8Array {
  const body = encrypt(key, record, associatedData(fileId, index));
  return concat(lengthPrefix(body.length), body);
}

export interface KeyLogFile {
  readonly fileId: Uint8Array;
  readonly header: Uint8Array;
  readonly records: readonly Uint8Array[];
  /** Bytes up to the end of the last whole record: what follows was never acknowledged. */
  readonly validLength: number;
}

/** Reads the clear header of a log: `{length, header bytes}` at its start. */
export function readHeader(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (length > KEY_RECORD_BYTES_MAX || LENGTH_BYTES + length > bytes.length) return undefined;
  return bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
}

/** Did a crash cut the last append short, or leave its space filled with zeros? Then it was never acknowledged. */
function isTorn(bytes: Uint8Array, offset: number, end: number, length: number): boolean {
  if (length === 0) return bytes.subarray(offset).every((byte) => byte === 0);
  return end > bytes.length && length <= KEY_RECORD_BYTES_MAX;
}

/**
 * Decrypts every record. A last record that a crash tore is left out; a broken one before it is an altered file.
 * @throws {@link KeystoreError} `keystore/altered`, with the record's number.
 */
export function readRecords(
  bytes: Uint8Array,
  header: Uint8Array,
  fileId: Uint8Array,
  key: Uint8Array,
): KeyLogFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const records: Uint8Array[] = [];
  let offset = LENGTH_BYTES + header.length;
  while (offset + LENGTH_BYTES <= bytes.length) {
    const length = view.getUint32(offset);
    const end = offset + LENGTH_BYTES + length;
    if (isTorn(bytes, offset, end, length)) break;
    const whole = length >= AEAD_OVERHEAD && length <= KEY_RECORD_BYTES_MAX;
    const record = whole
      ? decrypt(key, bytes.subarray(offset + LENGTH_BYTES, end), associatedData(fileId, records.length))
      : undefined;
    if (!record) {
      throw new KeystoreError('keystore/altered', `record ${records.length} of the keystore is altered`);
    }
    records.push(record);
    offset = end;
  }
  return { fileId, header, records, validLength: offset };
}

/** Makes a file's name in its folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Overwrites a file's bytes on the disk before its name is given up. A file that is not there is passed over. */
export async function overwriteFile(path: string): Promise<void> {
  const file = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!file) return;
  try {
    const { size } = await file.stat();
    await file.write(new Uint8Array(size), 0, size, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Destroys a file that holds a key. */
export async function destroyFile(path: string): Promise<void> {
  await overwriteFile(path);
  await rm(path, { force: true });
  await syncFolder(path);
}

/** Writes a whole file so that a crash leaves the old or the new one, never a mixture. Mode 0600. */
export async function writeFileDurably(path: string, bytes: Uint8Array): Promise<void> {
  const next = `${path}.next`;
  await rm(next, { force: true });
  const file = await open(next, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
  await syncFolder(path);
}

/** An append-only file of encrypted records. Appends are durable when they resolve. */
export class KeyLog {
  readonly #path: string;
  readonly #key: Uint8Array;
  readonly #header: Uint8Array;
  readonly #fileId: Uint8Array;
  #file: FileHandle;
  #count: number;
  #length: number;
  #failed = false;

  private constructor(path: string, key: Uint8Array, content: KeyLogFile, file: FileHandle) {
    this.#path = path;
    this.#key = key;
    this.#header = content.header;
    this.#fileId = content.fileId;
    this.#file = file;
    this.#count = content.records.length;
    this.#length = content.validLength;
  }

  /** Opens a log that {@link readRecords} has read; cuts off what a crash left behind its last whole record. */
  static async open(path: string, key: Uint8Array, content: KeyLogFile): Promise<KeyLog> {
    const file = await open(path, 'r+');
    await file.truncate(content.validLength);
    return new KeyLog(path, key, content, file);
  }

  /** Makes a log, or replaces one: nothing of the old file's records is left under its name. */
  static async create(
    path: string,
    key: Uint8Array,
    header: { readonly bytes: Uint8Array; readonly fileId: Uint8Array },
    records: readonly Uint8Array[],
  ): Promise<KeyLog> {
    const frames = records.map((record, index) => encryptRecord(key, header.fileId, index, record));
    const bytes = concat(lengthPrefix(header.bytes.length), header.bytes, ...frames);
    await writeFileDurably(path, bytes);
    const content = { fileId: header.fileId, header: header.bytes, records, validLength: bytes.length };
    return KeyLog.open(path, key, content);
  }

  get path(): string {
    return this.#path;
  }

  get header(): Uint8Array {
    return this.#header;
  }

  /**
   * Appends records with one sync. Callers take turns.
   * @throws {@link KeystoreError} `keystore/write-failed`; after it, nothing more is written.
   */
  async append(records: readonly Uint8Array[]): Promise<void> {
    if (this.#failed) throw new KeystoreError('keystore/write-failed', 'an earlier write failed');
    const frames = records.map((record, index) =>
      encryptRecord(this.#key, this.#fileId, this.#count + index, record),
    );
    const bytes = concat(...frames);
    try {
      const { bytesWritten } = await this.#file.write(bytes, 0, bytes.length, this.#length);
      if (bytesWritten < bytes.length) throw new Error('the disk took a part of it');
      await this.#file.datasync();
    } catch (cause) {
      // What reached the disk is unknown after a failed sync: go on only from a fresh start.
      this.#failed = true;
      throw new KeystoreError('keystore/write-failed', 'the keystore could not be written', { cause });
    }
    this.#length += bytes.length;
    this.#count += records.length;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** The bytes of a file, or `undefined` when there is none. */
export async function readFileIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
