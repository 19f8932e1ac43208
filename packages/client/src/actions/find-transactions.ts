import { equalBytes, type PublicKey, type TransactionId, toHex } from '@careledger/primitives';
import { ProofMismatchError } from '../errors.ts';
import type { LedgerClient } from '../ledger-client.ts';
import { askPages, bytesOf } from '../read-json.ts';
import { getTransaction, type TransactionWithEvidence } from './get-transaction.ts';

/** Which transactions; all conditions hold. */
export interface TransactionQuery {
  readonly type?: string;
  /** The key that signed. */
  readonly actor?: PublicKey;
  /** An id in one of its events, such as a consent's, in hexadecimal. */
  readonly subject?: string;
  /** Block time in milliseconds, inclusive. */
  readonly since?: number;
  readonly until?: number;
}

function fits({ transaction, header }: TransactionWithEvidence, query: TransactionQuery): boolean {
  return (
    header.time >= (query.since ?? 0) &&
    header.time <= (query.until ?? Number.POSITIVE_INFINITY) &&
    (query.actor === undefined || equalBytes(transaction.signer, query.actor)) &&
    (query.type === undefined || transaction.payload.type === query.type)
  );
}

/**
 * Finds transactions by type, actor, subject and time, in block order, each with its result and its proof, fetched as it is
 * consumed. That none is left out is the node's word: an audit bundle proves it.
 *
 * @throws ProofMismatchError when one is not proven, or not what was asked for.
 *
 * @example
 * for await (const { transaction, accepted } of findTransactions(client, { type: 'consent/grant' })) console.log(accepted);
 */
export async function* findTransactions(
  client: LedgerClient,
  query: TransactionQuery,
): AsyncGenerator<TransactionWithEvidence> {
  const { type, actor, subject, since: from, until: to } = query;
  const asked = { type, subject, from, to, actor: actor && toHex(actor) };
  const options = { query: asked, subject: 'transaction', list: 'transactions' };
  for await (const { id } of askPages(client, ['transactions'], options)) {
    const found = await getTransaction(client, { id: bytesOf(id) as TransactionId });
    if (!fits(found, query)) throw new ProofMismatchError('list', 'a transaction is not what was asked for');
    yield found;
  }
}
