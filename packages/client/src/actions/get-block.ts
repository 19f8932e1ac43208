import {
  type BlockHeader,
  blockCodec,
  resultsRoot,
  type TransactionResult,
  transactionsRoot,
} from '@careledger/ledger';
import { equalBytes, type HeaderHash, toHex } from '@careledger/primitives';
import { ProofMismatchError } from '../errors.ts';
import { decodeAnswer, type LedgerClient, verifyCertified } from '../ledger-client.ts';
import { ask, CBOR_TYPE, chainPath } from '../transport.ts';

/** A block of the largest charter, with its certificate. */
const BLOCK_BYTES_MAX = 64 * 1024 * 1024;

/** A whole block, checked. */
export interface VerifiedBlock {
  readonly header: BlockHeader;
  readonly headerHash: HeaderHash;
  /** As they were signed; `decodeTransaction` reads one. */
  readonly transactions: readonly Uint8Array[];
  readonly results: readonly TransactionResult[];
}

/**
 * Reads a block by height or by hash: its header is signed by a quorum, and its transactions and results are all that the
 * header says they are, in this order.
 *
 * @throws NotShownError, ProofMismatchError.
 *
 * @example
 * const { header, transactions } = await getBlock(client, { height: 7 });
 */
export async function getBlock(
  client: LedgerClient,
  options: { readonly height: number } | { readonly hash: Uint8Array },
): Promise<VerifiedBlock> {
  const answer = await ask(
    client.transport,
    {
      method: 'GET',
      path: chainPath(
        client.chain,
        'blocks',
        'hash' in options ? toHex(options.hash) : String(options.height),
      ),
      accept: CBOR_TYPE,
      bytesMax: BLOCK_BYTES_MAX,
    },
    'block',
  );
  const block = decodeAnswer(blockCodec, answer);
  const headerHash = await verifyCertified(client, block);
  const { header, transactions, results } = block;
  const isAsked = 'hash' in options ? equalBytes(headerHash, options.hash) : header.height === options.height;
  if (!isAsked) throw new ProofMismatchError('block', 'another block was asked for');
  if (!equalBytes(transactionsRoot(transactions), header.transactionsRoot)) {
    throw new ProofMismatchError('transactions', 'they are not those of the header');
  }
  if (results.length !== transactions.length || !equalBytes(resultsRoot(results), header.resultsRoot)) {
    throw new ProofMismatchError('results', 'they are not those of the header');
  }
  return { header, headerHash, transactions, results };
}
