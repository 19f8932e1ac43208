import { type StateNode, staleNodes } from '@careledger/ledger';
import { bytes, type Codec, concat, equalBytes, list, struct, uint, utf8 } from '@careledger/primitives';
import {
  Branch,
  byteName,
  type CommitBatch,
  type KeyChange,
  type StateStore,
} from '@careledger/state-machine';
import type { Database } from 'lmdb';
import { nativeSha256 } from '../native-hash.ts';
import { bigEndian, HEIGHT_BYTES, keyAfter, plain } from './index-keys.ts';
import { RecentMap } from './recent-map.ts';

/** Longer state keys are refused: with a hash behind it, LMDB's own limit is 1,978 bytes. */
const STATE_KEY_BYTES_MAX = 1024;
const HASH_BYTES = 32;
/** A key's history stands under so much of its hash. */
const HISTORY_KEY_BYTES = 16;
const PLACE_BYTES = 4;
/** Values that one block can put out of use. */
const SUPERSEDED_MAX = 1_000_000;
const OLDEST_STATE = utf8('oldest-state');
const HISTORY_AFTER = utf8('history-after');

/** Values of keys in memory: members, keys and counters are asked for with every transaction. */
const RECENT_VALUES_MAX = 16_384;
const RECENT_VALUE_BYTES_MAX = 4_096;
/** Tree nodes in memory, some 200 bytes each: the upper levels of the tree, and what the last blocks wrote. */
const RECENT_NODES_MAX = 262_144;

export type Table = Database<Uint8Array, Uint8Array>;

export interface StateTablesOptions {
  readonly table: (name: string) => Table;
  readonly meta: Table;
  /** Writes first what waits: called before anything is read of earlier heights. */
  readonly settle: () => void;
  /** Told when something is not what was written; gives the error to throw. */
  readonly fault: (problem: string) => Error;
  /** The state root of a stored header. */
  readonly stateRootOf: (height: number) => Uint8Array;
  /** States of this many newest heights stay provable; all of them unless given. */
  readonly heightsKept: number | undefined;
}

/** One change in the history of a key. */
export interface HistoryEntry {
  readonly height: number;
  /** Its transaction's place in the block; the founding state has no transaction. */
  readonly transaction: number;
  /** SHA-256 of the new value, or `undefined` where the key was removed. */
  readonly valueHash: Uint8Array | undefined;
}

/** A position in a history, for paging: the first entry at or after it comes next. */
export type HistoryPosition = Pick<HistoryEntry, 'height' | 'transaction'>;

const supersededCodec: Codec<readonly { readonly name: Uint8Array }[]> = list(
  struct({ name: bytes({ bytesMax: STATE_KEY_BYTES_MAX + HASH_BYTES }) }),
  { countMax: SUPERSEDED_MAX },
);

/** Content with the height that wrote it last: what a later block wrote again survives the pruning of an earlier one. */
function dated(content: Uint8Array, height: number): Uint8Array {
  return concat(content, bigEndian(height, HEIGHT_BYTES));
}

/**
 * The state of the newest height, of every kept height before it, and the history of each key. Tree nodes stand under
 * their hash and values under key and hash, so a flipped byte cannot pass for another value.
 */
export class StateTables implements StateStore {
  readonly #options: StateTablesOptions;
  /** What LMDB holds, and over it what blocks wrote that wait for their place there. */
  readonly #written: StateStore;
  #waiting: Branch;
  readonly #state: Table;
  readonly #values: Table;
  readonly #nodes: Table;
  readonly #changes: Table;
  readonly #superseded: Table;
  /** Checked when they were read or made here, and never changed: who reads one again need not hash it again. */
  readonly #recentValues = new RecentMap<Uint8Array>(RECENT_VALUES_MAX);
  readonly #recentNodes = new RecentMap<Uint8Array>(RECENT_NODES_MAX);

  constructor(options: StateTablesOptions) {
    this.#options = options;
    this.#state = options.table('state');
    this.#values = options.table('values');
    this.#nodes = options.table('nodes');
    this.#changes = options.table('changes');
    this.#superseded = options.table('superseded');
    this.#written = {
      get: this.#get,
      scan: (prefix, countMax) => this.#scan(prefix, countMax),
      node: this.#node,
    };
    this.#waiting = new Branch(this.#written);
  }

  readonly get = (key: Uint8Array): Uint8Array | undefined => this.#waiting.get(key);
  readonly scan = (prefix: Uint8Array, countMax: number): Iterable<readonly [Uint8Array, Uint8Array]> =>
    this.#waiting.scan(prefix, countMax);
  readonly node = (hash: Uint8Array): Uint8Array | undefined => this.#waiting.node(hash);

  /** Takes what a block changed: it is read from memory until {@link write} has written it. */
  take({ writes, nodes }: Pick<CommitBatch, 'writes' | 'nodes'>): void {
    this.#waiting.write(writes);
    this.#waiting.keepNodes(nodes);
  }

  /** Everything that was taken is written. */
  settled(): void {
    this.#waiting = new Branch(this.#written);
  }

  readonly #get = (key: Uint8Array): Uint8Array | undefined => {
    const name = byteName(key);
    const recent = this.#recentValues.get(name);
    if (recent) return recent;
    const hash = this.#state.get(key);
    if (hash === undefined) return undefined;
    const value = this.#current(key, hash);
    if (value.length <= RECENT_VALUE_BYTES_MAX) this.#recentValues.set(name, value);
    return value;
  };

  readonly #node = (hash: Uint8Array): Uint8Array | undefined => {
    const name = byteName(hash);
    const recent = this.#recentNodes.get(name);
    if (recent) return recent;
    const entry = this.#nodes.get(hash);
    if (!entry) return undefined;
    const content = this.#checked(entry, hash, 'a state tree node');
    this.#recentNodes.set(name, content);
    return content;
  };

  /** The value that a key had, by the hash that a leaf or its history names; `undefined` when it was pruned. */
  value(key: Uint8Array, hash: Uint8Array): Uint8Array | undefined {
    this.#options.settle();
    return this.#value(key, hash);
  }

  #value(key: Uint8Array, hash: Uint8Array): Uint8Array | undefined {
    const entry = this.#values.get(concat(key, hash));
    return entry && this.#checked(entry, hash, 'a state value');
  }

  /** The oldest height whose state is provable. */
  get oldestHeight(): number {
    this.#options.settle();
    return this.#oldestHeight;
  }

  get #oldestHeight(): number {
    return this.#storedHeight(OLDEST_STATE);
  }

  /** Changes after this height are all known; 0 unless the index was restored from a snapshot. */
  get historyAfter(): number {
    this.#options.settle();
    return this.#storedHeight(HISTORY_AFTER);
  }

  #storedHeight(name: Uint8Array): number {
    const stored = this.#options.meta.get(name);
    return stored === undefined ? 0 : uint.decode(plain(stored));
  }

  /** The state written last came whole from a snapshot: of earlier states and changes nothing is known. */
  beginAt(height: number): void {
    this.#options.meta.putSync(OLDEST_STATE, uint.encode(height));
    this.#options.meta.putSync(HISTORY_AFTER, uint.encode(height));
  }

  /** Changes of a key from a position on, in block order. */
  *history(key: Uint8Array, from: HistoryPosition): Iterable<HistoryEntry> {
    this.#options.settle();
    const prefix = historyPrefix(key);
    const start = concat(
      prefix,
      bigEndian(from.height, HEIGHT_BYTES),
      bigEndian(from.transaction, PLACE_BYTES),
    );
    const end = keyAfter(prefix);
    for (const { key: stored, value } of this.#changes.getRange({ start, ...(end && { end }) })) {
      const place = Buffer.from(stored.subarray(prefix.length));
      yield {
        height: Number(place.readBigUInt64BE(0)),
        transaction: place.readUInt32BE(HEIGHT_BYTES),
        valueHash: value.length === 0 ? undefined : plain(value),
      };
    }
  }

  /** Writes what a block changed, inside the caller's LMDB transaction. */
  write({ header, writes, changes, nodes }: CommitBatch): void {
    const { height } = header;
    const gone: { readonly name: Uint8Array }[] = [];
    for (const { key, value } of writes) this.#writeState(key, value, { height, gone });
    this.#writeNodes(nodes, height);
    const isFounding = height === 0;
    const told = isFounding ? writes.map((write) => ({ ...write, transaction: 0 })) : changes;
    for (const change of told) this.#writeHistory(change, height);
    if (gone.length > 0) {
      this.#superseded.putSync(bigEndian(height, HEIGHT_BYTES), supersededCodec.encode(gone));
    }
  }

  /** Forgets states that are no longer kept, as many at once as `statesMax`. */
  prune(newest: number, statesMax: number): void {
    const { heightsKept } = this.#options;
    if (heightsKept === undefined) return;
    const oldest = this.#oldestHeight;
    const until = Math.min(newest - heightsKept + 1, oldest + statesMax);
    for (let height = oldest; height < until; height += 1) this.#forget(height);
    if (until > oldest) this.#options.meta.putSync(OLDEST_STATE, uint.encode(until));
  }

  #forget(height: number): void {
    const { stateRootOf } = this.#options;
    const before = stateRootOf(height);
    const after = stateRootOf(height + 1);
    // All are found before one goes: the walk reads both trees.
    const stale = [...staleNodes({ before, after, node: this.#node })];
    for (const hash of stale) {
      this.#removeUnlessNewer(this.#nodes, hash, height);
      this.#recentNodes.delete(byteName(hash));
    }
    const name = bigEndian(height + 1, HEIGHT_BYTES);
    const superseded = this.#superseded.get(name);
    if (!superseded) return;
    for (const { name: value } of supersededCodec.decode(plain(superseded), SUPERSEDED_LIMITS)) {
      this.#removeUnlessNewer(this.#values, value, height);
    }
    this.#superseded.removeSync(name);
  }

  #removeUnlessNewer(table: Table, name: Uint8Array, height: number): void {
    const entry = table.get(name);
    const written = entry && Number(Buffer.from(entry.subarray(-HEIGHT_BYTES)).readBigUInt64BE(0));
    if (written !== undefined && written <= height) table.removeSync(name);
  }

  #current(key: Uint8Array, hash: Uint8Array): Uint8Array {
    const value = this.#value(key, hash);
    if (!value) throw this.#options.fault('a state value is missing');
    return value;
  }

  #checked(entry: Uint8Array, hash: Uint8Array, what: string): Uint8Array {
    const content = plain(entry.subarray(0, Math.max(0, entry.length - HEIGHT_BYTES)));
    if (!equalBytes(nativeSha256(content), hash))
      throw this.#options.fault(`${what} is not what its hash says`);
    return content;
  }

  *#scan(prefix: Uint8Array, countMax: number): Iterable<readonly [Uint8Array, Uint8Array]> {
    const end = keyAfter(prefix);
    const options = { start: prefix, limit: countMax, ...(end && { end }) };
    for (const { key, value } of this.#state.getRange(options)) {
      const name = plain(key);
      yield [name, this.#current(name, plain(value))];
    }
  }

  #writeState(
    key: Uint8Array,
    value: Uint8Array | undefined,
    { height, gone }: { readonly height: number; readonly gone: { readonly name: Uint8Array }[] },
  ): void {
    if (key.length > STATE_KEY_BYTES_MAX) throw this.#options.fault('a state key is too long');
    const hash = value && nativeSha256(value);
    if (this.#options.heightsKept !== undefined) {
      const previous = this.#state.get(key);
      if (previous && !(hash && equalBytes(previous, hash))) gone.push({ name: concat(key, previous) });
    }
    this.#recentValues.delete(byteName(key));
    if (value === undefined || hash === undefined) {
      this.#state.removeSync(key);
      return;
    }
    this.#state.putSync(key, hash);
    this.#values.putSync(concat(key, hash), dated(value, height));
    if (value.length <= RECENT_VALUE_BYTES_MAX) this.#recentValues.set(byteName(key), value);
  }

  #writeNodes(nodes: readonly StateNode[], height: number): void {
    for (const { hash, bytes: content } of nodes) {
      this.#nodes.putSync(hash, dated(content, height));
      this.#recentNodes.set(byteName(hash), content);
    }
  }

  #writeHistory({ key, value, transaction }: KeyChange, height: number): void {
    const place = [bigEndian(height, HEIGHT_BYTES), bigEndian(transaction, PLACE_BYTES)];
    this.#changes.putSync(
      concat(historyPrefix(key), ...place),
      value ? nativeSha256(value) : new Uint8Array(0),
    );
  }
}

const SUPERSEDED_LIMITS = { depthMax: 4, itemsMax: 4 * SUPERSEDED_MAX, bytesMax: 1024 * 1024 * 1024 };

function historyPrefix(key: Uint8Array): Uint8Array {
  return nativeSha256(key).subarray(0, HISTORY_KEY_BYTES);
}
