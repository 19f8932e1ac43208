import { domainHash, encodeCbor, toHex, utf8 } from '@careledger/primitives';
import type { VotingOptions } from '../pbft/options.ts';
import type { VotingState } from '../pbft/state.ts';
import type { Certificate, Effect, EngineProposal, Input, Protocol } from '../protocol.ts';
import { GENESIS_HASH, keyOf, optionsFor, validatorsOf } from './keys.ts';

export type CreateEngine = (options: VotingOptions) => Protocol<VotingState>;
export type EffectOf<Type extends Effect['type']> = Extract<Effect, { readonly type: Type }>;

export interface Decision {
  readonly proposal: EngineProposal;
  readonly certificate: Certificate;
}

export interface ClusterOptions {
  readonly create: CreateEngine;
  readonly count: number;
  /** The first so many nodes vote, the others follow. */
  readonly validatorCount?: number;
  readonly options?: Partial<VotingOptions>;
  /** Transactions that one block takes. */
  readonly blockCount?: number;
}

const TICK_MS = 10;
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

export function hashOf(proposal: EngineProposal): string {
  const { ledgerHeight, parentHash, time, proposer, transactions } = proposal;
  return toHex(
    domainHash('header', encodeCbor([ledgerHeight, parentHash, time, proposer, [...transactions]])),
  );
}

/** Nodes that hear one another at once and lose nothing, in virtual time: what a conformance suite needs. */
export class Cluster {
  readonly settings: ClusterOptions;
  readonly nodes: readonly ClusterNode[];
  readonly #mail: { readonly to: number; readonly input: Input }[] = [];
  /** Does this message arrive? */
  passes: (from: number, to: number) => boolean = () => true;
  now = 0;
  #submitted = 0;

  constructor(settings: ClusterOptions) {
    this.settings = settings;
    this.nodes = Array.from({ length: settings.count }, (_, index) => new ClusterNode(this, index));
    for (const node of this.nodes) node.start();
    this.flush();
  }

  /** Lets this much time pass. */
  pass(milliseconds: number): void {
    for (const end = this.now + milliseconds; this.now < end; this.now += TICK_MS) {
      for (const node of this.nodes) node.tick();
      this.flush();
    }
  }

  submit(count: number): void {
    for (let index = 0; index < count; index += 1) {
      this.#submitted += 1;
      for (const node of this.nodes) node.mempool.push(utf8(`transaction ${this.#submitted}`));
    }
    for (const node of this.nodes) node.reportPending();
  }

  post(to: number, input: Input): void {
    this.#mail.push({ to, input });
  }

  flush(): void {
    for (let letter = this.#mail.shift(); letter; letter = this.#mail.shift()) {
      this.nodes[letter.to]?.input(letter.input);
    }
  }
}

export class ClusterNode {
  readonly index: number;
  readonly #cluster: Cluster;
  up = false;
  mempool: Uint8Array[] = [];
  readonly decisions: Decision[] = [];
  readonly effects: Effect[] = [];
  record: Uint8Array | undefined;
  /** A fault: this node computes another hash. */
  computesWrong = false;
  /** A fault: its clock is ahead of the others'. */
  clockAheadMs = 0;
  #protocol: Protocol<VotingState> | undefined;
  state: VotingState | undefined;

  constructor(cluster: Cluster, index: number) {
    this.#cluster = cluster;
    this.index = index;
  }

  /** Ledger blocks in order. */
  get chain(): readonly Decision[] {
    return this.decisions.filter(
      ({ proposal }, index) =>
        proposal.ledgerHeight !== (this.decisions[index - 1]?.proposal.ledgerHeight ?? 0),
    );
  }

  get validators(): ReturnType<typeof validatorsOf> {
    const { count, validatorCount } = this.#cluster.settings;
    return validatorsOf(NAMES.slice(0, validatorCount ?? count));
  }

  get key(): string {
    return keyOf(NAMES[this.index] ?? '');
  }

  start(): void {
    const { create, options } = this.#cluster.settings;
    this.#protocol = create({ ...optionsFor(this.key), ...options, restored: this.record });
    this.state = this.#protocol.initial;
    this.up = true;
    this.tick();
    this.#advance(this.chain.at(-1));
  }

  tick(): void {
    this.input({ type: 'tick', now: this.#cluster.now + this.clockAheadMs });
  }

  stop(): void {
    this.up = false;
  }

  seen<Type extends Effect['type']>(type: Type): readonly EffectOf<Type>[] {
    return this.effects.filter((effect): effect is EffectOf<Type> => effect.type === type);
  }

  input(input: Input): void {
    if (!this.up || !this.#protocol || !this.state) return;
    const { next, effects } = this.#protocol.step(this.state, input);
    this.state = next;
    for (const effect of effects) this.#perform(effect);
  }

  reportPending(): void {
    const bytes = this.mempool.reduce((sum, transaction) => sum + transaction.length, 0);
    this.input({ type: 'pending', count: this.mempool.length, bytes });
  }

  #perform(effect: Effect): void {
    this.effects.push(effect);
    const answer = (input: Input): void => this.#cluster.post(this.index, input);
    if (effect.type === 'persist') this.record = effect.bytes;
    else if (effect.type === 'broadcast') this.#broadcast(effect.bytes);
    else if (effect.type === 'send') this.#send(this.#indexOf(effect.to), effect.bytes);
    else if (effect.type === 'build') answer({ type: 'built', proposal: this.#build(effect) });
    else if (effect.type === 'execute') {
      answer({ type: 'executed', digest: effect.digest, headerHash: this.#compute(effect.proposal) });
    } else if (effect.type === 'decide') this.#decide(effect);
    else if (effect.type === 'behind') this.#catchUp(this.#indexOf(effect.from));
  }

  #indexOf(key: string): number {
    return NAMES.findIndex((name) => keyOf(name) === key);
  }

  #broadcast(bytes: Uint8Array): void {
    for (const { index } of this.#cluster.nodes) if (index !== this.index) this.#send(index, bytes);
  }

  #send(to: number, bytes: Uint8Array): void {
    if (this.#cluster.passes(this.index, to)) {
      this.#cluster.post(to, { type: 'message', from: this.key, bytes });
    }
  }

  #build(effect: EffectOf<'build'>): EngineProposal {
    const { engineHeight, time, proposer, ledgerHeight, parentHash } = effect;
    const transactions = this.mempool.slice(0, this.#cluster.settings.blockCount ?? 1_000);
    const seals = transactions.length > 0 ? 1 : 0;
    const block = { engineHeight, time, proposer, ledgerHeight: ledgerHeight + seals, parentHash };
    const proposal = { ...block, headerHash: parentHash, transactions };
    return seals ? { ...proposal, headerHash: this.#compute(proposal) } : proposal;
  }

  #compute(proposal: EngineProposal): string {
    const head = this.decisions.at(-1)?.proposal;
    if (proposal.ledgerHeight === (head?.ledgerHeight ?? 0)) return head?.headerHash ?? GENESIS_HASH;
    return hashOf(this.computesWrong ? { ...proposal, time: proposal.time + 1 } : proposal);
  }

  #decide({ proposal, certificate }: Decision): void {
    this.decisions.push({ proposal, certificate });
    const included = new Set(proposal.transactions.map(toHex));
    this.mempool = this.mempool.filter((transaction) => !included.has(toHex(transaction)));
    this.#advance({ proposal, certificate });
  }

  #advance(decision: Decision | undefined): void {
    const { engineHeight = 0, time = 0, ledgerHeight = 0 } = decision?.certificate ?? {};
    const headerHash = decision?.certificate.headerHash ?? GENESIS_HASH;
    const certificate = decision?.certificate;
    const { validators } = this;
    this.#cluster.post(this.index, {
      type: 'advanced',
      engineHeight,
      time,
      ledgerHeight,
      headerHash,
      certificate,
      validators,
    });
    const bytes = this.mempool.reduce((sum, transaction) => sum + transaction.length, 0);
    this.#cluster.post(this.index, { type: 'pending', count: this.mempool.length, bytes });
  }

  #catchUp(from: number): void {
    const mine = this.chain.length;
    for (const decision of this.#cluster.nodes[from]?.chain.slice(mine) ?? []) this.#decide(decision);
  }
}
