import { acquireLocks, emptyLockTable, type LockTable, releaseLocks } from '@careledger/custody';

/** The locks of this process over consents: what releases and revocations take. A home is used by one process alone. */
export class ConsentLocks {
  #table: LockTable = emptyLockTable;
  #count = 0;
  readonly #waiting = new Map<string, () => void>();

  /** Resolves when all keys are held; the answer gives them back, once. */
  async acquire(keys: readonly string[]): Promise<() => void> {
    this.#count += 1;
    const holder = String(this.#count);
    const held = new Promise<void>((resolve) => {
      this.#waiting.set(holder, resolve);
    });
    this.#apply(acquireLocks(this.#table, holder, keys));
    await held;
    return () => this.#apply(releaseLocks(this.#table, holder));
  }

  #apply(step: { readonly next: LockTable; readonly granted: readonly string[] }): void {
    this.#table = step.next;
    for (const holder of step.granted) {
      const resolve = this.#waiting.get(holder);
      this.#waiting.delete(holder);
      resolve?.();
    }
  }
}
