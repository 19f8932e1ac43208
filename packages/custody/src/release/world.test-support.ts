import {
  type ChainId,
  type Commitment,
  type ConsentId,
  type HeaderHash,
  organizationId,
} from '@careledger/primitives';
import {
  acquireLockFirst,
  acquireLocks,
  emptyLockTable,
  type LockStep,
  type LockTable,
  releaseLocks,
} from '../consent-lock.ts';
import {
  consentLockKey,
  newRevocation,
  type RevocationEffect,
  type RevocationState,
  stepRevocation,
} from '../revocation/step.ts';
import { effectiveElsewhereAfter } from './freshness.ts';
import type { ReleaseDecision, ReleaseEffect, ReleaseInput, ReleaseState } from './protocol.ts';
import { newRelease, stepRelease } from './step.ts';

/**
 * A small world for the release protocol: one custodian, one other member, a ledger, clocks that differ within the
 * skew. Nothing happens but by a command, so that any interleaving, pause and partition can be played.
 */
export interface Command {
  readonly type: 'advance' | 'block' | 'catchUp' | 'release' | 'revoke' | 'revokeElsewhere' | 'run';
  /** Milliseconds, chunks, or which waiting work to run. */
  readonly amount: number;
}

/** Ways to break the protocol on purpose: the property must notice each. */
export type Mutation = 'none' | 'skip-recheck' | 'no-lock' | 'believe-stale-head' | 'acknowledge-before-mark';

interface Fact {
  readonly active: boolean;
}
interface EngineBlock {
  readonly height: number;
  readonly time: number;
  readonly revoked: boolean;
}
type Work = { readonly holder: string; readonly run: () => void };

const CONSENT = new Uint8Array(16).fill(7) as ConsentId;
const decide = (facts: Fact): ReleaseDecision => ({
  outcome: facts.active ? 'permit' : 'deny',
  ...(facts.active ? { ground: 'consent' } : { reason: 'consent/not-active' }),
  ruleIds: [],
  obligations: [],
  policyVersion: 'test/1',
});

export class World {
  now = 1_000_000;
  readonly offsets: { readonly custodian: number; readonly other: number };
  readonly mutation: Mutation;
  readonly blocks: EngineBlock[] = [{ height: 1, time: 1_000_000, revoked: false }];
  seen = 0;
  submitted = false;
  marked = false;
  acknowledged = false;
  locks: LockTable = emptyLockTable;
  readonly waiting = new Map<string, () => void>();
  readonly prepared = new Map<string, number>();
  readonly work: Work[] = [];
  readonly awaitingFinal: (() => void)[] = [];
  journal = 0;
  releases = 0;
  refusals = 0;
  counter = 0;
  readonly violations: string[] = [];

  constructor(options: { custodianOffset: number; otherOffset: number; mutation: Mutation }) {
    this.offsets = { custodian: options.custodianOffset, other: options.otherOffset };
    this.mutation = options.mutation;
  }

  play(command: Command): void {
    switch (command.type) {
      case 'advance':
        this.now += command.amount;
        break;
      case 'block':
        this.makeBlock();
        break;
      case 'catchUp':
        this.catchUp();
        break;
      case 'release':
        this.startRelease(1 + (command.amount % 3));
        break;
      case 'revoke':
        this.startRevocation();
        break;
      case 'revokeElsewhere':
        this.submitted = true;
        break;
      case 'run':
        this.runOne(command.amount);
        break;
    }
    this.judgeElsewhere();
  }

  /** Lets everything end, with a live ledger. */
  settle(): void {
    for (let round = 0; round < 200; round += 1) {
      this.play({ type: 'advance', amount: 100 });
      this.play({ type: 'block', amount: 0 });
      this.play({ type: 'catchUp', amount: 0 });
      while (this.work.length > 0) this.play({ type: 'run', amount: 0 });
    }
  }

  private clock(): number {
    return this.now + this.offsets.custodian;
  }

  private makeBlock(): void {
    const tip = this.blocks.at(-1) as EngineBlock;
    const revoked = tip.revoked || this.submitted;
    this.blocks.push({ height: tip.height + 1, time: Math.max(tip.time, this.now), revoked });
  }

  private catchUp(): void {
    this.seen = this.blocks.length - 1;
    if (this.blocks[this.seen]?.revoked) for (const resume of this.awaitingFinal.splice(0)) resume();
  }

  /** Another member tells the patient "revoked" by the rule for members that do not hold the lock. */
  private judgeElsewhere(): void {
    const revocation = this.blocks.find((block) => block.revoked);
    const clock = this.now + this.offsets.other;
    if (revocation && clock > effectiveElsewhereAfter(revocation.time)) this.acknowledged = true;
  }

  private runOne(index: number): void {
    const [work] = this.work.splice(index % Math.max(1, this.work.length), 1);
    work?.run();
  }

  private later(holder: string, run: () => void): void {
    this.work.push({ holder, run });
  }

  private lock(holder: string, ask: (table: LockTable) => LockStep, onGranted: () => void): void {
    if (this.mutation === 'no-lock') {
      this.later(holder, onGranted);
      return;
    }
    this.waiting.set(holder, onGranted);
    const step = ask(this.locks);
    this.locks = step.next;
    this.grant(step.granted);
  }

  private unlock(holder: string): void {
    const step = releaseLocks(this.locks, holder);
    this.locks = step.next;
    this.grant(step.granted);
  }

  private grant(holders: readonly string[]): void {
    for (const holder of holders) {
      const onGranted = this.waiting.get(holder);
      this.waiting.delete(holder);
      if (onGranted) this.later(holder, onGranted);
    }
  }

  private random(): Uint8Array {
    this.counter += 1;
    return new Uint8Array(32).fill(this.counter & 255);
  }

  private startRelease(chunks: number): void {
    const holder = `release-${this.counter}`;
    this.counter += 1;
    let state: ReleaseState = newRelease({
      chain: new Uint8Array(32) as ChainId,
      custodian: organizationId('hospital'),
      recipient: organizationId('clinic'),
      requestId: new Uint8Array(16),
      purpose: 'TREAT',
      lockKeys: [consentLockKey(CONSENT)],
    });
    const feed = (input: ReleaseInput<Fact>): void => {
      const step = stepRelease(state, input, decide);
      state = step.next;
      for (const effect of step.effects) this.perform(holder, effect, { chunks, feed });
    };
    feed({ type: 'start' });
  }

  private perform(
    holder: string,
    effect: ReleaseEffect,
    release: { readonly chunks: number; readonly feed: (input: ReleaseInput<Fact>) => void },
  ): void {
    const { feed } = release;
    if (effect.type === 'lock') {
      this.lock(
        holder,
        (table) => acquireLocks(table, holder, effect.keys),
        () => feed({ type: 'locked' }),
      );
    } else if (effect.type === 'readFacts') {
      this.later(holder, () => feed(this.facts(effect.chunk + 1 >= release.chunks)));
    } else if (effect.type === 'journal') {
      this.journal += 1;
      this.later(holder, () => feed({ type: 'synced' }));
    } else if (effect.type === 'prepare') this.prepared.set(holder, effect.leaf.head.time);
    else if (effect.type === 'readClock') this.readClock(holder, feed);
    else if (effect.type === 'release') this.release(holder, feed);
    else if (effect.type === 'refuse') this.refusals += 1;
    else if (effect.type === 'unlock') this.unlock(holder);
  }

  private facts(last: boolean): ReleaseInput<Fact> {
    const head = this.blocks[this.seen] as EngineBlock;
    const time = this.mutation === 'believe-stale-head' ? this.clock() : head.time;
    return {
      type: 'facts',
      facts: {
        now: this.clock(),
        head: { engineHeight: head.height, time, headerHash: new Uint8Array(32) as HeaderHash },
        subjects: [{ subject: 'p', consentId: CONSENT, facts: { active: !head.revoked && !this.marked } }],
        records: [
          { commitment: new Uint8Array(32) as Commitment, type: 'Observation', labels: [], subjects: ['p'] },
          { commitment: new Uint8Array(32) as Commitment, type: 'Condition', labels: [], subjects: ['p'] },
        ],
        last,
        entryId: this.random().subarray(0, 16),
        salt: this.random(),
      },
    };
  }

  private readClock(holder: string, feed: (input: ReleaseInput<Fact>) => void): void {
    const decidedOn = this.prepared.get(holder) ?? 0;
    // The driver may pause here as long as it likes; between the reading and the write it does not.
    this.later(holder, () => {
      const now = this.mutation === 'skip-recheck' ? decidedOn : this.clock();
      feed({ type: 'clock', now, entryId: this.random().subarray(0, 16), salt: this.random() });
    });
  }

  private release(holder: string, feed: (input: ReleaseInput<Fact>) => void): void {
    this.releases += 1;
    if (this.acknowledged) this.violations.push(`${holder} released at ${this.now}`);
    this.later(holder, () => feed({ type: 'written' }));
  }

  private startRevocation(): void {
    const holder = `revocation-${this.counter}`;
    this.counter += 1;
    let state: RevocationState = newRevocation(CONSENT, this.clock());
    const feed = (input: Parameters<typeof stepRevocation>[1]): void => {
      const step = stepRevocation(state, input);
      state = step.next;
      for (const effect of step.effects) this.performRevocation(holder, effect, feed);
    };
    feed({ type: 'start' });
  }

  private performRevocation(
    holder: string,
    effect: RevocationEffect,
    feed: (input: Parameters<typeof stepRevocation>[1]) => void,
  ): void {
    if (effect.type === 'lock') {
      if (this.mutation === 'acknowledge-before-mark') this.acknowledged = true;
      const first = (table: LockTable) => acquireLockFirst(table, holder, consentLockKey(CONSENT));
      this.lock(holder, first, () => feed({ type: 'locked' }));
    } else if (effect.type === 'mark') {
      this.later(holder, () => {
        this.marked = true;
        feed({ type: 'marked' });
      });
    } else if (effect.type === 'unlock') this.unlock(holder);
    else if (effect.type === 'submit') {
      this.submitted = true;
      this.awaitingFinal.push(() => feed({ type: 'final' }));
    } else if (effect.type === 'acknowledge') this.acknowledged = true;
  }
}
