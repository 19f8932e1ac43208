import { type Codec, fixedBytes, text } from './codec.ts';

declare const brand: unique symbol;
/** A value that must not be swapped with another of the same shape. */
export type Brand<Value, Name extends string> = Value & { readonly [brand]: Name };

/** A member of the consortium: `general-hospital`. Lower-case words joined by hyphens, at most 48 bytes. */
export type OrganizationId = Brand<string, 'OrganizationId'>;
/** One node of a member: `general-hospital-1`. */
export type NodeId = Brand<string, 'NodeId'>;
/** SHA-256 of the genesis document: which chain this is. */
export type ChainId = Brand<Uint8Array, 'ChainId'>;
/** SHA-256 of a transaction's signed content. */
export type TransactionId = Brand<Uint8Array, 'TransactionId'>;
/** SHA-256 of a block header. */
export type HeaderHash = Brand<Uint8Array, 'HeaderHash'>;
/** 16 random bytes that name one consent between a custodian and a recipient. */
export type ConsentId = Brand<Uint8Array, 'ConsentId'>;
/** HMAC-SHA-256 of a record version under its own salt. */
export type Commitment = Brand<Uint8Array, 'Commitment'>;
/** An Ed25519 public key that signs on the ledger. */
export type PublicKey = Brand<Uint8Array, 'PublicKey'>;

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
export const NAME_BYTES_MAX = 48;
export const CONSENT_ID_BYTES = 16;

export const organizationIdCodec: Codec<OrganizationId> = text({ bytesMax: NAME_BYTES_MAX, pattern: NAME });
export const nodeIdCodec: Codec<NodeId> = text({ bytesMax: NAME_BYTES_MAX, pattern: NAME });
export const chainIdCodec: Codec<ChainId> = fixedBytes(32);
export const transactionIdCodec: Codec<TransactionId> = fixedBytes(32);
export const headerHashCodec: Codec<HeaderHash> = fixedBytes(32);
export const consentIdCodec: Codec<ConsentId> = fixedBytes(CONSENT_ID_BYTES);
export const commitmentCodec: Codec<Commitment> = fixedBytes(32);
export const publicKeyCodec: Codec<PublicKey> = fixedBytes(32);
export const hashCodec: Codec<Uint8Array> = fixedBytes(32);

/** @throws CborError when the text is not an organization id. */
export function organizationId(name: string): OrganizationId {
  return organizationIdCodec.fromCbor(name);
}

/** @throws CborError when the text is not a node id. */
export function nodeId(name: string): NodeId {
  return nodeIdCodec.fromCbor(name);
}
