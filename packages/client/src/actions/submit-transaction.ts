import { signTransaction } from '@careledger/ledger';
import type { Signer } from '@careledger/primitives';
import { TransactionRefusedError } from '../errors.ts';
import type { LedgerClient } from '../ledger-client.ts';
import { ask, CBOR_TYPE, chainPath } from '../transport.ts';
import { getTransaction, type TransactionWithEvidence } from './get-transaction.ts';

const RECEIPT_BYTES_MAX = 64 * 1024;

export interface SubmitTransaction {
  /** `consent/grant`, ... */
  readonly type: string;
  /** Deterministic CBOR of the message, by the capability's codec. */
  readonly body: Uint8Array;
  readonly signer: Signer;
  /** 16 random bytes of the caller's. */
  readonly nonce: Uint8Array;
  /** Milliseconds since 1970-01-01T00:00:00Z, at most 10 minutes ahead. */
  readonly expiresAt: number;
}

/**
 * Signs a transaction, hands it to the node, waits until it is final, and checks that it is: the node's word that it
 * accepted the transaction is not enough.
 *
 * @throws NodeRefusedError with the node's code when it is refused before it is ordered; TransactionRefusedError when it
 * stands in a block as a refusal; ProofMismatchError when the node cannot prove what it says.
 *
 * @example
 * await submitTransaction(client, { type, body, signer, nonce: randomBytes(16), expiresAt: Date.now() + 60_000 });
 */
export async function submitTransaction(
  client: LedgerClient,
  options: SubmitTransaction,
): Promise<TransactionWithEvidence> {
  const { type, body, signer, nonce, expiresAt } = options;
  const transaction = signTransaction({
    payload: { chain: client.chain, nonce, expiresAt, type, body },
    signer,
  });
  await sendTransaction(client, transaction.bytes);
  const proven = await getTransaction(client, { id: transaction.id });
  if (!proven.accepted) throw new TransactionRefusedError(proven.result.code);
  return proven;
}

/** Hands over a transaction that was signed elsewhere. Resolves when the node says that it is final. */
export async function sendTransaction(client: LedgerClient, transaction: Uint8Array): Promise<void> {
  await ask(
    client.transport,
    {
      method: 'POST',
      path: `${chainPath(client.chain, 'transactions')}?wait=final`,
      body: transaction,
      contentType: CBOR_TYPE,
      accept: 'application/json',
      bytesMax: RECEIPT_BYTES_MAX,
    },
    'chain',
  );
}
