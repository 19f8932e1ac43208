import {
  bytes,
  type Codec,
  equalBytes,
  err,
  type HeaderHash,
  ok,
  type Result,
  struct,
  type VerifySignature,
} from '@careledger/primitives';
import type { Block, BlockHeader, CertifiedHeader, TransactionResult } from './block.ts';
import { certifiedHeaderFields, transactionResultCodec } from './block-codecs.ts';
import { merkleLeafHash } from './merkle/hash.ts';
import { inclusionProofOf, verifyInclusion } from './merkle/inclusion.ts';
import {
  type InclusionProof,
  inclusionProofCodec,
  orNull,
  type StateProof,
  stateProofCodec,
} from './proofs.ts';
import { verifyStateProof } from './state-tree/proof.ts';
import {
  decodeTransaction,
  TRANSACTION_BYTES_CEILING,
  type Transaction,
  verifyTransactionSignature,
} from './transaction.ts';
import type { TrustedChain, TrustFault } from './trust.ts';

/** A transaction with its result, and the paths of both into one block. */
export interface TransactionInBlock {
  readonly transaction: Uint8Array;
  readonly transactionProof: InclusionProof;
  readonly result: TransactionResult;
  readonly resultProof: InclusionProof;
}

/** Everything that shows offline that a transaction stands in a final block, and with which result. */
export interface TransactionEvidence extends CertifiedHeader, TransactionInBlock {}

/** Everything that shows offline that a key has this value, or none, under a final header. */
export interface StateEvidence extends CertifiedHeader {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly proof: StateProof;
}

export const STATE_KEY_BYTES_MAX = 512;
export const STATE_VALUE_BYTES_MAX = 1024 * 1024;

const transactionInBlockFields = {
  transaction: bytes({ bytesMax: TRANSACTION_BYTES_CEILING }),
  transactionProof: inclusionProofCodec,
  result: transactionResultCodec,
  resultProof: inclusionProofCodec,
};

export const transactionInBlockCodec: Codec<TransactionInBlock> = struct(transactionInBlockFields);
export const transactionEvidenceCodec: Codec<TransactionEvidence> = struct({
  ...certifiedHeaderFields,
  ...transactionInBlockFields,
});
export const stateEvidenceCodec: Codec<StateEvidence> = struct({
  ...certifiedHeaderFields,
  key: bytes({ bytesMax: STATE_KEY_BYTES_MAX }),
  value: orNull(bytes({ bytesMax: STATE_VALUE_BYTES_MAX })),
  proof: stateProofCodec,
});

/** Which part of evidence is wrong. */
export type EvidenceFaultCode =
  | TrustFault['code']
  | 'transaction'
  | 'transaction signature'
  | 'transaction proof'
  | 'result proof'
  | 'position'
  | 'state proof';

/** The part that is wrong, and in which way. Never holds content of the evidence. */
export interface EvidenceFault {
  readonly code: EvidenceFaultCode;
  readonly detail: string;
}

export interface ProvenTransaction {
  readonly transaction: Transaction;
  readonly index: number;
  readonly result: TransactionResult;
  /** Does the result's code say acceptance? A refused transaction stands in a block too. */
  readonly accepted: boolean;
}

export interface VerifiedTransaction extends ProvenTransaction {
  readonly header: BlockHeader;
  readonly headerHash: HeaderHash;
}

/** Takes the evidence for one transaction out of a stored block. */
export function proveTransaction(block: Block, index: number): TransactionEvidence {
  const { header, certificate, transactions, results } = block;
  const transaction = transactions[index];
  const result = results[index];
  if (!transaction || !result) throw new RangeError('the block holds no transaction at this index');
  return {
    header,
    certificate,
    transaction,
    transactionProof: inclusionProofOf(transactions, index),
    result,
    resultProof: inclusionProofOf(results.map(transactionResultCodec.encode), index),
  };
}

/** Checks one transaction and its result against a header that the caller has verified. */
export function verifyTransactionInBlock(options: {
  readonly header: BlockHeader;
  readonly proven: TransactionInBlock;
  readonly verifySignature: VerifySignature;
}): Result<ProvenTransaction, EvidenceFault> {
  const { header, proven, verifySignature } = options;
  const { transactionProof, resultProof, result } = proven;
  const decoded = decodeTransaction(proven.transaction, { bytesMax: TRANSACTION_BYTES_CEILING });
  if (!decoded.ok) return err({ code: 'transaction', detail: decoded.error });
  const inTransactions = verifyInclusion({
    leafHash: merkleLeafHash(proven.transaction),
    proof: transactionProof,
    root: header.transactionsRoot,
  });
  if (!inTransactions.ok) return err({ code: 'transaction proof', detail: inTransactions.error });
  const inResults = verifyInclusion({
    leafHash: merkleLeafHash(transactionResultCodec.encode(result)),
    proof: resultProof,
    root: header.resultsRoot,
  });
  if (!inResults.ok) return err({ code: 'result proof', detail: inResults.error });
  if (transactionProof.index !== resultProof.index || transactionProof.size !== resultProof.size)
    return err({ code: 'position', detail: 'the result is not that of the transaction' });
  if (!verifyTransactionSignature(decoded.value, verifySignature))
    return err({ code: 'transaction signature', detail: 'the named key did not sign it' });
  return ok({
    transaction: decoded.value,
    index: transactionProof.index,
    result,
    accepted: result.code === 0,
  });
}

/**
 * Checks that a transaction stands in a final block with this result. Acceptance is reported, never assumed: look at
 * `accepted`.
 */
export function verifyTransactionEvidence(options: {
  readonly evidence: TransactionEvidence;
  readonly trusted: TrustedChain;
  readonly verifySignature: VerifySignature;
}): Result<VerifiedTransaction, EvidenceFault> {
  const { evidence, trusted, verifySignature } = options;
  const { header } = evidence;
  const final = trusted.verifyHeader(evidence, verifySignature);
  if (!final.ok) return final;
  const proven = verifyTransactionInBlock({ header, proven: evidence, verifySignature });
  if (!proven.ok) return proven;
  return ok({ ...proven.value, header, headerHash: final.value });
}

export interface VerifiedState {
  readonly key: Uint8Array;
  /** `undefined`: the key is proven to have no value under this header. */
  readonly value: Uint8Array | undefined;
  readonly header: BlockHeader;
  readonly headerHash: HeaderHash;
  /** Engine block time of the certificate, milliseconds: how fresh the answer is. */
  readonly time: number;
}

/**
 * Checks a value, or its absence, under a final header.
 *
 * @param options.key What was asked for: evidence about another key is refused.
 */
export function verifyStateEvidence(options: {
  readonly evidence: StateEvidence;
  readonly key: Uint8Array;
  readonly trusted: TrustedChain;
  readonly verifySignature: VerifySignature;
}): Result<VerifiedState, EvidenceFault> {
  const { evidence, key, trusted, verifySignature } = options;
  const { header, value, certificate } = evidence;
  if (!equalBytes(evidence.key, key)) return err({ code: 'state proof', detail: 'another key was proven' });
  const final = trusted.verifyHeader(evidence, verifySignature);
  if (!final.ok) return final;
  const proof = verifyStateProof({ root: header.stateRoot, key, value, proof: evidence.proof });
  if (!proof.ok) return err({ code: 'state proof', detail: proof.error });
  return ok({ key, value, header, headerHash: final.value, time: certificate.time });
}
