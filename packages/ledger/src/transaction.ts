import {
  bytes,
  CborError,
  CborTag,
  type CborValue,
  type ChainId,
  type Codec,
  chainIdCodec,
  decodeCbor,
  encodeCbor,
  equalBytes,
  err,
  fixedBytes,
  ok,
  PUBLIC_KEY_BYTES,
  type PublicKey,
  type Result,
  SIGNATURE_BYTES,
  type Signer,
  sha256,
  struct,
  type TransactionId,
  text,
  uint,
  type VerifySignature,
} from '@careledger/primitives';

/** What a member says to the ledger, before it is signed. */
export interface TransactionPayload {
  readonly chain: ChainId;
  /** 16 random bytes. */
  readonly nonce: Uint8Array;
  /** Block time in milliseconds after which the transaction no longer counts; at most 10 minutes ahead. */
  readonly expiresAt: number;
  /** `capability/message`, from the second version on `capability/message@2`. */
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

/** Why bytes are not a transaction. */
export type TransactionFault =
  | 'transaction/too-large'
  | 'transaction/not-canonical'
  | 'transaction/not-cose-sign1'
  | 'transaction/protected-header'
  | 'transaction/unprotected-header'
  | 'transaction/payload'
  | 'transaction/signature-length';

/** Size of a transaction unless the charter raises it, in bytes. */
export const TRANSACTION_BYTES_MAX = 64 * 1024;
/** Size that no charter may exceed, in bytes. */
export const TRANSACTION_BYTES_CEILING = 1024 * 1024;
export const TRANSACTION_NONCE_BYTES = 16;
export const TRANSACTION_TYPE_BYTES_MAX = 96;

const COSE_SIGN1_TAG = 18;
const HEADER_ALGORITHM = 1;
const HEADER_KEY_ID = 4;
/** EdDSA (RFC 9053, section 2.2); the curve is that of the key, Ed25519. */
const ALGORITHM_EDDSA = -8;
const ENVELOPE_LIMITS = { depthMax: 4, itemsMax: 16, bytesMax: TRANSACTION_BYTES_CEILING };

export const transactionPayloadCodec: Codec<TransactionPayload> = struct({
  chain: chainIdCodec,
  nonce: fixedBytes(TRANSACTION_NONCE_BYTES),
  expiresAt: uint,
  type: text({
    bytesMax: TRANSACTION_TYPE_BYTES_MAX,
    pattern: /^[a-z][a-z0-9]*(-[a-z0-9]+)*\/[a-z][a-z0-9]*(-[a-z0-9]+)*(@([2-9]|[1-9][0-9]{1,3}))?$/,
  }),
  body: bytes({ bytesMax: TRANSACTION_BYTES_CEILING }),
});

function protectedHeader(publicKey: Uint8Array): Uint8Array {
  return encodeCbor(
    new Map<number, CborValue>([
      [HEADER_ALGORITHM, ALGORITHM_EDDSA],
      [HEADER_KEY_ID, publicKey],
    ]),
  );
}

/** Sig_structure of COSE_Sign1 without external data (RFC 9052, section 4.4). */
function signatureStructure(header: Uint8Array, payload: Uint8Array): Uint8Array {
  return encodeCbor(['Signature1', header, new Uint8Array(0), payload]);
}

/** What a key has to sign for this payload to become a transaction. For wallets that keep the key elsewhere. */
export function transactionSignedBytes(options: {
  readonly payload: TransactionPayload;
  readonly publicKey: Uint8Array;
}): Uint8Array {
  return signatureStructure(
    protectedHeader(options.publicKey),
    transactionPayloadCodec.encode(options.payload),
  );
}

/** SHA-256 of the signed content: the same whatever the signature, so no second signature makes a second id. */
export function transactionId(signedBytes: Uint8Array): TransactionId {
  return sha256(signedBytes) as TransactionId;
}

/** The canonical bytes of a transaction whose signature was made over {@link transactionSignedBytes}. */
export function encodeTransaction(options: {
  readonly payload: TransactionPayload;
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
}): Uint8Array {
  const header = protectedHeader(options.publicKey);
  const payload = transactionPayloadCodec.encode(options.payload);
  return encodeCbor(new CborTag(COSE_SIGN1_TAG, [header, new Map(), payload, options.signature]));
}

/**
 * Signs a payload.
 *
 * @example
 * const { id, bytes } = signTransaction({ payload, signer });
 */
export function signTransaction(options: {
  readonly payload: TransactionPayload;
  readonly signer: Signer;
}): Transaction {
  const { payload, signer } = options;
  const signedBytes = transactionSignedBytes({ payload, publicKey: signer.publicKey });
  const signature = signer.sign(signedBytes);
  const encoded = encodeTransaction({ payload, publicKey: signer.publicKey, signature });
  return {
    id: transactionId(signedBytes),
    signer: signer.publicKey as PublicKey,
    payload,
    bytes: encoded,
    signedBytes,
    signature,
  };
}

function decoded<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/** The kid of a protected header that holds exactly algorithm and key, else `undefined`. */
function readKeyId(header: CborValue | undefined): Uint8Array | undefined {
  if (!(header instanceof Uint8Array)) return undefined;
  const map = decoded(() => decodeCbor(header, ENVELOPE_LIMITS));
  if (!(map instanceof Map) || map.size !== 2 || map.get(HEADER_ALGORITHM) !== ALGORITHM_EDDSA)
    return undefined;
  const keyId: unknown = map.get(HEADER_KEY_ID);
  return keyId instanceof Uint8Array && keyId.length === PUBLIC_KEY_BYTES ? keyId : undefined;
}

/** Content of the unprotected header would lie outside the signature: it must be the empty map. */
function isEmptyMap(value: CborValue | undefined): boolean {
  return value instanceof Map && value.size === 0;
}

/**
 * Reads a transaction in its one canonical form. Checks no signature: see {@link verifyTransactionSignature}.
 *
 * @returns The transaction, or the word for what is wrong with its form.
 */
export function decodeTransaction(
  encoded: Uint8Array,
  options: { readonly bytesMax: number } = { bytesMax: TRANSACTION_BYTES_MAX },
): Result<Transaction, TransactionFault> {
  if (encoded.length > options.bytesMax) return err('transaction/too-large');
  const value = decoded(() => decodeCbor(encoded, ENVELOPE_LIMITS));
  if (value === undefined) return err('transaction/not-canonical');
  if (!(value instanceof CborTag) || value.tag !== COSE_SIGN1_TAG) return err('transaction/not-cose-sign1');
  if (!Array.isArray(value.content) || value.content.length !== 4) return err('transaction/not-cose-sign1');
  const [header, unprotected, content, signature] = value.content as readonly CborValue[];
  const signer = readKeyId(header);
  if (!signer) return err('transaction/protected-header');
  if (!isEmptyMap(unprotected)) return err('transaction/unprotected-header');
  if (!(content instanceof Uint8Array)) return err('transaction/payload');
  if (!(signature instanceof Uint8Array) || signature.length !== SIGNATURE_BYTES)
    return err('transaction/signature-length');
  const payload = decoded(() => transactionPayloadCodec.decode(content, ENVELOPE_LIMITS));
  if (!payload) return err('transaction/payload');
  const signedBytes = signatureStructure(header as Uint8Array, content);
  return ok({
    id: transactionId(signedBytes),
    signer: signer as PublicKey,
    payload,
    bytes: encoded,
    signedBytes,
    signature,
  });
}

/** Did the key named in the envelope sign it? Says nothing of whether that key is in force. */
export function verifyTransactionSignature(transaction: Transaction, verify: VerifySignature): boolean {
  return verify({
    publicKey: transaction.signer,
    message: transaction.signedBytes,
    signature: transaction.signature,
  });
}

/** Are both the same transaction with the same signature, byte for byte? */
export function isSameTransaction(left: Transaction, right: Transaction): boolean {
  return equalBytes(left.bytes, right.bytes);
}
