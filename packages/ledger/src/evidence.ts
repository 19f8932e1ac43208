import type { BlockHeader, FinalityCertificate, TransactionResult } from './block.ts';

/** An audit path in an RFC 9162 tree. */
export interface InclusionProof {
  readonly index: number;
  readonly size: number;
  /** ceil(log2 size) hashes of 32 bytes at most, from the leaf upwards. */
  readonly path: readonly Uint8Array[];
}

/** The path in the sparse Merkle tree to a key's leaf, to another leaf in its place, or to nothing. */
export interface StateProof {
  /** From the root downwards; 32 zero bytes for an empty side. At most 256. */
  readonly siblings: readonly Uint8Array[];
  readonly leaf: { readonly keyHash: Uint8Array; readonly valueHash: Uint8Array } | undefined;
}

/** A header and the quorum that signed it. */
export interface CertifiedHeader {
  readonly header: BlockHeader;
  readonly certificate: FinalityCertificate;
}

/** Everything that shows offline that a transaction stands in a final block, and with which result. */
export interface TransactionEvidence extends CertifiedHeader {
  readonly transaction: Uint8Array;
  readonly transactionProof: InclusionProof;
  readonly result: TransactionResult;
  readonly resultProof: InclusionProof;
}

/** Everything that shows offline that a key has this value, or none, under a final header. */
export interface StateEvidence extends CertifiedHeader {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly proof: StateProof;
}
