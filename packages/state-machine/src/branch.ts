import type { StateNode } from '@careledger/ledger';
import type { StateStore } from './application.ts';
import type { Write } from './capability.ts';

const HALF = 16;

/** Sixteen bytes as text: written out, one call makes the text without an array in between. */
function halfName(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(
    bytes[at] as number,
    bytes[at + 1] as number,
    bytes[at + 2] as number,
    bytes[at + 3] as number,
    bytes[at + 4] as number,
    bytes[at + 5] as number,
    bytes[at + 6] as number,
    bytes[at + 7] as number,
    bytes[at + 8] as number,
    bytes[at + 9] as number,
    bytes[at + 10] as number,
    bytes[at + 11] as number,
    bytes[at + 12] as number,
    bytes[at + 13] as number,
    bytes[at + 14] as number,
    bytes[at + 15] as number,
  );
}

/** Bytes as a text of one character a byte: usable as a map key, and it sorts as the bytes do. */
export function byteName(bytes: Uint8Array): string {
  let name = '';
  let at = 0;
  for (; at + HALF <= bytes.length; at += HALF) name += halfName(bytes, at);
  for (; at < bytes.length; at += 1) name += String.fromCharCode(bytes[at] as number);
  return name;
}

function compareNames(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function startsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  return key.length >= prefix.length && prefix.every((byte, index) => key[index] === byte);
}

/** Changes over a parent that stays as it is: several branches may grow from one parent side by side. */
export class Branch implements StateStore {
  #parent: StateStore;
  readonly #writes = new Map<string, Write>();
  readonly #nodes = new Map<string, StateNode>();

  constructor(parent: StateStore) {
    this.#parent = parent;
  }

  /** The parent branch is durable now: read from the store instead. */
  rebase(parent: StateStore): void {
    this.#parent = parent;
  }

  readonly get = (key: Uint8Array): Uint8Array | undefined => {
    const written = this.#writes.get(byteName(key));
    return written ? written.value : this.#parent.get(key);
  };

  readonly node = (hash: Uint8Array): Uint8Array | undefined =>
    this.#nodes.get(byteName(hash))?.bytes ?? this.#parent.node(hash);

  readonly scan = (prefix: Uint8Array, countMax: number): Iterable<readonly [Uint8Array, Uint8Array]> => {
    const own = [...this.#writes.values()].filter(({ key }) => startsWith(key, prefix));
    if (own.length === 0) return this.#parent.scan(prefix, countMax);
    return mergeScan(this.#parent.scan(prefix, countMax + own.length), own, countMax);
  };

  write(writes: readonly Write[]): void {
    for (const write of writes) this.#writes.set(byteName(write.key), write);
  }

  keepNodes(nodes: readonly StateNode[]): void {
    for (const node of nodes) this.#nodes.set(byteName(node.hash), node);
  }

  /** What this branch changed, sorted by key. */
  writes(): readonly Write[] {
    return [...this.#writes].sort(([left], [right]) => compareNames(left, right)).map(([, write]) => write);
  }

  nodes(): readonly StateNode[] {
    return [...this.#nodes.values()];
  }
}

function* mergeScan(
  parent: Iterable<readonly [Uint8Array, Uint8Array]>,
  own: readonly Write[],
  countMax: number,
): Iterable<readonly [Uint8Array, Uint8Array]> {
  const merged = new Map<string, readonly [Uint8Array, Uint8Array]>();
  for (const entry of parent) merged.set(byteName(entry[0]), entry);
  for (const { key, value } of own) {
    if (value) merged.set(byteName(key), [key, value]);
    else merged.delete(byteName(key));
  }
  const sorted = [...merged].sort(([left], [right]) => compareNames(left, right));
  for (const [, entry] of sorted.slice(0, countMax)) yield entry;
}
