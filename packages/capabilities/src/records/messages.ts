import { RETIRE_SECRET_BYTES } from '@careledger/ledger';
import { type Codec, fixedBytes, hashCodec, struct } from '@careledger/primitives';
import { listOfSizes } from '../bounded.ts';

/** How many retirements a batch may carry: the rest is random padding, so that the number tells little. */
export const RETIREMENT_COUNTS = [0, 8, 64, 512] as const;

/** The version behind `retireSecret` no longer stands; the leaf hashing to `successor` stands in its place. */
export interface Retirement {
  readonly retireSecret: Uint8Array;
  /** Hash of the replacing leaf or of a tombstone leaf. */
  readonly successor: Uint8Array;
}

/** One batch of record versions, and the versions that it retires. */
export interface AnchorRecords {
  /** RFC 9162 root over the batch's leaves, padded to a power of two. */
  readonly root: Uint8Array;
  readonly retirements: readonly Retirement[];
}

const retirementCodec: Codec<Retirement> = struct({
  retireSecret: fixedBytes(RETIRE_SECRET_BYTES),
  successor: hashCodec,
});

export const anchorRecordsCodec: Codec<AnchorRecords> = struct({
  root: hashCodec,
  retirements: listOfSizes(retirementCodec, RETIREMENT_COUNTS),
});
