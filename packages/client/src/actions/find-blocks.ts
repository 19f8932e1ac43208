import { decodeTransaction } from '@careledger/ledger';
import { equalBytes, type PublicKey, toHex } from '@careledger/primitives';
import { ProofMismatchError } from '../errors.ts';
import type { LedgerClient } from '../ledger-client.ts';
import { askPages, fieldsOf, heightOf } from '../read-json.ts';
import { getBlock, type VerifiedBlock } from './get-block.ts';

/** Which blocks; all conditions hold. */
export interface BlockQuery {
  readonly fromHeight?: number;
  readonly toHeight?: number;
  /** Block time in milliseconds, inclusive. */
  readonly since?: number;
  readonly until?: number;
  readonly proposer?: PublicKey;
  /** A block that holds a transaction of this type. */
  readonly type?: string;
}

function holdsType({ transactions }: VerifiedBlock, type: string): boolean {
  return transactions.some((bytes) => {
    const decoded = decodeTransaction(bytes);
    return decoded.ok && decoded.value.payload.type === type;
  });
}

/** Is the block one that was asked for? */
function fits(block: VerifiedBlock, query: BlockQuery): boolean {
  const { height, time, proposer } = block.header;
  return (
    height >= (query.fromHeight ?? 0) &&
    height <= (query.toHeight ?? Number.POSITIVE_INFINITY) &&
    time >= (query.since ?? 0) &&
    time <= (query.until ?? Number.POSITIVE_INFINITY) &&
    (query.proposer === undefined || equalBytes(proposer, query.proposer)) &&
    (query.type === undefined || holdsType(block, query.type))
  );
}

/**
 * Finds blocks by height, time, proposer and transaction type, in the order of their height. Each is fetched and checked as
 * it is consumed. That none is left out is the node's word: an audit bundle proves it.
 *
 * @throws ProofMismatchError when one is not proven, is not what was asked for, or comes twice.
 *
 * @example
 * for await (const { header } of findBlocks(client, { type: 'consent/grant' })) console.log(header.height);
 */
export async function* findBlocks(client: LedgerClient, query: BlockQuery): AsyncGenerator<VerifiedBlock> {
  const { fromHeight: from, toHeight: to, since, until, proposer, type } = query;
  const asked = { from, to, since, until, type, proposer: proposer && toHex(proposer) };
  let last = -1;
  for await (const { header } of askPages(client, ['blocks'], {
    query: asked,
    subject: 'block',
    list: 'blocks',
  })) {
    const height = heightOf(fieldsOf(header).height);
    if (height <= last) throw new ProofMismatchError('list', 'its blocks are out of order');
    last = height;
    const block = await getBlock(client, { height });
    if (!fits(block, query)) throw new ProofMismatchError('list', 'a block is not what was asked for');
    yield block;
  }
}
