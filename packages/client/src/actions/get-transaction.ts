import {
  TRANSACTION_BYTES_CEILING,
  type TransactionEvidence,
  transactionEvidenceCodec,
  type VerifiedTransaction,
  verifyTransactionEvidence,
} from '@careledger/ledger';
import { equalBytes, type TransactionId, toHex } from '@careledger/primitives';
import { ProofMismatchError } from '../errors.ts';
import { decodeAnswer, type LedgerClient, verifyCertified } from '../ledger-client.ts';
import { ask, CBOR_TYPE, chainPath } from '../transport.ts';

const EVIDENCE_BYTES_MAX = TRANSACTION_BYTES_CEILING + 1024 * 1024;

/** A proven transaction and what proves it to others. */
export interface TransactionWithEvidence extends VerifiedTransaction {
  readonly evidence: TransactionEvidence;
}

/**
 * Reads a transaction with its result, both proven to stand in a final block. A refused transaction stands there too:
 * look at `accepted`.
 *
 * @throws NotShownError while the node shows none; ProofMismatchError.
 */
export async function getTransaction(
  client: LedgerClient,
  options: { readonly id: TransactionId },
): Promise<TransactionWithEvidence> {
  const answer = await ask(
    client.transport,
    {
      method: 'GET',
      path: chainPath(client.chain, 'transactions', toHex(options.id), 'evidence'),
      accept: CBOR_TYPE,
      bytesMax: EVIDENCE_BYTES_MAX,
    },
    'transaction',
  );
  const evidence = decodeAnswer(transactionEvidenceCodec, answer);
  await verifyCertified(client, evidence);
  const { trusted, verifySignature } = client;
  const verified = verifyTransactionEvidence({ evidence, trusted, verifySignature });
  if (!verified.ok) throw new ProofMismatchError(verified.error.code, verified.error.detail);
  if (!equalBytes(verified.value.transaction.id, options.id)) {
    throw new ProofMismatchError('transaction', 'another transaction was proven');
  }
  return { ...verified.value, evidence };
}
