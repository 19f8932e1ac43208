import { MerkleAccumulator, merkleAccumulatorCodec } from '@careledger/ledger';
import { type Codec, concat, hashCodec, sha256, struct, uint, utf8 } from '@careledger/primitives';
import type { StateReader, Write } from './capability.ts';

/**
 * The state machine's own part of state, under `chain/`. It stands in the state tree like everything else, so that a
 * snapshot carries it and the state root covers it.
 */
const HISTORY_KEY: Uint8Array = utf8('chain/history');
const PROPOSER_PREFIX: Uint8Array = utf8('chain/proposer/');
const REPLAY_PREFIX: Uint8Array = utf8('chain/replay/');

/** `chain/history` → the accumulator over the hashes of all headers before this block. */
export function readHistory(state: StateReader): MerkleAccumulator {
  const bytes = state.get(HISTORY_KEY);
  return bytes === undefined ? MerkleAccumulator.empty : merkleAccumulatorCodec.decode(bytes);
}

export function writeHistory(history: MerkleAccumulator): Write {
  return { key: HISTORY_KEY, value: merkleAccumulatorCodec.encode(history) };
}

function proposerKey(proposer: Uint8Array): Uint8Array {
  return concat(PROPOSER_PREFIX, proposer);
}

/** `chain/proposer/<public key>` → how many blocks this proposer has made. */
export function readBlockCount(state: StateReader, proposer: Uint8Array): number {
  const bytes = state.get(proposerKey(proposer));
  return bytes === undefined ? 0 : uint.decode(bytes);
}

export function writeBlockCount(proposer: Uint8Array, count: number): Write {
  return { key: proposerKey(proposer), value: uint.encode(count) };
}

/** Check values over the transaction ids that blocks of one minute hold. */
export interface ReplayBucket {
  readonly count: number;
  /** SHA-256 of the digest before and the next id, from 32 zero bytes. */
  readonly digest: Uint8Array;
}

export const EMPTY_BUCKET: ReplayBucket = { count: 0, digest: new Uint8Array(32) };
const replayBucketCodec: Codec<ReplayBucket> = struct({ count: uint, digest: hashCodec });
const BUCKETS_MAX = 1_000;

function minuteBytes(minute: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(minute));
  return bytes;
}

function bucketKey(minute: number): Uint8Array {
  return concat(REPLAY_PREFIX, minuteBytes(minute));
}

/** `chain/replay/<minute, 8 bytes>` → ReplayBucket. */
export function readBucket(state: StateReader, minute: number): ReplayBucket {
  const bytes = state.get(bucketKey(minute));
  return bytes === undefined ? EMPTY_BUCKET : replayBucketCodec.decode(bytes);
}

export function writeBucket(minute: number, bucket: ReplayBucket): Write {
  return { key: bucketKey(minute), value: replayBucketCodec.encode(bucket) };
}

export function removeBucket(minute: number): Write {
  return { key: bucketKey(minute), value: undefined };
}

/** The buckets that state holds, oldest first. */
export function listBuckets(
  state: StateReader,
): readonly { readonly minute: number; readonly bucket: ReplayBucket }[] {
  return [...state.scan(REPLAY_PREFIX, BUCKETS_MAX)].map(([key, value]) => ({
    minute: Number(new DataView(key.buffer, key.byteOffset + REPLAY_PREFIX.length).getBigUint64(0)),
    bucket: replayBucketCodec.decode(value),
  }));
}

/** The bucket after these ids. */
export function extendBucket(bucket: ReplayBucket, ids: readonly Uint8Array[]): ReplayBucket {
  const digest = ids.reduce((before, id) => sha256(before, id), bucket.digest);
  return { count: bucket.count + ids.length, digest };
}
