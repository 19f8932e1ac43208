import { type BlockHeader, verifyConsistency } from '@careledger/ledger';
import { ProofMismatchError } from '../errors.ts';
import type { LedgerClient } from '../ledger-client.ts';
import { askJson, bytesOf, listOf } from '../read-json.ts';
import { getBlock } from './get-block.ts';

/** Two headers of one history. */
export interface Consistency {
  readonly first: BlockHeader;
  readonly second: BlockHeader;
  /** The proof (RFC 9162, section 2.1.4): as many hashes as the logarithm of the height. */
  readonly proof: readonly Uint8Array[];
}

/**
 * Proves that the history behind one header is the beginning of that behind another: nothing in between was rewritten.
 *
 * @throws ProofMismatchError `consistency` when it is not.
 *
 * @example
 * const { proof } = await getConsistency(client, { first: 100, second: 200 });
 */
export async function getConsistency(
  client: LedgerClient,
  options: { readonly first: number; readonly second: number },
): Promise<Consistency> {
  const { header: first } = await getBlock(client, { height: options.first });
  const { header: second } = await getBlock(client, { height: options.second });
  const query = { first: options.first, second: options.second };
  const answer = await askJson(client, ['consistency'], { query, subject: 'pair of heights' });
  const proof = listOf(answer.proof).map(bytesOf);
  // The roots come from headers that were checked, not from the answer; a header of height h stands over h earlier ones.
  const verified = verifyConsistency({
    ...{ first: first.height, second: second.height, proof },
    ...{ firstRoot: first.historyRoot, secondRoot: second.historyRoot },
  });
  if (!verified.ok) throw new ProofMismatchError('consistency', verified.error);
  return { first, second, proof };
}
