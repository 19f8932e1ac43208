import {
  type Block,
  type BlockHeader,
  type CertifiedHeader,
  consistencyProof,
  DISPUTE_KIND,
  type Dispute,
  type DisputeAnswer,
  disputeBytes,
  type FinalityCertificate,
  merkleLeafHash,
  proveState,
  proveTransaction,
  type StateEvidence,
  type SubtreeHash,
  subtreesOf,
  type TransactionEvidence,
  type TrustPath,
} from '@careledger/ledger';
import {
  equalBytes,
  invariant,
  type NodeId,
  type PublicKey,
  type Signer,
  sha256,
} from '@careledger/primitives';
import { NodeError } from '../errors.ts';
import type { FinalTransaction } from '../ledger-node.ts';
import type { HistoryEntry, HistoryPosition } from '../store/state-tables.ts';
import type { Chain } from './chain.ts';
import { trustPathOf } from './prune-bodies.ts';

const HEIGHT_HELP = 'Ask for a height between 1 and the newest one, see the status.';

function notThere(message: string): NodeError {
  return new NodeError('ledger/not-found', message, HEIGHT_HELP);
}

function notYet(height: number, newest: number): NodeError {
  return new NodeError(
    'ledger/not-yet',
    `there is no block at height ${height} yet: the newest is ${newest}`,
    'Ask again once it is final, or follow the event stream.',
  );
}

/** Who stands behind the answers of this node. */
export interface NodeIdentity {
  readonly node: NodeId;
  readonly signer: Signer;
}

/** One change of a key. */
export interface KeyHistoryEntry extends HistoryEntry {
  /** Block time in milliseconds. */
  readonly time: number;
  /** `undefined` where the key was removed, and where its value was pruned or replaced within the same block. */
  readonly value: Uint8Array | undefined;
  /** The transaction that made the change; the founding state has none, and pruned blocks none any more. */
  readonly transactionBytes: Uint8Array | undefined;
}

function instantNotOver(): NodeError {
  return new NodeError(
    'ledger/not-yet',
    'a block of this instant may still come',
    'Ask again in a second, or for an earlier instant.',
  );
}

/** What others are shown as proof, made from this node's own store. */
export class EvidenceDesk {
  readonly #chain: Chain;
  readonly #genesis: Uint8Array;
  readonly #identity: NodeIdentity;
  /** Kept for the life of the process: full subtrees never change. */
  readonly #history: SubtreeHash;

  constructor(chain: Chain, genesis: Uint8Array, identity: NodeIdentity) {
    this.#chain = chain;
    this.#genesis = genesis;
    this.#identity = identity;
    this.#history = subtreesOf((height) => {
      const hash = chain.store.index.headerHash(height);
      invariant(hash, 'every height up to the head has a header hash');
      return merkleLeafHash(hash);
    });
  }

  /** One certified block. @throws NodeError `ledger/not-found`, `ledger/not-yet`, `ledger/pruned`, `store/damaged`. */
  block(height: number): Block {
    this.#checkReached(height);
    const block = this.#chain.store.block(height);
    if (!block) throw notThere(`there is no block at height ${height}`);
    return block;
  }

  /** A header and its certificate, whether or not the block's body is still kept. @throws as {@link block}. */
  certified(height: number): CertifiedHeader {
    this.#checkReached(height);
    const certified = this.#chain.store.certified(height);
    if (!certified) throw notThere(`there is no block at height ${height}`);
    return { header: certified.header, certificate: certified.certificate };
  }

  /** A stored header. @throws NodeError `ledger/not-yet`. */
  header(height: number): BlockHeader {
    this.#checkReached(height);
    const header = this.#chain.store.index.header(height);
    invariant(header, 'every height up to the head has a header');
    return header;
  }

  find(id: Uint8Array): FinalTransaction | undefined {
    const position = this.#chain.store.index.positionOf(id);
    const block = position && this.#chain.store.block(position.height);
    const result = position && block?.results[position.index];
    if (!position || !block || !result) return undefined;
    return { id: id as FinalTransaction['id'], ...position, time: block.header.time, result };
  }

  proveTransaction(position: { readonly height: number; readonly index: number }): TransactionEvidence {
    const block = this.block(position.height);
    if (position.index < 0 || position.index >= block.transactions.length) {
      throw notThere(`block ${position.height} has no transaction ${position.index}`);
    }
    return proveTransaction(block, position.index);
  }

  /**
   * A value or its absence: under the head with its newest certificate, or under an earlier certified header.
   * @throws NodeError `ledger/pruned` for a state that is no longer kept, `ledger/not-yet`.
   */
  proveState(key: Uint8Array, height?: number): StateEvidence {
    const certified =
      height === undefined || height === this.#chain.height ? this.#head() : this.certified(height);
    const { header, certificate } = certified;
    return { header, certificate, key, ...this.#stateUnder(header, key) };
  }

  /**
   * What held for a key at an instant, by the last header that is not after it: the same answer from every node.
   * @throws NodeError `ledger/not-yet` while a block of that instant may still come; `ledger/pruned`; `ledger/not-found`
   * before the chain began.
   */
  dispute(key: Uint8Array, instant: number): Dispute {
    const { index } = this.#chain.store;
    const height = index.heightAt(instant);
    if (height === undefined) throw notThere('the chain began after this instant');
    const header = this.header(height);
    const following = height < this.#chain.height ? this.certified(height + 1) : undefined;
    const certificate = following ? this.#certificateOf(height) : this.#head().certificate;
    if (!following && (certificate?.time ?? 0) <= instant) throw instantNotOver();
    const answer: DisputeAnswer = {
      kind: DISPUTE_KIND,
      chain: header.chain,
      key,
      instant,
      header,
      ...this.#stateUnder(header, key),
    };
    const { node, signer } = this.#identity;
    const publicKey = signer.publicKey as PublicKey;
    const signature = signer.sign(disputeBytes(answer));
    return { answer, certificate, following, signed: { node, publicKey, signature } };
  }

  /** The changes of a key from a position on, in block order. States that were pruned have no value any more. */
  *history(key: Uint8Array, from: HistoryPosition): Iterable<KeyHistoryEntry> {
    const { state } = this.#chain.store.index;
    for (const entry of state.history(key, from)) {
      const { height, transaction, valueHash } = entry;
      const value = valueHash && state.value(key, valueHash);
      const { time } = this.header(height);
      const hasBody = height >= this.#chain.store.prunedBelow;
      const bytes = height === 0 || !hasBody ? undefined : this.block(height).transactions[transaction];
      yield { ...entry, time, value, transactionBytes: bytes };
    }
  }

  #stateUnder(header: BlockHeader, key: Uint8Array): Pick<StateEvidence, 'proof' | 'value'> {
    const { state } = this.#chain.store.index;
    const { oldestHeight } = state;
    if (header.height < oldestHeight) {
      throw new NodeError(
        'ledger/pruned',
        `the state at height ${header.height} is no longer kept: the oldest is ${oldestHeight}`,
        'Ask a node that keeps more heights, or for a later one.',
      );
    }
    const proof = proveState({ root: header.stateRoot, node: state.node, key });
    const isPresent = proof.leaf !== undefined && equalBytes(proof.leaf.keyHash, sha256(key));
    const value = isPresent && proof.leaf ? state.value(key, proof.leaf.valueHash) : undefined;
    invariant(!isPresent || value, 'a leaf of a kept state has its value');
    return { proof, value };
  }

  #certificateOf(height: number): FinalityCertificate | undefined {
    return height === 0 ? undefined : this.certified(height).certificate;
  }

  #checkReached(height: number): void {
    const { height: newest } = this.#chain;
    if (height > newest) throw notYet(height, newest);
  }

  /** That the history of the second height begins with that of the first: between their `historyRoot`s. */
  proveConsistency(first: number, second: number): readonly Uint8Array[] {
    this.#checkReached(Math.max(first, second));
    if (first > second) throw notThere(`no heights ${first} and ${second} in this order`);
    return consistencyProof({ first, second, subtree: this.#history });
  }

  /** Genesis and every change of the validator set since: what evidence is judged by. */
  trustPath(): TrustPath {
    return trustPathOf(this.#chain, this.#genesis);
  }

  #head() {
    const { header, certificate } = this.#chain.head;
    if (certificate.signatures.length === 0) {
      throw new NodeError(
        'ledger/not-certified',
        'no quorum has certified the genesis state yet',
        'Try again in a second.',
      );
    }
    return { header, certificate };
  }
}
