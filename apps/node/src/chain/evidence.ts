import {
  type Block,
  consistencyProof,
  merkleLeafHash,
  proveState,
  proveTransaction,
  type StateEvidence,
  type SubtreeHash,
  subtreesOf,
  type TransactionEvidence,
  type TrustPath,
  validatorSetCodec,
} from '@careledger/ledger';
import { equalBytes, invariant, sha256 } from '@careledger/primitives';
import { NodeError } from '../errors.ts';
import type { FinalTransaction } from '../ledger-node.ts';
import type { Chain } from './chain.ts';

const HEIGHT_HELP = 'Ask for a height between 1 and the newest one, see the status.';

function notThere(message: string): NodeError {
  return new NodeError('ledger/not-found', message, HEIGHT_HELP);
}

/** What others are shown as proof, made from this node's own store. */
export class EvidenceDesk {
  readonly #chain: Chain;
  readonly #genesis: Uint8Array;
  /** Kept for the life of the process: full subtrees never change. */
  readonly #history: SubtreeHash;

  constructor(chain: Chain, genesis: Uint8Array) {
    this.#chain = chain;
    this.#genesis = genesis;
    this.#history = subtreesOf((height) => {
      const hash = chain.store.index.headerHash(height);
      invariant(hash, 'every height up to the head has a header hash');
      return merkleLeafHash(hash);
    });
  }

  /** One certified block. @throws NodeError `ledger/not-found`, `store/damaged`. */
  block(height: number): Block {
    const block = this.#chain.store.block(height);
    if (!block) throw notThere(`there is no block at height ${height}`);
    return block;
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

  /** A value or its absence: under the head with its newest certificate, or under an earlier certified header. */
  proveState(key: Uint8Array, height?: number): StateEvidence {
    const { index } = this.#chain.store;
    const certified =
      height === undefined || height === this.#chain.height ? this.#head() : this.block(height);
    const { header, certificate } = certified;
    const proof = proveState({ root: header.stateRoot, node: index.state.node, key });
    const isPresent = proof.leaf !== undefined && equalBytes(proof.leaf.keyHash, sha256(key));
    const value = isPresent && proof.leaf ? index.value(proof.leaf.valueHash) : undefined;
    return { header, certificate, key, value, proof };
  }

  /** That the history of the second height begins with that of the first: between their `historyRoot`s. */
  proveConsistency(first: number, second: number): readonly Uint8Array[] {
    if (first > second || second > this.#chain.height)
      throw notThere(`no heights ${first} and ${second} in this order`);
    return consistencyProof({ first, second, subtree: this.#history });
  }

  /** Genesis and every change of the validator set since: what evidence is judged by. */
  trustPath(): TrustPath {
    const reigns = [...this.#chain.store.index.reigns()];
    return {
      genesis: this.#genesis,
      changes: reigns.map(({ height }) => {
        const { header, certificate } = this.block(height);
        return { header, certificate };
      }),
      validatorSets: reigns.map(({ validators }) => validatorSetCodec.decode(validators)),
    };
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
