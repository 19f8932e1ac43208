import {
  equalBytes,
  err,
  type HeaderHash,
  ok,
  type Result,
  type VerifySignature,
} from '@careledger/primitives';
import type { Block, BlockHeader, TransactionResult } from './block.ts';
import { headerHash, resultsRoot, transactionsRoot } from './block-codecs.ts';
import type { MerkleAccumulator } from './merkle/accumulator.ts';
import { merkleLeafHash } from './merkle/hash.ts';
import type { TrustedChain } from './trust.ts';

/** Which rule of the chain a block breaks. */
export type LinkFaultCode =
  | 'block/version'
  | 'block/chain'
  | 'block/engine'
  | 'block/gap'
  | 'block/order'
  | 'block/previous-hash'
  | 'block/time'
  | 'block/history-root'
  | 'block/validators'
  | 'block/transaction-count'
  | 'block/transactions-root'
  | 'block/results-root'
  | 'block/header-hash'
  | 'block/certificate';

/** The first height that does not hold, and which of its fields. */
export interface LinkFault {
  readonly code: LinkFaultCode;
  /** The height at which the fault stands: the one expected there. */
  readonly height: number;
  readonly detail: string;
}

/** The end of a verified chain: its last header, and the history over all header hashes up to it. */
export interface ChainTip {
  readonly header: BlockHeader;
  readonly headerHash: HeaderHash;
  /** Size `header.height + 1`: covers this header too. */
  readonly history: MerkleAccumulator;
}

/** The tip after one more header. */
export function nextTip(history: MerkleAccumulator, header: BlockHeader): ChainTip {
  const hash = headerHash(header);
  return { header, headerHash: hash, history: history.append(merkleLeafHash(hash)) };
}

type Check = readonly [broken: boolean, code: LinkFaultCode, detail: string];

function firstBroken(height: number, checks: readonly Check[]): Result<undefined, LinkFault> {
  const found = checks.find(([broken]) => broken);
  return found ? err({ code: found[1], height, detail: found[2] }) : ok(undefined);
}

/** Does this header follow the tip? Needs neither body nor signatures. */
export function verifyHeaderLink(tip: ChainTip, header: BlockHeader): Result<undefined, LinkFault> {
  const before = tip.header;
  const height = before.height + 1;
  return firstBroken(height, [
    [header.version !== before.version, 'block/version', 'another version than the block before'],
    [!equalBytes(header.chain, before.chain), 'block/chain', 'a block of another chain'],
    [
      header.engine.id !== before.engine.id || header.engine.version !== before.engine.version,
      'block/engine',
      'another engine than the block before',
    ],
    [header.height > height, 'block/gap', `the block is missing; ${header.height} follows`],
    [header.height < height, 'block/order', `block ${header.height} stands again or too late`],
    [
      !equalBytes(header.previousHash, tip.headerHash),
      'block/previous-hash',
      'not the hash of the header before',
    ],
    [header.time < before.time, 'block/time', 'the time goes backwards'],
    [
      !equalBytes(header.historyRoot, tip.history.root()),
      'block/history-root',
      'not the tree over the headers before',
    ],
    [
      !equalBytes(header.validatorsHash, before.nextValidatorsHash),
      'block/validators',
      'not the set that the header before names',
    ],
  ]);
}

/** Are these exactly the transactions and results of the header? */
export function verifyBlockBody(
  header: BlockHeader,
  body: { readonly transactions: readonly Uint8Array[]; readonly results: readonly TransactionResult[] },
): Result<undefined, LinkFault> {
  const { transactions, results } = body;
  return firstBroken(header.height, [
    [
      transactions.length !== results.length,
      'block/transaction-count',
      `${transactions.length} transactions and ${results.length} results`,
    ],
    [
      !equalBytes(transactionsRoot(transactions), header.transactionsRoot),
      'block/transactions-root',
      'the transactions are not those of the header, or in another order',
    ],
    [
      !equalBytes(resultsRoot(results), header.resultsRoot),
      'block/results-root',
      'the results are not those of the header, or in another order',
    ],
  ]);
}

/** Is this header final by the validators of its height? */
export function verifyBlockFinality(
  block: Pick<Block, 'header' | 'certificate'>,
  trusted: TrustedChain,
  verifySignature: VerifySignature,
): Result<HeaderHash, LinkFault> {
  const { height } = block.header;
  const final = trusted.verifyHeader(block, verifySignature);
  if (final.ok) return final;
  const { code, detail } = final.error;
  if (code === 'header') return err({ code: 'block/header-hash', height, detail });
  return err({
    code: code === 'validator set' ? 'block/validators' : 'block/certificate',
    height,
    detail,
  });
}

/**
 * Checks a whole block against the tip before it: link, body, then certificate. What a node asks of every block that a
 * peer or its own disk gives it.
 *
 * @param options.trusted Learns the next validator set from the block; hand that set over before the next one.
 * @returns The new tip.
 *
 * @example
 * const next = verifyBlockLink({ tip, block, trusted, verifySignature });
 * if (!next.ok) return halt(next.error.code, next.error.height);
 */
export function verifyBlockLink(options: {
  readonly tip: ChainTip;
  readonly block: Block;
  readonly trusted: TrustedChain;
  readonly verifySignature: VerifySignature;
}): Result<ChainTip, LinkFault> {
  const { tip, block, trusted, verifySignature } = options;
  const link = verifyHeaderLink(tip, block.header);
  if (!link.ok) return link;
  const body = verifyBlockBody(block.header, block);
  if (!body.ok) return body;
  const final = verifyBlockFinality(block, trusted, verifySignature);
  if (!final.ok) return final;
  return ok(nextTip(tip.history, block.header));
}
