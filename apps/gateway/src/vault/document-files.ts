import { createHash, type Hash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MerkleAccumulator } from '@careledger/ledger';
import { equalBytes, toHex } from '@careledger/primitives';
import {
  chunkCountOf,
  DOCUMENT_BYTES_MAX,
  DOCUMENT_CHUNK_BYTES,
  type DocumentContent,
  openChunk,
  SEALED_CHUNK_BYTES,
  sealChunk,
} from './document-content.ts';
import { VaultError } from './errors.ts';

const EXTENSION = '.chunks';
const NAME_BYTES = 16;
const SECRET_BYTES = 32;
/** RFC 9162 leaf prefix. */
const LEAF_PREFIX = new Uint8Array([0]);

/** Bytes of a document, first and last included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** Gathers what comes in any pieces into chunks, encrypts and writes them, and digests what went by. */
class ChunkWriter {
  readonly #file: FileHandle;
  readonly #name: string;
  readonly #key: Uint8Array;
  readonly #chunk = Buffer.allocUnsafe(DOCUMENT_CHUNK_BYTES);
  readonly #sha256 = createHash('sha256');
  readonly #sha1 = createHash('sha1');
  #tree = MerkleAccumulator.empty;
  #filled = 0;
  #size = 0;

  constructor(file: FileHandle, name: string, key: Uint8Array) {
    this.#file = file;
    this.#name = name;
    this.#key = key;
  }

  async add(piece: Uint8Array): Promise<void> {
    for (let taken = 0; taken < piece.length; ) {
      // A full chunk waits for the byte after it: only then is it sure that it is not the last one.
      if (this.#filled === DOCUMENT_CHUNK_BYTES) await this.#write(false);
      const part = piece.subarray(taken, taken + DOCUMENT_CHUNK_BYTES - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      taken += part.length;
    }
  }

  async finish(): Promise<Pick<DocumentContent, 'size' | 'root' | 'sha256' | 'sha1'>> {
    await this.#write(true);
    return {
      size: this.#size,
      root: this.#tree.root(),
      sha256: new Uint8Array(this.#sha256.digest()),
      sha1: new Uint8Array(this.#sha1.digest()),
    };
  }

  async #write(isLast: boolean): Promise<void> {
    const plaintext = this.#chunk.subarray(0, this.#filled);
    this.#sha256.update(plaintext);
    this.#sha1.update(plaintext);
    const index = this.#tree.size;
    const leafHash = createHash('sha256').update(LEAF_PREFIX).update(plaintext).digest();
    this.#tree = this.#tree.append(new Uint8Array(leafHash));
    const sealed = sealChunk(this.#key, { name: this.#name, index, isLast }, plaintext);
    const { bytesWritten } = await this.#file.write(sealed, 0, sealed.length, index * SEALED_CHUNK_BYTES);
    if (bytesWritten < sealed.length) throw new VaultError('vault/failed', 'the disk took a part of a chunk');
    this.#size += this.#filled;
    this.#filled = 0;
  }
}

function altered(): VaultError {
  return new VaultError('vault/altered', 'a stored document is altered');
}

/** Large documents beside the rows: one file each, of encrypted chunks. Memory holds one chunk at a time. */
export class DocumentFiles {
  readonly #folder: string;
  readonly #received = new Map<string, DocumentContent>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens the folder, or makes it. */
  static async open(folder: string): Promise<DocumentFiles> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new DocumentFiles(folder);
  }

  /**
   * Stores a document under a key of its own; it is on the disk when this resolves. A version must {@link take} it, or
   * it is swept at the next start.
   *
   * @throws {@link VaultError} `vault/document-too-large`; nothing is kept then, nor when the source ends in an error.
   */
  async receive(
    source: AsyncIterable<Uint8Array>,
    bytesMax: number = DOCUMENT_BYTES_MAX,
  ): Promise<DocumentContent> {
    const name = toHex(randomBytes(NAME_BYTES));
    const key = new Uint8Array(randomBytes(SECRET_BYTES));
    try {
      const digests = await this.#write({ name, key }, source, bytesMax);
      await this.#syncFolder();
      const salt = new Uint8Array(randomBytes(SECRET_BYTES));
      const retireSecret = new Uint8Array(randomBytes(SECRET_BYTES));
      const content = { name, key, ...digests, salt, retireSecret };
      this.#received.set(name, content);
      return content;
    } catch (error) {
      await rm(this.#pathOf(name), { force: true });
      throw error;
    }
  }

  async #write(
    { name, key }: Pick<DocumentContent, 'name' | 'key'>,
    source: AsyncIterable<Uint8Array>,
    bytesMax: number,
  ): Promise<Pick<DocumentContent, 'size' | 'root' | 'sha256' | 'sha1'>> {
    const file = await open(this.#pathOf(name), 'wx', 0o600);
    try {
      const writer = new ChunkWriter(file, name, key);
      let size = 0;
      for await (const piece of source) {
        size += piece.length;
        if (size > bytesMax) throw new VaultError('vault/document-too-large', 'the document is too large');
        await writer.add(piece);
      }
      const digests = await writer.finish();
      await file.sync();
      return digests;
    } finally {
      await file.close();
    }
  }

  /** A received document that no version has yet, by its name. */
  received(name: string): DocumentContent | undefined {
    return this.#received.get(name);
  }

  /** The version that holds this document is durable. */
  taken(name: string): void {
    this.#received.delete(name);
  }

  /** Gives up a received document that no version has taken. */
  async discard(name: string): Promise<void> {
    if (this.#received.delete(name)) await rm(this.#pathOf(name), { force: true });
  }

  /**
   * The bytes of a document, or of a range of it, chunk by chunk. Each chunk is authentic before it is handed on; the
   * last one of a whole document only when the digest of everything is right.
   *
   * @throws {@link VaultError} `vault/altered`: what came before it is a beginning, never a document.
   */
  async *read(content: DocumentContent, range?: ByteRange): AsyncGenerator<Uint8Array, void, undefined> {
    const count = chunkCountOf(content.size);
    const first = range ? Math.floor(range.first / DOCUMENT_CHUNK_BYTES) : 0;
    const last = range ? Math.floor(range.last / DOCUMENT_CHUNK_BYTES) : count - 1;
    const whole = range ? undefined : createHash('sha256');
    const file = await this.#openFile(content.name);
    try {
      for (let index = first; index <= last; index += 1) {
        const place = { name: content.name, index, isLast: index === count - 1 };
        const chunk = openChunk(content.key, place, await readSealed(file, content, index));
        if (!chunk || (whole && !isStillRight(whole, chunk, place.isLast, content))) throw altered();
        yield range ? cut(chunk, index * DOCUMENT_CHUNK_BYTES, range) : chunk;
      }
    } finally {
      await file.close();
    }
  }

  async #openFile(name: string): Promise<FileHandle> {
    try {
      return await open(this.#pathOf(name), 'r');
    } catch (cause) {
      throw new VaultError('vault/altered', 'a stored document is missing', { cause });
    }
  }

  /** Removes every file that no version names: a crash or a broken connection left it. Before the first `receive`. */
  async sweep(kept: ReadonlySet<string>): Promise<number> {
    let swept = 0;
    for (const file of await readdir(this.#folder)) {
      if (file.endsWith(EXTENSION) && kept.has(file.slice(0, -EXTENSION.length))) continue;
      await rm(join(this.#folder, file), { force: true });
      swept += 1;
    }
    return swept;
  }

  #pathOf(name: string): string {
    return join(this.#folder, `${name}${EXTENSION}`);
  }

  async #syncFolder(): Promise<void> {
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

async function readSealed(file: FileHandle, { size }: DocumentContent, index: number): Promise<Uint8Array> {
  const overhead = SEALED_CHUNK_BYTES - DOCUMENT_CHUNK_BYTES;
  const rest = Math.min(size - index * DOCUMENT_CHUNK_BYTES, DOCUMENT_CHUNK_BYTES);
  const sealed = Buffer.allocUnsafe(rest + overhead);
  const { bytesRead } = await file.read(sealed, 0, sealed.length, index * SEALED_CHUNK_BYTES);
  return sealed.subarray(0, bytesRead);
}

function isStillRight(whole: Hash, chunk: Uint8Array, isLast: boolean, content: DocumentContent): boolean {
  whole.update(chunk);
  return !isLast || equalBytes(new Uint8Array(whole.digest()), content.sha256);
}

function cut(chunk: Uint8Array, start: number, { first, last }: ByteRange): Uint8Array {
  return chunk.subarray(Math.max(first - start, 0), last - start + 1);
}
