import { concat, domainHash, equalBytes, err, ok, type Result } from '@careledger/primitives';
import { ENTRY_ID_BYTES, PLAINTEXT_BYTES } from './entry.ts';

/** AES-256-GCM: nonce before and tag after the ciphertext. */
export const SEAL_OVERHEAD_BYTES = 28;
export const SEALED_BYTES = PLAINTEXT_BYTES + SEAL_OVERHEAD_BYTES;
const SEQUENCE_BYTES = 8;
const HASH_BYTES = 32;
/** Every record in the journal file has this length: neither size nor offset tells what happened. */
export const RECORD_BYTES =
  SEQUENCE_BYTES + HASH_BYTES + ENTRY_ID_BYTES + HASH_BYTES + SEALED_BYTES + HASH_BYTES;

/** Hash before the first record. */
export const JOURNAL_START = new Uint8Array(HASH_BYTES);

/** One record of the journal file: chained to the one before, its content sealed under a keystore key. */
export interface JournalRecord {
  /** Counts from 0. */
  readonly sequence: number;
  readonly previousHash: Uint8Array;
  /** Random. */
  readonly id: Uint8Array;
  /** The salted commitment that is anchored, or a batch's root. */
  readonly leaf: Uint8Array;
  readonly sealed: Uint8Array;
}

export type RecordFailure = 'journal/length' | 'journal/sequence' | 'journal/chain' | 'journal/hash';

/** The record's bytes; the last 32 are its hash, which the next record names. */
export function encodeRecord(record: JournalRecord): Uint8Array {
  const sequence = new Uint8Array(SEQUENCE_BYTES);
  new DataView(sequence.buffer).setBigUint64(0, BigInt(record.sequence));
  const body = concat(sequence, record.previousHash, record.id, record.leaf, record.sealed);
  return concat(body, recordHash(body));
}

function recordHash(body: Uint8Array): Uint8Array {
  return domainHash('careledger/journal-record/v1', body);
}

/** The hash that stands at the end of an encoded record. */
export function hashOfRecord(bytes: Uint8Array): Uint8Array {
  return bytes.slice(RECORD_BYTES - HASH_BYTES);
}

/** Reads a record that must follow `previousHash` at `sequence`; says what was changed when it does not. */
export function decodeRecord(
  bytes: Uint8Array,
  expected: { readonly sequence: number; readonly previousHash: Uint8Array },
): Result<JournalRecord, RecordFailure> {
  if (bytes.length !== RECORD_BYTES) return err('journal/length');
  const body = bytes.subarray(0, RECORD_BYTES - HASH_BYTES);
  if (!equalBytes(recordHash(body), bytes.subarray(RECORD_BYTES - HASH_BYTES))) return err('journal/hash');
  let offset = 0;
  const take = (length: number): Uint8Array => {
    offset += length;
    return body.slice(offset - length, offset);
  };
  const sequence = Number(new DataView(take(SEQUENCE_BYTES).buffer).getBigUint64(0));
  const record: JournalRecord = {
    sequence,
    previousHash: take(HASH_BYTES),
    id: take(ENTRY_ID_BYTES),
    leaf: take(HASH_BYTES),
    sealed: take(SEALED_BYTES),
  };
  if (sequence !== expected.sequence) return err('journal/sequence');
  if (!equalBytes(record.previousHash, expected.previousHash)) return err('journal/chain');
  return ok(record);
}
