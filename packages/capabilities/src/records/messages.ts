import { type InclusionProof, inclusionProofCodec, RETIRE_SECRET_BYTES } from '@careledger/ledger';
import {
  type Codec,
  fixedBytes,
  hashCodec,
  type OrganizationId,
  oneOf,
  organizationIdCodec,
  struct,
  uint,
} from '@careledger/primitives';
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

export const VALIDATION_OUTCOMES = ['valid', 'valid-with-warnings', 'not-validated'] as const;
export type ValidationOutcome = (typeof VALIDATION_OUTCOMES)[number];

/** What the author's validator said of a batch before it was anchored, and which validator that was (LED-28). */
export interface Validation {
  /** SHA-256 of the validator's name, version and profiles, as the custodian publishes them. */
  readonly validator: Uint8Array;
  /** The worst outcome in the batch. */
  readonly outcome: ValidationOutcome;
}

/** Version 2 of an anchor says how its records were validated. */
export interface AnchorRecordsWithValidation extends AnchorRecords {
  readonly validation: Validation;
}

export const DISPUTE_REASONS = [
  'wrong-subject',
  'wrong-content',
  'wrong-author',
  'duplicate',
  'not-authorized',
  'withdrawn',
] as const;
export type DisputeReason = (typeof DISPUTE_REASONS)[number];

/** A record version is bad although it was rightly signed. Only who holds its receipt has the path to its leaf. */
export interface DisputeRecord {
  /** Whose anchor holds the leaf, and its number in that organization's list. */
  readonly custodian: OrganizationId;
  readonly anchor: number;
  /** Hash of the disputed version's leaf. */
  readonly leaf: Uint8Array;
  readonly leafProof: InclusionProof;
  /** `withdrawn` takes the signer's own dispute back. */
  readonly reason: DisputeReason;
  /** Salted commitment to the statement, which goes from organization to organization and never stands here. */
  readonly statement: Uint8Array;
}

const retirementCodec: Codec<Retirement> = struct({
  retireSecret: fixedBytes(RETIRE_SECRET_BYTES),
  successor: hashCodec,
});

const anchorFields = { root: hashCodec, retirements: listOfSizes(retirementCodec, RETIREMENT_COUNTS) };

export const anchorRecordsCodec: Codec<AnchorRecords> = struct(anchorFields);

export const validationCodec: Codec<Validation> = struct({
  validator: hashCodec,
  outcome: oneOf(VALIDATION_OUTCOMES),
});

export const anchorRecordsWithValidationCodec: Codec<AnchorRecordsWithValidation> = struct({
  ...anchorFields,
  validation: validationCodec,
});

export const disputeRecordCodec: Codec<DisputeRecord> = struct({
  custodian: organizationIdCodec,
  anchor: uint,
  leaf: hashCodec,
  leafProof: inclusionProofCodec,
  reason: oneOf(DISPUTE_REASONS),
  statement: hashCodec,
});
