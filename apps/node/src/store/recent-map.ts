/**
 * A bounded memory of what was used lately, in two generations: when the young one is full, the old one is forgotten
 * and the young one grows old. What is asked for stays; nothing is moved but on a use of something old.
 */
export class RecentMap<Value> {
  readonly #generationMax: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  /** @param countMax At most so many entries are kept, and at least half as many of the newest. */
  constructor(countMax: number) {
    this.#generationMax = Math.ceil(countMax / 2);
  }

  get(name: string): Value | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const old = this.#old.get(name);
    if (old !== undefined) this.set(name, old);
    return old;
  }

  set(name: string, value: Value): void {
    this.#young.set(name, value);
    if (this.#young.size < this.#generationMax) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  delete(name: string): void {
    this.#young.delete(name);
    this.#old.delete(name);
  }
}
