import {
  CborError,
  type Codec,
  decodeCbor,
  equalBytes,
  err,
  HASH_BYTES,
  type HeaderHash,
  ok,
  oneOf,
  type PublicKey,
  type Result,
  struct,
  type TransactionId,
  type VerifySignature,
} from '@careledger/primitives';
import { decodeWith } from './block-codecs.ts';
import {
  type EvidenceFaultCode,
  type TransactionEvidence,
  transactionEvidenceCodec,
  verifyTransactionEvidence,
} from './evidence.ts';
import { verifyInclusion } from './merkle/inclusion.ts';
import { type InclusionProof, inclusionProofCodec } from './proofs.ts';
import {
  commitmentOf,
  RECORD_BATCH_MAX,
  type RecordLeaf,
  recordLeafCodec,
  recordLeafHash,
  SALT_BYTES,
} from './record-leaf.ts';
import { TrustedChain, type TrustPath, trustPathCodec } from './trust.ts';

export const RECEIPT_KIND = 'careledger/receipt/1';
export const RECEIPT_BYTES_MAX = 16 * 1024 * 1024;
/** The message whose `root` holds the leaf. */
export const ANCHOR_TYPE = 'records/anchor';
/** Later versions of it name their root alike. */
const ANCHOR_TYPES: readonly string[] = [ANCHOR_TYPE, `${ANCHOR_TYPE}@2`];

/**
 * Shows offline that an organization anchored one record version in a final block. Holds no salt and no content: who has
 * both opens the commitment, see `opening` of {@link verifyReceipt}.
 */
export interface Receipt {
  readonly kind: typeof RECEIPT_KIND;
  readonly leaf: RecordLeaf;
  /** From the leaf to the root of its batch, whose size is a power of two. */
  readonly leafProof: InclusionProof;
  readonly anchor: TransactionEvidence;
  readonly trust: TrustPath;
}

export const receiptCodec: Codec<Receipt> = struct({
  kind: oneOf([RECEIPT_KIND]),
  leaf: recordLeafCodec,
  leafProof: inclusionProofCodec,
  anchor: transactionEvidenceCodec,
  trust: trustPathCodec,
});

export type ReceiptFaultCode =
  | EvidenceFaultCode
  | 'malformed'
  | 'anchor'
  | 'anchor refused'
  | 'batch size'
  | 'leaf proof'
  | 'commitment';

/** Which part of a receipt is wrong, and in which way. */
export interface ReceiptFault {
  readonly code: ReceiptFaultCode;
  readonly detail: string;
}

export interface VerifiedReceipt {
  readonly leaf: RecordLeaf;
  readonly leafHash: Uint8Array;
  readonly transactionId: TransactionId;
  /** The key that signed the anchor. Whose it was at that time is state: `membership/key/<publicKey>`. */
  readonly signer: PublicKey;
  readonly height: number;
  /** Block time in milliseconds. */
  readonly time: number;
  readonly headerHash: HeaderHash;
  /** Was the commitment compared with a record? */
  readonly opened: boolean;
}

export function encodeReceipt(receipt: Receipt): Uint8Array {
  return receiptCodec.encode(receipt);
}

/** Reads a receipt file. Believes nothing of it yet. */
export function decodeReceipt(encoded: Uint8Array): Result<Receipt, ReceiptFault> {
  const receipt = decodeWith(receiptCodec, encoded, RECEIPT_BYTES_MAX);
  return receipt.ok ? receipt : err({ code: 'malformed', detail: receipt.error });
}

/** The batch root that an anchor's body names, or `undefined`. */
function anchoredRoot(body: Uint8Array): Uint8Array | undefined {
  try {
    const message = decodeCbor(body);
    const root: unknown = message instanceof Map ? message.get('root') : undefined;
    return root instanceof Uint8Array && root.length === HASH_BYTES ? root : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/** A padded batch is a perfect tree: its size and the length of every path in it say the same. */
function isPaddedSize(proof: InclusionProof): boolean {
  return proof.size === 2 ** proof.path.length && proof.size <= RECORD_BATCH_MAX;
}

function checkLeaf(receipt: Receipt, root: Uint8Array): ReceiptFault | undefined {
  if (!isPaddedSize(receipt.leafProof))
    return { code: 'batch size', detail: 'not the power of two that its path belongs to' };
  const included = verifyInclusion({
    leafHash: recordLeafHash(receipt.leaf),
    proof: receipt.leafProof,
    root,
  });
  return included.ok ? undefined : { code: 'leaf proof', detail: included.error };
}

/** What opens a commitment. The salt stands beside the record at its custodian and goes where the record goes. */
export interface Opening {
  readonly salt: Uint8Array;
  /** Exactly the bytes that `vread` returns. */
  readonly record: Uint8Array;
}

function checkOpening(leaf: RecordLeaf, opening: Opening | undefined): ReceiptFault | undefined {
  if (!opening) return undefined;
  if (opening.salt.length !== SALT_BYTES)
    return { code: 'commitment', detail: `the salt is not ${SALT_BYTES} bytes long` };
  const commitment = commitmentOf({ salt: opening.salt, bytes: opening.record });
  return equalBytes(commitment, leaf.commitment)
    ? undefined
    : { code: 'commitment', detail: 'the record or its salt is not the anchored one' };
}

/**
 * Checks a receipt with nothing but the trusted chain id: trust path, header, certificate, transaction, result, leaf and,
 * where the record is at hand, its commitment. The first part that does not hold is named.
 */
export function verifyReceipt(options: {
  readonly receipt: Receipt;
  readonly expectedChain: Uint8Array;
  readonly verifySignature: VerifySignature;
  readonly opening?: Opening;
}): Result<VerifiedReceipt, ReceiptFault> {
  const { receipt, expectedChain, verifySignature } = options;
  const trusted = TrustedChain.fromPath({ path: receipt.trust, expectedChain, verifySignature });
  if (!trusted.ok) return trusted;
  if (trusted.value.hasUnnamedValidators())
    return err({ code: 'validator set', detail: 'no verified header names it' });
  const evidence = receipt.anchor;
  const anchor = verifyTransactionEvidence({ evidence, trusted: trusted.value, verifySignature });
  if (!anchor.ok) return anchor;
  const { transaction, header, headerHash, accepted } = anchor.value;
  const { type, body } = transaction.payload;
  const root = ANCHOR_TYPES.includes(type) ? anchoredRoot(body) : undefined;
  if (!root) return err({ code: 'anchor', detail: 'the transaction anchors no records' });
  if (!accepted) return err({ code: 'anchor refused', detail: 'the ledger refused the anchor' });
  const fault = checkLeaf(receipt, root) ?? checkOpening(receipt.leaf, options.opening);
  if (fault) return err(fault);
  return ok({
    leaf: receipt.leaf,
    leafHash: recordLeafHash(receipt.leaf),
    transactionId: transaction.id,
    signer: transaction.signer,
    height: header.height,
    time: header.time,
    headerHash,
    opened: options.opening !== undefined,
  });
}
