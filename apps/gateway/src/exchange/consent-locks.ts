import {
  acquireLockFirst,
  acquireLocks,
  emptyLockTable,
  type LockStep,
  type LockTable,
  releaseLocks,
} from '@careledger/custody';

/** The locks of this process over consents: what releases and revocations take. A home is used by one process alone. */
export class ConsentLocks {
  #table: LockTable = emptyLockTable;
  #count = 0;
  readonly #waiting = new Map<string, () => void>();

  /** Resolves when all keys are held; the answer gives them back, once. */
  acquire(keys: readonly string[]): Promise<() => void> {
    return this.#enter((holder) => acquireLocks(this.#table, holder, keys));
  }

  /** The same for one key, before everybody who waits for it: a revocation's. */
  acquireFirst(key: string): Promise<() => void> {
    return this.#enter((holder) => acquireLockFirst(this.#table, holder, key));
  }

  async #enter(ask: (holder: string) => LockStep): Promise<() => void> {
    this.#count += 1;
    const holder = String(this.#count);
    const held = new Promise<void>((resolve) => {
      this.#waiting.set(holder, resolve);
    });
    this.#apply(ask(holder));
    await held;
    return () => this.#apply(releaseLocks(this.#table, holder));
  }

  #apply(step: LockStep): void {
    this.#table = step.next;
    for (const holder of step.granted) {
      const resolve = this.#waiting.get(holder);
      this.#waiting.delete(holder);
      resolve?.();
    }
  }
}
