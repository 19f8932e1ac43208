import type { ChainId, HeaderHash, NodeId, OrganizationId, PublicKey } from '@careledger/primitives';

export interface EngineIdentity {
  readonly id: string;
  readonly version: number;
}

/** Section 5 of the design. Its hash is SHA-256 of its deterministic CBOR. */
export interface BlockHeader {
  readonly version: number;
  readonly chain: ChainId;
  readonly engine: EngineIdentity;
  readonly height: number;
  /** Block time, milliseconds since 1970-01-01T00:00:00Z. */
  readonly time: number;
  /** Hash of the header below; 32 zero bytes under the genesis header, whose height is 0. */
  readonly previousHash: Uint8Array;
  /** RFC 9162 tree over the whole transaction bytes. */
  readonly transactionsRoot: Uint8Array;
  /** RFC 9162 tree over the encoded results. */
  readonly resultsRoot: Uint8Array;
  /** Sparse Merkle tree after this block. */
  readonly stateRoot: Uint8Array;
  /** RFC 9162 tree over the hashes of the headers 0 to height - 1. */
  readonly historyRoot: Uint8Array;
  /** Hash of the validator set that signs this header. */
  readonly validatorsHash: Uint8Array;
  readonly nextValidatorsHash: Uint8Array;
  readonly proposer: PublicKey;
  /** The count of blocks by this proposer, from state. */
  readonly nonce: number;
  /** The engine's own bytes, at most 1 KiB. */
  readonly seal: Uint8Array;
}

export interface LedgerEvent {
  readonly type: string;
  /** Ids and hashes in hexadecimal, organization ids, numbers in decimal. Never free text. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** What became of one transaction. Code 0 is acceptance; every other number is permanent. */
export interface TransactionResult {
  readonly code: number;
  readonly events: readonly LedgerEvent[];
  readonly gas: number;
}

export interface Validator {
  readonly node: NodeId;
  readonly organization: OrganizationId;
  readonly publicKey: PublicKey;
  readonly power: number;
}

export interface CommitSignature {
  readonly publicKey: PublicKey;
  readonly signature: Uint8Array;
}

/** What the commits of an embedded engine sign, and the quorum that signed it. */
export interface FinalityCertificate {
  readonly engineHeight: number;
  readonly view: number;
  /** Engine block time in milliseconds: newer than the header's under heartbeats. */
  readonly time: number;
  readonly ledgerHeight: number;
  readonly headerHash: HeaderHash;
  readonly signatures: readonly CommitSignature[];
}

/** A header and the quorum that signed it. */
export interface CertifiedHeader {
  readonly header: BlockHeader;
  readonly certificate: FinalityCertificate;
}

/** One block as it is stored, sent and exported. The genesis block has no certificate: its chain id is its trust. */
export interface Block {
  readonly header: BlockHeader;
  readonly transactions: readonly Uint8Array[];
  readonly results: readonly TransactionResult[];
  readonly certificate: FinalityCertificate;
}
