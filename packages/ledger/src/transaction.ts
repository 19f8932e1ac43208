import type { ChainId, PublicKey, TransactionId } from '@careledger/primitives';

/** What a member says to the ledger, before it is signed. */
export interface TransactionPayload {
  readonly chain: ChainId;
  /** 16 random bytes. */
  readonly nonce: Uint8Array;
  /** Block time in milliseconds after which the transaction no longer counts; at most 10 minutes ahead. */
  readonly expiresAt: number;
  /** `capability/message`. */
  readonly type: string;
  /** Deterministic CBOR of the message, by the capability's codec. */
  readonly body: Uint8Array;
}

/** A decoded COSE_Sign1 transaction. Decoding proves its form, never its signature. */
export interface Transaction {
  readonly id: TransactionId;
  /** The key that signed: COSE `kid` is the Ed25519 public key itself. */
  readonly signer: PublicKey;
  readonly payload: TransactionPayload;
  /** The whole canonical bytes, as they stand in a block. */
  readonly bytes: Uint8Array;
  /** What the signature covers (RFC 9052, section 4.4). */
  readonly signedBytes: Uint8Array;
  readonly signature: Uint8Array;
}
