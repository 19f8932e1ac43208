import { type Codec, codec, hashCodec, list, struct, uint } from '@careledger/primitives';

/** An audit path in an RFC 9162 tree. */
export interface InclusionProof {
  readonly index: number;
  readonly size: number;
  /** ceil(log2 size) hashes of 32 bytes at most, from the leaf upwards. */
  readonly path: readonly Uint8Array[];
}

/** A leaf of the state tree: SHA-256 of the key, SHA-256 of the value. */
export interface StateLeaf {
  readonly keyHash: Uint8Array;
  readonly valueHash: Uint8Array;
}

/** The path in the sparse Merkle tree to a key's leaf, to another leaf in its place, or to nothing. */
export interface StateProof {
  /** From the root downwards; 32 zero bytes for an empty side. At most 256. */
  readonly siblings: readonly Uint8Array[];
  readonly leaf: StateLeaf | undefined;
}

/** Depth of the state tree: one level for each bit of a key's hash. */
export const STATE_TREE_DEPTH_MAX = 256;
const PATH_MAX = 53;

/** A field that is always written: null stands for nothing. */
export function orNull<Value>(inner: Codec<Value>): Codec<Value | undefined> {
  return codec(
    { kind: 'optional', of: inner.shape },
    (value) => (value === undefined ? null : inner.toCbor(value)),
    (value) => (value === null ? undefined : inner.fromCbor(value)),
  );
}

export const inclusionProofCodec: Codec<InclusionProof> = struct({
  index: uint,
  size: uint,
  path: list(hashCodec, { countMax: PATH_MAX }),
});

export const stateProofCodec: Codec<StateProof> = struct({
  siblings: list(hashCodec, { countMax: STATE_TREE_DEPTH_MAX }),
  leaf: orNull(struct({ keyHash: hashCodec, valueHash: hashCodec })),
});
