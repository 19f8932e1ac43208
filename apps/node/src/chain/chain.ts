import {
  type Block,
  type BlockHeader,
  type ChainTip,
  decodeBlock,
  type FinalityCertificate,
  type LinkFault,
  nextTip,
  sortValidators,
  type TrustedChain,
  validatorSetCodec,
  verifyBlockLink,
} from '@careledger/ledger';
import { equalBytes, err, type HeaderHash, ok, type Result } from '@careledger/primitives';
import type { Catalog, CommitBatch, LedgerApplication } from '@careledger/state-machine';
import { messageOf, NodeError } from '../errors.ts';
import type { FinalHead } from '../ledger-node.ts';
import type { Log } from '../log.ts';
import type { TransactionVerifier } from '../signatures/transaction-verifier.ts';
import { verifyWithSodium } from '../signatures/verify-batch.ts';
import type { BlockStore } from '../store/block-store.ts';

/** Called for every final engine block in order; `block` is absent for a heartbeat. */
export type FinalListener = (head: FinalHead, block: Block | undefined) => void;

/** A quorum certified what this node does not compute: nobody can tell which of the two is right, so it stops. */
export class DivergenceError extends NodeError {
  readonly height: number;
  readonly certified: BlockHeader;
  readonly computed: BlockHeader;

  constructor(certified: BlockHeader, computed: BlockHeader) {
    super(
      'node/diverged',
      `executing block ${certified.height} does not give its certified header: ${differingFields(certified, computed)}`,
      'Keep the evidence file and the node folder, and compare this node’s version with its peers’.',
    );
    this.height = certified.height;
    this.certified = certified;
    this.computed = computed;
  }
}

function differingFields(certified: BlockHeader, computed: BlockHeader): string {
  const fields = [
    'stateRoot',
    'resultsRoot',
    'transactionsRoot',
    'historyRoot',
    'nextValidatorsHash',
  ] as const;
  const differing = fields.filter((field) => !equalBytes(certified[field], computed[field]));
  return differing.length > 0 ? differing.join(', ') : 'nonce, proposer or seal';
}

export interface ChainParts {
  readonly application: LedgerApplication;
  readonly store: BlockStore;
  readonly catalog: Catalog;
  readonly verifier: TransactionVerifier;
  readonly trusted: TrustedChain;
  readonly tip: ChainTip;
  readonly log: Log;
}

/** The chain as this node keeps it: the state machine over the store, its verified tip, and who wants to know. */
export class Chain {
  readonly application: LedgerApplication;
  readonly store: BlockStore;
  readonly trusted: TrustedChain;
  readonly #catalog: Catalog;
  readonly #verifier: TransactionVerifier;
  readonly #log: Log;
  readonly #listeners = new Set<FinalListener>();
  #tip: ChainTip;
  #head: FinalHead;

  constructor(parts: ChainParts, certificate: FinalityCertificate) {
    this.application = parts.application;
    this.store = parts.store;
    this.trusted = parts.trusted;
    this.#catalog = parts.catalog;
    this.#verifier = parts.verifier;
    this.#log = parts.log;
    this.#tip = parts.tip;
    this.#head = headOf(parts.tip, certificate);
  }

  /** The newest final engine block. */
  get head(): FinalHead {
    return this.#head;
  }

  get height(): number {
    return this.#tip.header.height;
  }

  get tip(): ChainTip {
    return this.#tip;
  }

  onFinal(listener: FinalListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A quorum certified the head again, at a later engine height. */
  heartbeat(certificate: FinalityCertificate): void {
    const isOfTip = equalBytes(certificate.headerHash, this.#tip.headerHash);
    if (!isOfTip || certificate.engineHeight <= this.#head.engineHeight) return;
    this.#head = headOf(this.#tip, certificate);
    this.#notify(undefined);
  }

  /** Makes an executed draft final: first the block is on disk, then the index, then the state machine moves on. */
  async commit(headerHash: HeaderHash, certificate: FinalityCertificate): Promise<Block> {
    const batch = this.application.finalize(headerHash);
    const { header, transactions, results } = batch;
    const block: Block = { header, transactions, results, certificate };
    await this.store.append(block);
    this.#index(batch, block);
    this.#head = headOf(this.#tip, certificate);
    this.#notify(block);
    return block;
  }

  /**
   * Takes a block from a peer: its link to the tip, its body and its certificate are checked, then it is executed and
   * made final. The fault names what does not hold; its sender is a liar.
   *
   * @throws DivergenceError when a certified block executes to something else here.
   */
  async importBlock(
    encoded: Uint8Array,
  ): Promise<Result<Block, LinkFault | { readonly code: 'block/malformed' }>> {
    const block = decodeBlock(encoded);
    if (!block.ok) return err({ code: 'block/malformed' });
    if (this.#stands(block.value)) return block;
    const linked = verifyBlockLink({
      tip: this.#tip,
      block: block.value,
      trusted: this.trusted,
      verifySignature: verifyWithSodium,
    });
    if (!linked.ok) return linked;
    const headerHash = await this.#execute(block.value);
    return ok(await this.commit(headerHash, block.value.certificate));
  }

  /** Brings the index up to a block that is on disk already. @throws DivergenceError, or NodeError naming the fault. */
  async replay(block: Block): Promise<void> {
    const { trusted } = this;
    const linked = verifyBlockLink({ tip: this.#tip, block, trusted, verifySignature: verifyWithSodium });
    if (!linked.ok) {
      const { code, height, detail } = linked.error;
      const message = `the stored block ${height} does not hold: ${code}, ${detail}`;
      throw new NodeError(
        'store/damaged',
        message,
        'Restore the file that holds it from a copy of the same chain.',
      );
    }
    const headerHash = await this.#execute(block);
    this.#index(this.application.finalize(headerHash), block);
    this.#head = headOf(this.#tip, block.certificate);
  }

  /** Did the engine decide this block itself while it was on its way? */
  #stands({ header, certificate }: Block): boolean {
    const known = header.height <= this.height ? this.store.index.headerHash(header.height) : undefined;
    return known !== undefined && equalBytes(known, certificate.headerHash);
  }

  async #execute(block: Block): Promise<HeaderHash> {
    const { header, transactions } = block;
    await this.#verifier.prepare(transactions);
    const draft = this.application.execute({
      height: header.height,
      parentHash: this.#tip.headerHash,
      time: header.time,
      proposer: header.proposer,
      transactions,
    });
    if (!equalBytes(draft.headerHash, block.certificate.headerHash)) {
      throw new DivergenceError(header, draft.header);
    }
    return draft.headerHash;
  }

  #index(batch: CommitBatch, block: Block): void {
    const { header, headerHash } = batch;
    const { index } = this.store;
    const isChange = !equalBytes(header.validatorsHash, header.nextValidatorsHash);
    const validatorsAfter = () =>
      validatorSetCodec.encode(sortValidators(this.#catalog.validators(index.state)));
    index.apply({
      batch,
      transactions: batch.transactions.map((bytes) => this.#verifier.decoded(bytes)),
      ...(isChange && { validatorsAfter }),
    });
    this.application.commit(headerHash);
    this.#tip = nextTip(this.#tip.history, header);
    if (isChange) this.#learnValidators(block);
  }

  #learnValidators(block: Block): void {
    const { validators } = this.application.info();
    this.trusted.offerValidators(sortValidators(validators));
    this.trusted.verifyHeader(block, verifyWithSodium);
    const nodes = validators.map(({ node }) => node);
    this.#log.info({ height: block.header.height, validators: nodes }, 'the validator set changed');
  }

  #notify(block: Block | undefined): void {
    for (const listener of this.#listeners) {
      try {
        listener(this.#head, block);
      } catch (fault) {
        const height = this.#head.header.height;
        this.#log.error({ height, problem: messageOf(fault) }, 'a listener for final blocks failed');
      }
    }
  }
}

function headOf(tip: ChainTip, certificate: FinalityCertificate): FinalHead {
  const { header, headerHash } = tip;
  return { engineHeight: certificate.engineHeight, time: certificate.time, header, headerHash, certificate };
}
