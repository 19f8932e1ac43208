import type { CommitBatch, StateStore } from './application.ts';
import { Branch } from './branch.ts';
import type { StateReader, Write } from './capability.ts';
import { emptyStore } from './empty-store.ts';

/** A store in memory, for tests and the simulator. */
export class MemoryStore implements StateStore, StateReader {
  readonly #branch = new Branch(emptyStore);
  readonly get: StateStore['get'] = (key) => this.#branch.get(key);
  readonly scan: StateStore['scan'] = (prefix, countMax) => this.#branch.scan(prefix, countMax);
  readonly node: StateStore['node'] = (hash) => this.#branch.node(hash);

  /** Makes a batch durable, as far as memory is. */
  apply(batch: Pick<CommitBatch, 'writes' | 'nodes'>): void {
    this.#branch.write(batch.writes);
    this.#branch.keepNodes(batch.nodes);
  }

  /** Changes values without a block: for tests of transitions and of damage. */
  write(writes: readonly Write[]): void {
    this.#branch.write(writes);
  }
}
