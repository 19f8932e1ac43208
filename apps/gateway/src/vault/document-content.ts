import { createCipheriv, createDecipheriv } from 'node:crypto';
import {
  type Codec,
  concat,
  encodeCbor,
  fixedBytes,
  hashCodec,
  struct,
  text,
  uint,
} from '@careledger/primitives';

/** Plaintext of one chunk, in bytes: what memory holds of a document at a time. */
export const DOCUMENT_CHUNK_BYTES = 1024 * 1024;
/** Largest document, in bytes. Whole series of images and genomes stay in the system that is made for them. */
export const DOCUMENT_BYTES_MAX = 200 * 1024 * 1024;

const TAG_BYTES = 16;
const NONCE_BYTES = 12;
/** A chunk in the file: ciphertext and tag; its nonce is its index. */
export const SEALED_CHUNK_BYTES = DOCUMENT_CHUNK_BYTES + TAG_BYTES;

/**
 * What a version's envelope holds of its document. `key` is used for this document alone, so that a chunk's index can
 * be its nonce.
 */
export interface DocumentContent {
  /** 32 random hexadecimal digits: name of the chunk file. Says nothing. */
  readonly name: string;
  readonly key: Uint8Array;
  /** Bytes of the plaintext. */
  readonly size: number;
  /** RFC 9162 root over the plaintext chunks: a range is checked against it without the rest. */
  readonly root: Uint8Array;
  readonly sha256: Uint8Array;
  /** FHIR's `Attachment.hash` is SHA-1. Nothing here relies on it. */
  readonly sha1: Uint8Array;
  readonly salt: Uint8Array;
  readonly retireSecret: Uint8Array;
}

export const documentContentCodec: Codec<DocumentContent> = struct({
  name: text({ bytesMax: 32 }),
  key: fixedBytes(32),
  size: uint,
  root: hashCodec,
  sha256: hashCodec,
  sha1: fixedBytes(20),
  salt: fixedBytes(32),
  retireSecret: fixedBytes(32),
});

/**
 * The bytes that a document's own leaf commits to, under the salt: size, chunk size and root of the content. Who has
 * the content and the salt makes them again.
 */
export function documentManifest(content: Pick<DocumentContent, 'size' | 'root'>): Uint8Array {
  return encodeCbor(['careledger/document/1', content.size, DOCUMENT_CHUNK_BYTES, content.root]);
}

/** Chunks of a document of this size: at least one, because the last one is marked. */
export function chunkCountOf(size: number): number {
  return Math.max(1, Math.ceil(size / DOCUMENT_CHUNK_BYTES));
}

/** Where a chunk stands. `isLast` takes the place of the count, which nobody knows while the first ones are written. */
export interface ChunkPlace {
  readonly name: string;
  readonly index: number;
  readonly isLast: boolean;
}

function nonceOf(index: number): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  new DataView(nonce.buffer).setUint32(NONCE_BYTES - 4, index);
  return nonce;
}

function associatedData({ name, index, isLast }: ChunkPlace): Uint8Array {
  return encodeCbor(['careledger/vault/document-chunk/1', name, index, isLast]);
}

/** Encrypts one chunk in its place (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015). */
export function sealChunk(key: Uint8Array, place: ChunkPlace, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(place.index));
  cipher.setAAD(associatedData(place));
  return concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

/** The plaintext, or `undefined` for a chunk that is altered, of another document or in another place. */
export function openChunk(key: Uint8Array, place: ChunkPlace, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const tagAt = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(place.index), { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(place));
  decipher.setAuthTag(sealed.subarray(tagAt));
  try {
    const opened = decipher.update(sealed.subarray(0, tagAt));
    decipher.final();
    return opened;
  } catch {
    return undefined;
  }
}
