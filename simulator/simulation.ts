import type { Effect, VotingTiming } from '@careledger/consensus';
import { utf8 } from '@careledger/primitives';
import { checkAgreement, checkChain } from './checks.ts';
import { EventQueue } from './event-queue.ts';
import { transactionId } from './hash-chain.ts';
import { validatorsOf } from './keys.ts';
import { CALM, Network, type NetworkConditions } from './network.ts';
import { createRandom, type Random } from './random.ts';
import { type EngineName, Replica } from './replica.ts';
import { type Plot, VILLAINIES, Villain, type Villainy } from './villain.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly engine: EngineName;
  readonly count: number;
  /** What each node does, by its index; the others are honest. */
  readonly villains: ReadonlyMap<number, Villainy>;
  readonly conditions: NetworkConditions;
  readonly partitions: boolean;
  readonly crashes: boolean;
  /** How long faults last. */
  readonly faultsMs: number;
  readonly timing: Partial<VotingTiming>;
  /** A transaction enters about this often. */
  readonly transactionEveryMs: number;
  readonly skipSync: boolean;
  readonly divergent: { readonly index: number; readonly ledgerHeight: number } | undefined;
}

export interface SimulationResult {
  readonly options: SimulationOptions;
  /** What was found wrong: empty for a good run. */
  readonly violations: readonly string[];
  readonly replicas: readonly Replica[];
  readonly villains: ReadonlyMap<number, Villain>;
  readonly ledgerHeight: number;
  readonly engineHeight: number;
  /** Virtual milliseconds from the healing until every honest node had a transaction of after it. */
  readonly healedAfterMs: number | undefined;
  readonly crashes: number;
}

/** A8: progress within this time after healing (assurance.md). */
export const PROGRESS_AFTER_HEAL_MS = 10_000;
const START_OF_TIME_MS = 1_000_000;

/** Impatient nodes: many changes of view in a short run. */
const HASTY: Partial<VotingTiming> = {
  heartbeatMs: 100,
  viewTimeoutMs: 150,
  viewTimeoutMaxMs: 3_000,
  resendMs: 80,
};

/** Everything about a run that its seed decides. */
export function optionsFromSeed(seed: number, engine: EngineName): SimulationOptions {
  const random = createRandom(seed);
  const count = random.pick([1, 4, 4, 4, 4, 5, 7]);
  const villains = new Map<number, Villainy>();
  const faulty = Math.floor((count - 1) / 3);
  if (random.chance(0.6)) {
    for (let index = 0; index < faulty; index += 1) {
      villains.set(random.below(count), random.pick(VILLAINIES));
    }
  }
  return {
    seed,
    engine,
    count,
    villains,
    conditions: {
      delayMsMin: 1,
      delayMsMax: random.pick([5, 20, 100, 400]),
      loss: random.pick([0, 0, 0.05, 0.3]),
      duplication: random.pick([0, 0.1]),
    },
    partitions: random.chance(0.5),
    crashes: random.chance(0.5),
    faultsMs: 3_000 + random.below(5_000),
    timing: random.chance(0.5) ? {} : HASTY,
    transactionEveryMs: random.pick([40, 150, 600]),
    skipSync: false,
    divergent: undefined,
  };
}

/** One run: a time of faults, then a calm one in which the honest nodes must agree and go on. */
export class Simulation {
  readonly options: SimulationOptions;
  readonly replicas: readonly Replica[];
  readonly villains: ReadonlyMap<number, Villain>;
  readonly queue = new EventQueue();
  readonly #random: Random;
  readonly #network: Network;
  readonly #violations: string[] = [];
  readonly #certified = new Map<number, string>();
  #transactions = 0;
  #crashes = 0;
  #calm = false;

  constructor(options: SimulationOptions) {
    this.options = options;
    this.#random = createRandom(options.seed ^ 0x5eed);
    this.queue.now = START_OF_TIME_MS;
    const plot: Plot = new Map();
    this.villains = new Map(
      [...options.villains].map(([index, villainy]) => [
        index,
        new Villain(villainy, plot, this.#random.fork()),
      ]),
    );
    this.#network = new Network(this.queue, this.#random.fork(), options.conditions, (to, from, packet) =>
      this.replicas[to]?.receive(from, packet),
    );
    const validators = validatorsOf(options.count);
    this.replicas = validators.map((_, index) => this.#createReplica(index, validators));
    this.#network.sides = validators.map(() => 0);
  }

  get honest(): readonly Replica[] {
    return this.replicas.filter((replica) => !this.villains.has(replica.options.index));
  }

  run(): SimulationResult {
    const { faultsMs } = this.options;
    for (const replica of this.replicas) replica.start();
    this.#submitForever();
    if (this.options.partitions) this.#partitionForever();
    if (this.options.crashes) this.#crashForever();
    this.queue.run(START_OF_TIME_MS + faultsMs);
    const healedAfterMs = this.#heal();
    for (const replica of this.honest) this.#violations.push(...checkChain(replica));
    this.#violations.push(...checkAgreement(this.honest));
    this.#checkBlame();
    return {
      options: this.options,
      violations: this.#violations,
      replicas: this.replicas,
      villains: this.villains,
      ledgerHeight: Math.max(...this.honest.map((replica) => replica.chain.length)),
      engineHeight: Math.max(...this.honest.map((replica) => replica.engineHeight)),
      healedAfterMs,
      crashes: this.#crashes,
    };
  }

  #createReplica(index: number, validators: ReturnType<typeof validatorsOf>): Replica {
    const villain = this.villains.get(index);
    const { engine, timing, skipSync, divergent } = this.options;
    const random = this.#random.fork();
    return new Replica({
      index,
      engine,
      timing,
      validators,
      queue: this.queue,
      random,
      clockOffsetMs: random.below(400) - 200,
      skipSync,
      divergesAt: divergent?.index === index ? divergent.ledgerHeight : undefined,
      send: (to, packet) => this.#network.send(index, to, packet),
      corrupt: villain && ((replica, outgoing) => villain.speak(replica, outgoing)),
      onDecided: (replica, effect) => this.#onDecided(replica, effect),
    });
  }

  /** A1 at the moment of every decision: one time and header for each engine height. */
  #onDecided(replica: Replica, { certificate }: Extract<Effect, { readonly type: 'decide' }>): void {
    if (this.villains.has(replica.options.index)) return;
    const { engineHeight, time, ledgerHeight, headerHash } = certificate;
    const block = `${time} ${ledgerHeight} ${headerHash}`;
    const before = this.#certified.get(engineHeight);
    if (before !== undefined && before !== block) {
      this.#violations.push(`A1: engine height ${engineHeight} was decided twice: ${before} and ${block}`);
    }
    this.#certified.set(engineHeight, block);
  }

  /** A client sends a transaction to one node, which passes it on. */
  submit(to: number): Uint8Array {
    this.#transactions += 1;
    const bytes = utf8(`transaction ${this.#transactions} of seed ${this.options.seed}`);
    const entry = this.replicas[to];
    entry?.submit(bytes);
    for (const other of entry?.others() ?? []) this.#network.send(to, other, { type: 'transaction', bytes });
    return bytes;
  }

  #submitForever(): void {
    if (this.#calm) return;
    this.submit(this.#random.below(this.options.count));
    const { transactionEveryMs } = this.options;
    this.queue.after(this.#random.below(2 * transactionEveryMs), () => this.#submitForever());
  }

  #partitionForever(): void {
    if (this.#calm) return;
    const together = this.#random.chance(0.4);
    this.#network.sides = this.replicas.map(() => (together ? 0 : this.#random.below(2)));
    this.queue.after(200 + this.#random.below(2_500), () => this.#partitionForever());
  }

  #crashForever(): void {
    if (this.#calm) return;
    const victim = this.#random.pick(this.replicas);
    if (victim.up) victim.crashAfterEffects = 1 + this.#random.below(20);
    this.queue.after(100 + this.#random.below(1_500), () => this.#restart(victim));
    this.queue.after(100 + this.#random.below(1_000), () => this.#crashForever());
  }

  #restart(replica: Replica): void {
    if (replica.up) return;
    this.#crashes += 1;
    replica.start();
  }

  /** @returns how long it took until everybody had a transaction of after the healing. */
  #heal(): number | undefined {
    this.#calm = true;
    this.#network.conditions = CALM;
    this.#network.sides = this.replicas.map(() => 0);
    for (const replica of this.replicas) {
      replica.crashAfterEffects = undefined;
      if (!replica.up) this.#restart(replica);
    }
    const healedAt = this.queue.now;
    const proofs = this.honest.map((replica) => transactionId(this.submit(replica.options.index)));
    const included = (replica: Replica): boolean =>
      replica.halted !== undefined || proofs.every((id) => replica.includes(id));
    let heights = '';
    const done = (): boolean => {
      const now = this.honest.map((replica) => replica.chain.length).join();
      if (now === heights) return false;
      heights = now;
      return this.honest.every(included);
    };
    this.queue.run(healedAt + PROGRESS_AFTER_HEAL_MS, done);
    if (this.honest.every(included)) return this.queue.now - healedAt;
    const reached = this.honest
      .map((replica) => `${replica.engineHeight}/${replica.chain.length}`)
      .join(', ');
    this.#violations.push(`A8: no progress within ${PROGRESS_AFTER_HEAL_MS} ms of the healing (${reached})`);
    return undefined;
  }

  /** Evidence never names an honest node, and no honest node halts while the villains are few enough. */
  #checkBlame(): void {
    const honestKeys = new Set(this.honest.map((replica) => replica.key));
    for (const replica of this.honest) {
      const wronged = replica.evidence.find((effect) => honestKeys.has(effect.against));
      if (wronged) this.#violations.push(`evidence against the honest node ${wronged.against}`);
      const divergent = replica.options.divergesAt !== undefined;
      if (replica.halted && !divergent)
        this.#violations.push(`an honest node halted: ${replica.halted.reason}`);
    }
  }
}
