import { merkleLeafHash } from '@careledger/ledger';
import { type Codec, fixedBytes, hashCodec, struct } from '@careledger/primitives';

/**
 * What stands in a deleted version's place: its hash is the `successor` of the retirement. It ends the history, and
 * only a new record whose leaf supersedes the tombstone could begin another.
 */
export interface TombstoneLeaf {
  /** Hash of the leaf whose record was deleted. */
  readonly deletes: Uint8Array;
  /** 32 random bytes: two deletions never look alike. */
  readonly salt: Uint8Array;
}

export const tombstoneLeafCodec: Codec<TombstoneLeaf> = struct({
  deletes: hashCodec,
  salt: fixedBytes(32),
});

/** RFC 9162 hash of a tombstone leaf. */
export function tombstoneLeafHash(leaf: TombstoneLeaf): Uint8Array {
  return merkleLeafHash(tombstoneLeafCodec.encode(leaf));
}
