import {
  type Codec,
  type Commitment,
  commitmentCodec,
  domainHash,
  hashCodec,
  hmacSha256,
  invariant,
  type OrganizationId,
  optional,
  struct,
  utf8,
} from '@careledger/primitives';
import { merkleLeafHash } from './merkle/hash.ts';
import { inclusionProof } from './merkle/inclusion.ts';
import { rangeHash, subtreesOfLeaves } from './merkle/subtrees.ts';
import type { InclusionProof } from './proofs.ts';

/** What an anchor says of one record version. Means nothing to whoever lacks the salt. */
export interface RecordLeaf {
  readonly commitment: Commitment;
  /** Where state says that this version was replaced or deleted: `retired/<retireKey>`. */
  readonly retireKey: Uint8Array;
  /** Leaf hash of the version that this one replaces. */
  readonly supersedes?: Uint8Array;
}

export const SALT_BYTES = 32;
export const RETIRE_SECRET_BYTES = 32;
export const PADDING_LEAF_BYTES = 32;
export const RECORD_BATCH_MAX = 65_536;
const RETIRE_DOMAIN = 'careledger/retire/v1';

export const recordLeafCodec: Codec<RecordLeaf> = struct({
  commitment: commitmentCodec,
  retireKey: hashCodec,
  supersedes: optional(hashCodec),
});

/** The bytes of a leaf in its batch's tree. */
export function leafBytes(leaf: RecordLeaf): Uint8Array {
  return recordLeafCodec.encode(leaf);
}

/** RFC 9162 hash of a leaf: its name in `supersedes` and as a successor. */
export function recordLeafHash(leaf: RecordLeaf): Uint8Array {
  return merkleLeafHash(leafBytes(leaf));
}

/**
 * HMAC-SHA-256 of a record's exact bytes under a fresh 256-bit salt. Without the salt not even a one-bit guess at the
 * content can be checked.
 */
export function commitmentOf(options: { readonly salt: Uint8Array; readonly bytes: Uint8Array }): Commitment {
  invariant(options.salt.length === SALT_BYTES, 'a salt has 256 bits');
  return hmacSha256(options.salt, options.bytes) as Commitment;
}

/** Key of a version's retirement. Only the organization that signs the anchor reaches this key with its secret. */
export function retireKeyOf(options: {
  readonly organization: OrganizationId;
  readonly retireSecret: Uint8Array;
}): Uint8Array {
  return domainHash(RETIRE_DOMAIN, utf8(options.organization), options.retireSecret);
}

/** How many random leaves fill a batch of this many to a power of two. */
export function paddingCountOf(leafCount: number): number {
  let size = 1;
  while (size < leafCount) size *= 2;
  return size - leafCount;
}

export interface RecordBatch {
  readonly root: Uint8Array;
  /** A power of two. */
  readonly size: number;
  /** Audit paths of the leaves in their order, padding left out. */
  readonly proofs: readonly InclusionProof[];
}

/**
 * Builds the tree of a batch.
 *
 * @param options.padding {@link paddingCountOf} random values of {@link PADDING_LEAF_BYTES} bytes: nobody can tell how
 * many leaves of a batch are records.
 */
export function recordBatchOf(options: {
  readonly leaves: readonly RecordLeaf[];
  readonly padding: readonly Uint8Array[];
}): RecordBatch {
  const { leaves, padding } = options;
  invariant(leaves.length > 0 && leaves.length <= RECORD_BATCH_MAX, 'a batch holds 1 to 65,536 leaves');
  invariant(padding.length === paddingCountOf(leaves.length), 'a batch is padded to a power of two');
  const size = leaves.length + padding.length;
  const subtree = subtreesOfLeaves([...leaves.map(leafBytes), ...padding]);
  return {
    root: rangeHash(subtree, 0, size),
    size,
    proofs: leaves.map((_, index) => inclusionProof({ index, size, subtree })),
  };
}
