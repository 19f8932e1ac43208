import type { Certificate, EngineProposal } from '@careledger/consensus';
import type { EventQueue } from './event-queue.ts';
import type { Random } from './random.ts';

/** A final ledger block as nodes keep and send it. */
export interface SealedBlock {
  readonly proposal: EngineProposal;
  readonly certificate: Certificate;
}

export type Packet =
  | { readonly type: 'consensus'; readonly bytes: Uint8Array }
  | { readonly type: 'transaction'; readonly bytes: Uint8Array }
  | { readonly type: 'fetch'; readonly ledgerHeight: number }
  | { readonly type: 'blocks'; readonly blocks: readonly SealedBlock[] };

export interface NetworkConditions {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  readonly loss: number;
  readonly duplication: number;
}

export const CALM: NetworkConditions = { delayMsMin: 1, delayMsMax: 10, loss: 0, duplication: 0 };

/** Loses, delays, doubles and thereby reorders packets; a partition lets none pass between its sides. */
export class Network {
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #deliver: (to: number, from: number, packet: Packet) => void;
  conditions: NetworkConditions;
  /** The side each node is on. */
  sides: readonly number[] = [];

  constructor(
    queue: EventQueue,
    random: Random,
    conditions: NetworkConditions,
    deliver: (to: number, from: number, packet: Packet) => void,
  ) {
    this.#queue = queue;
    this.#random = random;
    this.conditions = conditions;
    this.#deliver = deliver;
  }

  send(from: number, to: number, packet: Packet): void {
    const { loss, duplication, delayMsMin, delayMsMax } = this.conditions;
    if (this.sides[from] !== this.sides[to] || this.#random.chance(loss)) return;
    const copies = this.#random.chance(duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const delay = delayMsMin + this.#random.below(delayMsMax - delayMsMin + 1);
      this.#queue.after(delay, () => this.#deliver(to, from, packet));
    }
  }
}
