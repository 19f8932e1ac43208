import {
  type Codec,
  concat,
  fromUtf8,
  hashCodec,
  type OrganizationId,
  oneOf,
  optional,
  struct,
  uint,
  utf8,
} from '@careledger/primitives';
import type { StateReader, Write } from '@careledger/state-machine';
import { type DenseList, denseList } from '../dense-list.ts';
import { DISPUTE_REASONS, type DisputeReason, type Validation, validationCodec } from './messages.ts';

/** One anchored batch. */
export interface AnchorRecord {
  readonly root: Uint8Array;
  readonly height: number;
  /** Block time in milliseconds. */
  readonly time: number;
  /** Version 2 of the message brings it; a batch of version 1 reads alike, without. */
  readonly validation?: Validation;
}

export const anchorRecordCodec: Codec<AnchorRecord> = struct({
  root: hashCodec,
  height: uint,
  time: uint,
  validation: optional(validationCodec),
});

/** `records/anchor-count/<organization>` → count; `records/anchor/<organization>/<index>` → AnchorRecord. */
export const anchors: DenseList<AnchorRecord> = denseList('records/anchor', anchorRecordCodec);

export const RETIRED_PREFIX: Uint8Array = utf8('records/retired/');

/** `records/retired/<retireKey>` → successor (32 bytes). Its absence is what a recipient asks a proof of. */
export function retiredKey(retireKey: Uint8Array): Uint8Array {
  return concat(RETIRED_PREFIX, retireKey);
}

export function readRetired(state: StateReader, retireKey: Uint8Array): Uint8Array | undefined {
  return state.get(retiredKey(retireKey));
}

export function writeRetired(retireKey: Uint8Array, successor: Uint8Array): Write {
  return { key: retiredKey(retireKey), value: successor };
}

/** One organization's dispute of one record version. */
export interface RecordDispute {
  readonly reason: DisputeReason;
  /** Salted commitment to the statement. */
  readonly statement: Uint8Array;
  readonly height: number;
  /** Block time in milliseconds. */
  readonly time: number;
}

export const recordDisputeCodec: Codec<RecordDispute> = struct({
  reason: oneOf(DISPUTE_REASONS),
  statement: hashCodec,
  height: uint,
  time: uint,
});

export const DISPUTED_PREFIX: Uint8Array = utf8('records/disputed/');

function disputesPrefix(leaf: Uint8Array): Uint8Array {
  return concat(DISPUTED_PREFIX, leaf, utf8('/'));
}

/** `records/disputed/<leaf hash>/<organization>` → RecordDispute. */
export function disputeKey(leaf: Uint8Array, organization: OrganizationId): Uint8Array {
  return concat(disputesPrefix(leaf), utf8(organization));
}

export function readRecordDispute(
  state: StateReader,
  leaf: Uint8Array,
  organization: OrganizationId,
): RecordDispute | undefined {
  const bytes = state.get(disputeKey(leaf, organization));
  return bytes === undefined ? undefined : recordDisputeCodec.decode(bytes);
}

export function writeRecordDispute(
  leaf: Uint8Array,
  organization: OrganizationId,
  dispute: RecordDispute,
): Write {
  return { key: disputeKey(leaf, organization), value: recordDisputeCodec.encode(dispute) };
}

/** More organizations than a consortium has. */
const DISPUTES_MAX = 10_000;

/** Who disputes a record version, by organization. */
export function listRecordDisputes(
  state: StateReader,
  leaf: Uint8Array,
): readonly (RecordDispute & { readonly organization: OrganizationId })[] {
  const prefix = disputesPrefix(leaf);
  return [...state.scan(prefix, DISPUTES_MAX)].map(([key, value]) => ({
    organization: fromUtf8(key.subarray(prefix.length)) as OrganizationId,
    ...recordDisputeCodec.decode(value),
  }));
}
