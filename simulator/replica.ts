import {
  type ConsensusValidator,
  createAuthority,
  createPbft,
  type Effect,
  type EngineProposal,
  type Input,
  Mempool,
  type Protocol,
  type ValidatorKey,
  type VotingState,
  type VotingTiming,
  verifyCertificate,
} from '@careledger/consensus';
import { Disk } from './disk.ts';
import type { EventQueue } from './event-queue.ts';
import { CHAIN, GENESIS_HASH, headerHashOf, transactionId } from './hash-chain.ts';
import { signAs, verifyAs } from './keys.ts';
import type { Packet, SealedBlock } from './network.ts';
import type { Random } from './random.ts';

export type EngineName = 'pbft' | 'authority';
export type Outgoing = Extract<Effect, { readonly type: 'broadcast' | 'send' }>;

const TICK_MS = 20;
/** Answers of the application and of the disk take up to this long. */
const ANSWER_MS_MAX = 4;
const BLOCK_BYTES_MAX = 64 * 1024;
const BLOCKS_IN_ANSWER_MAX = 50;

export interface ReplicaOptions {
  readonly index: number;
  readonly engine: EngineName;
  readonly timing: Partial<VotingTiming>;
  readonly validators: readonly ConsensusValidator[];
  readonly queue: EventQueue;
  readonly random: Random;
  /** How far this node's clock is off. */
  readonly clockOffsetMs: number;
  /** A seeded bug: votes are not synced before they are sent. */
  readonly skipSync: boolean;
  /** A seeded bug: this node's application computes other hashes from this ledger height on. */
  readonly divergesAt: number | undefined;
  readonly send: (to: number, packet: Packet) => void;
  /** What leaves a villain instead of what the protocol said. */
  readonly corrupt: ((replica: Replica, outgoing: Outgoing) => void) | undefined;
  readonly onDecided: (replica: Replica, effect: Extract<Effect, { readonly type: 'decide' }>) => void;
}

/** One node: the protocol's driver, a trivial application, a mempool and a disk. */
export class Replica {
  readonly options: ReplicaOptions;
  readonly key: ValidatorKey;
  readonly disk = new Disk();
  mempool = new Mempool();
  up = false;
  /** Crash after this many more effects; the rest of the list never happens. */
  crashAfterEffects: number | undefined;
  engineHeight = 0;
  halted: Extract<Effect, { readonly type: 'halt' }> | undefined;
  readonly evidence: Extract<Effect, { readonly type: 'evidence' }>[] = [];
  #incarnation = 0;
  #protocol: Protocol<VotingState> | undefined;
  #state: VotingState | undefined;
  readonly #included = new Set<string>();

  constructor(options: ReplicaOptions) {
    this.options = options;
    const validator = options.validators[options.index];
    if (!validator) throw new Error('a replica has a place in the validator set');
    this.key = validator.key;
  }

  get chain(): readonly SealedBlock[] {
    return this.disk.blocks;
  }

  get headHash(): string {
    return this.chain.at(-1)?.proposal.headerHash ?? GENESIS_HASH;
  }

  /** Does a final block here hold this transaction? */
  includes(id: string): boolean {
    return this.#included.has(id);
  }

  /** The node's own clock. */
  get clock(): number {
    return this.options.queue.now + this.options.clockOffsetMs;
  }

  start(): void {
    const { engine, timing } = this.options;
    const create = engine === 'pbft' ? createPbft : createAuthority;
    this.up = true;
    this.#incarnation += 1;
    this.#protocol = create({
      chain: CHAIN,
      self: this.key,
      sign: (bytes) => signAs(this.key, bytes),
      verify: verifyAs,
      restored: this.disk.record,
      timing,
      limits: { blockBytesMax: BLOCK_BYTES_MAX },
    });
    this.#state = this.#protocol.initial;
    this.input({ type: 'tick', now: this.clock });
    this.#advanceToDisk();
    this.#tickForever(this.#incarnation);
  }

  crash(): void {
    this.up = false;
    this.#incarnation += 1;
    this.crashAfterEffects = undefined;
    this.disk.loseUnsynced();
    this.mempool = new Mempool();
  }

  /** A client hands over a transaction, or a peer passes it on. */
  submit(bytes: Uint8Array): void {
    const id = transactionId(bytes);
    if (!this.up || this.#included.has(id)) return;
    this.mempool.add({ id, bytes, expiresAt: Number.MAX_SAFE_INTEGER }, 0);
    this.#reportPending();
  }

  receive(from: number, packet: Packet): void {
    if (!this.up) return;
    const sender = this.options.validators[from]?.key ?? '';
    if (packet.type === 'consensus') this.input({ type: 'message', from: sender, bytes: packet.bytes });
    else if (packet.type === 'transaction') this.submit(packet.bytes);
    else if (packet.type === 'fetch') this.#answerFetch(from, packet.ledgerHeight);
    else this.#append(packet.blocks);
  }

  input(input: Input): void {
    if (!this.up || !this.#protocol || !this.#state) return;
    const { next, effects } = this.#protocol.step(this.#state, input);
    this.#state = next;
    for (const effect of effects) {
      if (this.crashAfterEffects !== undefined) this.crashAfterEffects -= 1;
      if (this.crashAfterEffects === 0) {
        this.crash();
        return;
      }
      this.#perform(effect);
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        this.disk.writeRecord(effect.bytes);
        if (!this.options.skipSync) this.disk.sync();
        break;
      case 'broadcast':
      case 'send':
        if (this.options.corrupt) this.options.corrupt(this, effect);
        else this.transmit(effect);
        break;
      case 'build':
        this.#answer({ type: 'built', proposal: this.#build(effect) });
        break;
      case 'execute':
        this.#answer(this.#execute(effect.digest, effect.proposal));
        break;
      case 'decide':
        this.#decide(effect);
        break;
      case 'behind':
        this.options.send(this.#indexOf(effect.from), {
          type: 'fetch',
          ledgerHeight: this.chain.length + 1,
        });
        break;
      case 'evidence':
        this.evidence.push(effect);
        break;
      case 'halt':
        this.halted = effect;
        break;
    }
  }

  transmit(outgoing: Outgoing): void {
    const packet: Packet = { type: 'consensus', bytes: outgoing.bytes };
    if (outgoing.type === 'send') this.options.send(this.#indexOf(outgoing.to), packet);
    else for (const to of this.others()) this.options.send(to, packet);
  }

  others(): readonly number[] {
    return this.options.validators.flatMap((_, index) => (index === this.options.index ? [] : [index]));
  }

  #indexOf(key: ValidatorKey): number {
    return this.options.validators.findIndex((validator) => validator.key === key);
  }

  #tickForever(incarnation: number): void {
    if (incarnation !== this.#incarnation) return;
    this.input({ type: 'tick', now: this.clock });
    this.options.queue.after(TICK_MS, () => this.#tickForever(incarnation));
  }

  /** Answers come later, and never after a crash. */
  #answer(input: Input): void {
    const incarnation = this.#incarnation;
    this.options.queue.after(this.options.random.below(ANSWER_MS_MAX + 1), () => {
      if (incarnation === this.#incarnation) this.input(input);
    });
  }

  #build(effect: Extract<Effect, { readonly type: 'build' }>): EngineProposal {
    const { engineHeight, time, proposer, ledgerHeight, parentHash } = effect;
    const transactions = this.mempool.reap(BLOCK_BYTES_MAX).map((transaction) => transaction.bytes);
    if (transactions.length === 0) {
      return {
        engineHeight,
        time,
        proposer,
        ledgerHeight,
        parentHash,
        headerHash: parentHash,
        transactions: [],
      };
    }
    const block = { engineHeight, time, proposer, ledgerHeight: ledgerHeight + 1, parentHash, transactions };
    return { ...block, headerHash: this.computeHash(block) };
  }

  computeHash(block: Omit<EngineProposal, 'headerHash' | 'engineHeight'>): string {
    const { divergesAt } = this.options;
    const diverges = divergesAt !== undefined && block.ledgerHeight >= divergesAt;
    return headerHashOf(diverges ? { ...block, time: block.time + 1 } : block);
  }

  #execute(digest: string, proposal: EngineProposal): Input {
    if (proposal.ledgerHeight === this.chain.length) {
      return { type: 'executed', digest, headerHash: this.headHash };
    }
    const ids = proposal.transactions.map(transactionId);
    const repeats = new Set(ids).size !== ids.length || ids.some((id) => this.#included.has(id));
    if (repeats) return { type: 'refused', digest, reason: 'a transaction is in the chain already' };
    return { type: 'executed', digest, headerHash: this.computeHash(proposal) };
  }

  #decide(effect: Extract<Effect, { readonly type: 'decide' }>): void {
    this.options.onDecided(this, effect);
    const { proposal, certificate } = effect;
    if (proposal.ledgerHeight === this.chain.length + 1) this.#seal({ proposal, certificate });
    const { engineHeight, time, ledgerHeight, headerHash } = certificate;
    this.engineHeight = engineHeight;
    const { validators } = this.options;
    this.#answer({
      type: 'advanced',
      engineHeight,
      time,
      ledgerHeight,
      headerHash,
      certificate,
      validators,
    });
    const incarnation = this.#incarnation;
    this.options.queue.after(ANSWER_MS_MAX + 1, () => {
      if (incarnation === this.#incarnation) this.#reportPending();
    });
  }

  #seal(block: SealedBlock): void {
    this.disk.appendBlock(block);
    this.disk.sync();
    const ids = block.proposal.transactions.map(transactionId);
    for (const id of ids) this.#included.add(id);
    this.mempool.remove(ids);
  }

  #reportPending(): void {
    this.input({ type: 'pending', count: this.mempool.count, bytes: this.mempool.bytes });
  }

  #advanceToDisk(): void {
    const { validators } = this.options;
    const certificate = this.chain.at(-1)?.certificate;
    const { engineHeight = 0, time = 0 } = certificate ?? {};
    this.engineHeight = Math.max(this.engineHeight, engineHeight);
    const ledgerHeight = this.chain.length;
    const headerHash = this.headHash;
    this.input({
      type: 'advanced',
      engineHeight,
      time,
      ledgerHeight,
      headerHash,
      certificate,
      validators,
    });
    this.#reportPending();
  }

  #answerFetch(from: number, ledgerHeight: number): void {
    const blocks = this.chain.slice(ledgerHeight - 1, ledgerHeight - 1 + BLOCKS_IN_ANSWER_MAX);
    this.options.send(from, { type: 'blocks', blocks });
  }

  /** Catches up block by block: each certified, each executed here. */
  #append(blocks: readonly SealedBlock[]): void {
    const before = this.chain.length;
    const { validators } = this.options;
    for (const block of blocks) {
      const { proposal, certificate } = block;
      if (proposal.ledgerHeight !== this.chain.length + 1 || proposal.parentHash !== this.headHash) continue;
      const certified = certificate.ledgerHeight === proposal.ledgerHeight;
      if (!certified || certificate.headerHash !== headerHashOf(proposal)) continue;
      if (!verifyCertificate(certificate, validators, { chain: CHAIN, verify: verifyAs })) continue;
      this.#seal(block);
    }
    if (this.chain.length > before) this.#advanceToDisk();
  }
}
