export {
  compareBytes,
  concat,
  equalBytes,
  fromBase64Url,
  fromHex,
  fromUtf8,
  toBase64Url,
  toHex,
  utf8,
} from './bytes.ts';
export { decodeCbor } from './cbor-decode.ts';
export { encodeCbor } from './cbor-encode.ts';
export {
  CBOR_LIMITS,
  CborError,
  type CborLimits,
  type CborMap,
  CborTag,
  type CborValue,
} from './cbor-value.ts';
export {
  bool,
  bytes,
  type Codec,
  codec,
  fixedBytes,
  list,
  type OptionalCodec,
  oneOf,
  optional,
  type Shape,
  type StructOf,
  struct,
  text,
  uint,
} from './codec.ts';
export { domainHash, HASH_BYTES, hmacSha256, type Sha256, sha256, useSha256 } from './hash.ts';
export {
  type Brand,
  type ChainId,
  CONSENT_ID_BYTES,
  type Commitment,
  type ConsentId,
  chainIdCodec,
  commitmentCodec,
  consentIdCodec,
  type HeaderHash,
  hashCodec,
  headerHashCodec,
  NAME_BYTES_MAX,
  type NodeId,
  nodeId,
  nodeIdCodec,
  type OrganizationId,
  organizationId,
  organizationIdCodec,
  type PublicKey,
  publicKeyCodec,
  type TransactionId,
  transactionIdCodec,
} from './ids.ts';
export { err, InvariantError, invariant, ok, type Result } from './result.ts';
export {
  isAcceptablePublicKey,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES,
  type SignatureClaim,
  type Signer,
  signerFromSeed,
  type VerifySignature,
  verifySignature,
} from './signature.ts';
