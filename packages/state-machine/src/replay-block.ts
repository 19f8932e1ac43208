import { type Block, type BlockHeader, encodeHeader, headerCodec } from '@careledger/ledger';
import { compareBytes, type HeaderHash } from '@careledger/primitives';
import type { Application, CommitBatch } from './application.ts';

/**
 * This node computes another header than the one the others agreed on: its state or its code is wrong. It must stop and
 * show this, never go on with either.
 */
export class DivergenceError extends Error {
  override readonly name = 'DivergenceError';
  readonly code = 'state-machine/divergence';
  readonly help =
    'Stop this node, keep its files as evidence, rebuild its state from the blocks or a snapshot.';
  readonly agreed: BlockHeader;
  readonly computed: BlockHeader;
  /** The first field that differs. */
  readonly field: string;
  constructor(agreed: BlockHeader, computed: BlockHeader) {
    const field = firstDifference(agreed, computed);
    super(`Block ${agreed.height}: this node computes another ${field} than the one that was agreed.`);
    this.agreed = agreed;
    this.computed = computed;
    this.field = field;
  }
}

const FIELDS_BY_CAUSE = [
  'height',
  'time',
  'previousHash',
  'transactionsRoot',
  'resultsRoot',
  'stateRoot',
  'historyRoot',
  'validatorsHash',
  'nextValidatorsHash',
  'proposer',
  'nonce',
  'seal',
] as const;

function firstDifference(agreed: BlockHeader, computed: BlockHeader): string {
  const differing = FIELDS_BY_CAUSE.find((field) => {
    // One field at a time into the computed header: equal bytes mean that it was equal.
    const patched = headerCodec.encode({ ...computed, [field]: agreed[field] });
    return compareBytes(patched, encodeHeader(computed)) !== 0;
  });
  return differing ?? 'header';
}

/**
 * Executes a block that others agreed on: catching up, or rebuilding the state from segments. The block's link and
 * certificate are the caller's to check before.
 *
 * @returns What the store must make durable before `commit`.
 * @throws {@link DivergenceError} when the outcome is not the agreed one.
 */
export function replayBlock(
  application: Pick<Application, 'execute' | 'finalize'>,
  block: Pick<Block, 'header' | 'transactions'>,
): CommitBatch {
  const { header, transactions } = block;
  const draft = application.execute({
    height: header.height,
    parentHash: header.previousHash as HeaderHash,
    time: header.time,
    proposer: header.proposer,
    transactions,
  });
  if (compareBytes(encodeHeader(draft.header), encodeHeader(header)) !== 0) {
    throw new DivergenceError(header, draft.header);
  }
  return application.finalize(draft.headerHash);
}
