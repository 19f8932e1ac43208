import { type KeyName, type Keystore, patientOfKey } from '../keystore/index.ts';
import type { RewrapCount } from './rewrap-versions.ts';
import type { Vault } from './vault.ts';

/** Keys that get their new versions with one sync, and lose their old ones with one rewriting of the keystore's file. */
const KEYS_PER_STEP = 256;

export interface RotationReport {
  /** Keys of which the newest version alone is left. */
  readonly rotated: number;
  /** What was wrapped anew. */
  readonly rewrapped: number;
  /** Keys whose old version had to stay: something under them opens with neither. `verifyVault` names it. */
  readonly unfinished: number;
}

export interface KeyRotationOptions {
  readonly keystore: Keystore;
  readonly vault: Vault;
  /** Whatever else is sealed under a patient's key. */
  readonly others?: () => readonly ((patientId: string) => Promise<RewrapCount>)[];
}

/**
 * Gives keys new versions and puts everything under them. The keystore itself remembers what is under way: after a
 * crash, {@link KeyRotation.resume} walks the rest once more.
 */
export class KeyRotation {
  readonly #options: KeyRotationOptions;
  #turn: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  constructor(options: KeyRotationOptions) {
    this.#options = options;
  }

  /** Rotates these keys, or all that can be. Reads and writes go on meanwhile. */
  rotate(names: readonly KeyName[] = this.#options.keystore.rotatable()): Promise<RotationReport> {
    return this.#inTurn(async () => {
      const { keystore } = this.#options;
      const report = { rotated: 0, rewrapped: 0, unfinished: 0 };
      for (let start = 0; start < names.length && !this.#isStopped; start += KEYS_PER_STEP) {
        const step = names.slice(start, start + KEYS_PER_STEP);
        await keystore.rotate(step);
        add(report, await this.#finish(step));
      }
      return report;
    });
  }

  /** Takes up what an earlier run left. */
  resume(): Promise<RotationReport> {
    return this.#inTurn(() => this.#finish(this.#options.keystore.rotating()));
  }

  /** Lets the key under way end; what is left is taken up at the next start. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#turn;
  }

  async #finish(names: readonly KeyName[]): Promise<RotationReport> {
    const report = { rotated: 0, rewrapped: 0, unfinished: 0 };
    const done: KeyName[] = [];
    for (const name of names) {
      if (this.#isStopped || !this.#options.keystore.has(name)) continue;
      const { rewrapped, altered } = await this.#rewrap(name);
      report.rewrapped += rewrapped;
      if (altered > 0) report.unfinished += 1;
      else done.push(name);
    }
    await this.#options.keystore.retireOld(done);
    return { ...report, rotated: done.length };
  }

  async #rewrap(name: KeyName): Promise<RewrapCount> {
    const { vault, others } = this.#options;
    const patient = patientOfKey(name);
    let { rewrapped, altered } = await vault.rewrapVersions(name);
    if (patient === undefined) return { rewrapped, altered };
    for (const rewrap of others?.() ?? []) {
      const count = await rewrap(patient);
      rewrapped += count.rewrapped;
      altered += count.altered;
    }
    return { rewrapped, altered };
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function add(total: { rotated: number; rewrapped: number; unfinished: number }, step: RotationReport): void {
  total.rotated += step.rotated;
  total.rewrapped += step.rewrapped;
  total.unfinished += step.unfinished;
}
