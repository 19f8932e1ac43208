import { hash as digest } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { type BlockHeader, encodeHeader, headerCodec, type Transaction } from '@careledger/ledger';
import { concat, equalBytes, type HeaderHash, uint, utf8 } from '@careledger/primitives';
import type { CommitBatch, StateStore } from '@careledger/state-machine';
import { type Database, open, type RootDatabase } from 'lmdb';
import { messageOf, NodeError } from '../errors.ts';
import { INDEX_PAGE_BYTES, isMappable, type OpeningMark } from './index-guard.ts';

const REBUILD_HELP = 'Restart the node: it rebuilds its index from the block files.';
/** Longer state keys are refused: LMDB's own limit is 1,978 bytes. */
const STATE_KEY_BYTES_MAX = 1024;
const LOOKUP_VALUE_BYTES = 16;
const META_HEIGHT = utf8('height');

/** The index holds something else than what was written, or cannot be read. It is rebuilt, never served. */
export class IndexFaultError extends NodeError {
  constructor(problem: string, cause?: unknown) {
    super('store/index-fault', `the index is damaged: ${problem}`, REBUILD_HELP, { cause });
  }
}

/** By what transactions can be searched (the time range is a filter on each of them). */
export const LOOKUPS = ['type', 'actor', 'subject', 'commitment', 'time'] as const;
export type Lookup = (typeof LOOKUPS)[number];

export interface TransactionPosition {
  readonly height: number;
  readonly index: number;
}

export interface LookupEntry extends TransactionPosition {
  /** Block time in milliseconds. */
  readonly time: number;
}

/** One committed block for the index: the state machine's batch and its transactions decoded. */
export interface IndexedBlock {
  readonly batch: CommitBatch;
  /** In block order; `undefined` for one that does not decode. */
  readonly transactions: readonly (Transaction | undefined)[];
  /** For a header that names another next set: that set, encoded, read from the state after the block. */
  readonly validatorsAfter?: () => Uint8Array;
}

type Table = Database<Uint8Array, Uint8Array>;

function sha256(bytes: Uint8Array): Uint8Array {
  return digest('sha256', bytes, 'buffer');
}

function bigEndian(value: number, bytes: 4 | 8): Uint8Array {
  const encoded = Buffer.alloc(bytes);
  if (bytes === 8) encoded.writeBigUInt64BE(BigInt(value));
  else encoded.writeUInt32BE(value);
  return encoded;
}

function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** The first key after all that begin with `prefix`, or `undefined` when there is none. */
function keyAfter(prefix: Uint8Array): Uint8Array | undefined {
  const end = prefix.slice();
  for (let last = end.length - 1; last >= 0; last -= 1) {
    const byte = end[last] ?? 0;
    if (byte < 0xff) {
      end[last] = byte + 1;
      return end.slice(0, last + 1);
    }
  }
  return undefined;
}

function lookupPrefix(lookup: Lookup, value: Uint8Array): Uint8Array {
  const short = lookup === 'time' ? new Uint8Array(0) : sha256(value).subarray(0, LOOKUP_VALUE_BYTES);
  return concat(Uint8Array.of(LOOKUPS.indexOf(lookup)), short);
}

/**
 * Everything that is asked of the ledger by another key than the height, and the state. All of it follows from the
 * blocks: a fault throws {@link IndexFaultError} and the node rebuilds. State is content-addressed (tree nodes and
 * values by their hash), so earlier heights stay provable and a flipped byte cannot pass for another value.
 */
export class LedgerIndex {
  readonly #mark: OpeningMark;
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #meta: Table;
  readonly #state: Table;
  readonly #values: Table;
  readonly #nodes: Table;
  readonly #headers: Table;
  readonly #heights: Table;
  readonly #transactions: Table;
  readonly #lookups: Table;
  readonly #reigns: Table;

  /** Told of the first read that does not hold, so that the node stops. The next start rebuilds the index. */
  onFault: (fault: IndexFaultError) => void = () => undefined;

  constructor(folder: string, mark: OpeningMark) {
    this.#mark = mark;
    mkdirSync(folder, { recursive: true });
    if (!isMappable(folder)) throw new IndexFaultError('its file is not whole');
    const layout = { encoding: 'binary', keyEncoding: 'binary', cache: false } as const;
    try {
      this.#root = open<Uint8Array, Uint8Array>({
        path: folder,
        maxDbs: 16,
        overlappingSync: false,
        pageSize: INDEX_PAGE_BYTES,
        ...layout,
      });
      const table = (name: string): Table => this.#root.openDB<Uint8Array, Uint8Array>({ name, ...layout });
      this.#meta = table('meta');
      this.#state = table('state');
      this.#values = table('values');
      this.#nodes = table('nodes');
      this.#headers = table('headers');
      this.#heights = table('heights');
      this.#transactions = table('transactions');
      this.#lookups = table('lookups');
      this.#reigns = table('reigns');
    } catch (cause) {
      throw new IndexFaultError(messageOf(cause), cause);
    }
  }

  /** The last indexed height, or `undefined` for an empty index. */
  get height(): number | undefined {
    const bytes = this.#meta.get(META_HEIGHT);
    return bytes === undefined ? undefined : this.#decodeHeight(bytes);
  }

  /** Committed state, for the state machine. */
  readonly state: StateStore = {
    get: (key) => this.#valueOf(this.#state.get(key)),
    scan: (prefix, countMax) => this.#scan(prefix, countMax),
    node: (hash) => this.#addressed(this.#nodes, hash, 'a state tree node'),
  };

  /** A value by the hash that a state leaf names. */
  value(hash: Uint8Array): Uint8Array | undefined {
    return this.#addressed(this.#values, hash, 'a state value');
  }

  /** Adds a block in one LMDB transaction, synced. Blocks come in order, the genesis block first. */
  apply(block: IndexedBlock): void {
    this.#root.transactionSync(() => this.#write(block));
  }

  header(height: number): BlockHeader | undefined {
    const entry = this.#headers.get(bigEndian(height, 8));
    if (!entry) return undefined;
    const bytes = plain(entry.subarray(32));
    if (!equalBytes(sha256(bytes), entry.subarray(0, 32)))
      throw this.#fault(`the header at height ${height}`);
    return headerCodec.decode(bytes);
  }

  headerHash(height: number): HeaderHash | undefined {
    const entry = this.#headers.get(bigEndian(height, 8));
    return entry && (plain(entry.subarray(0, 32)) as HeaderHash);
  }

  heightOf(headerHash: Uint8Array): number | undefined {
    const bytes = this.#heights.get(headerHash);
    return bytes && this.#decodeHeight(bytes);
  }

  /** Where a transaction stands, by its id. */
  positionOf(id: Uint8Array): TransactionPosition | undefined {
    const entry = this.#transactions.get(id);
    return entry && readPosition(entry);
  }

  /** How many transactions the chain holds. */
  get transactionCount(): number {
    return Number((this.#transactions.getStats() as { entryCount?: number }).entryCount ?? 0);
  }

  /** Every change of the validator set since genesis, in order of height. */
  *reigns(): Iterable<{ readonly height: number; readonly validators: Uint8Array }> {
    for (const { key, value } of this.#reigns.getRange()) {
      yield { height: Number(Buffer.from(key).readBigUInt64BE(0)), validators: plain(value) };
    }
  }

  /** Transactions with this property in block order, from one time to another, both included. */
  *find(
    lookup: Lookup,
    value: Uint8Array,
    range: { readonly from: number; readonly to: number },
  ): Iterable<LookupEntry> {
    const prefix = lookupPrefix(lookup, value);
    const start = concat(prefix, bigEndian(range.from, 8));
    const end = keyAfter(concat(prefix, bigEndian(range.to, 8)));
    for (const key of this.#lookups.getKeys({ start, ...(end && { end }) })) {
      const rest = Buffer.from(key.subarray(prefix.length));
      yield { time: Number(rest.readBigUInt64BE(0)), ...readPosition(rest.subarray(8)) };
    }
  }

  /** Has the transaction at this place the property? */
  matches(lookup: Lookup, value: Uint8Array, entry: LookupEntry): boolean {
    return this.#lookups.doesExist(lookupKey(lookup, value, entry));
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  #fault(problem: string, cause?: unknown): IndexFaultError {
    const fault = new IndexFaultError(problem, cause);
    this.#mark.set();
    this.onFault(fault);
    return fault;
  }

  #decodeHeight(bytes: Uint8Array): number {
    try {
      return uint.decode(plain(bytes));
    } catch (cause) {
      throw this.#fault('a height does not decode', cause);
    }
  }

  #addressed(table: Table, hash: Uint8Array, what: string): Uint8Array | undefined {
    const bytes = table.get(hash);
    if (bytes === undefined) return undefined;
    if (!equalBytes(sha256(bytes), hash)) throw this.#fault(`${what} is not what its hash says`);
    return plain(bytes);
  }

  #valueOf(hash: Uint8Array | undefined): Uint8Array | undefined {
    if (hash === undefined) return undefined;
    const value = this.value(hash);
    if (!value) throw this.#fault('a state value is missing');
    return value;
  }

  *#scan(prefix: Uint8Array, countMax: number): Iterable<readonly [Uint8Array, Uint8Array]> {
    const end = keyAfter(prefix);
    const options = { start: prefix, limit: countMax, ...(end && { end }) };
    for (const { key, value } of this.#state.getRange(options)) {
      yield [plain(key), this.#valueOf(value) ?? new Uint8Array(0)];
    }
  }

  #write({ batch, transactions, validatorsAfter }: IndexedBlock): void {
    const { header, headerHash } = batch;
    for (const { key, value } of batch.writes) this.#writeState(key, value);
    for (const { hash, bytes } of batch.nodes) this.#nodes.putSync(hash, bytes);
    this.#headers.putSync(bigEndian(header.height, 8), concat(headerHash, encodeHeader(header)));
    this.#heights.putSync(headerHash, uint.encode(header.height));
    for (const [index, transaction] of transactions.entries()) {
      const entry = { height: header.height, index, time: header.time };
      this.#lookups.putSync(lookupKey('time', new Uint8Array(0), entry), new Uint8Array(0));
      if (transaction) this.#writeTransaction(transaction, entry, batch.results[index]);
    }
    if (validatorsAfter) this.#reigns.putSync(bigEndian(header.height, 8), validatorsAfter());
    this.#meta.putSync(META_HEIGHT, uint.encode(header.height));
  }

  #writeState(key: Uint8Array, value: Uint8Array | undefined): void {
    if (key.length > STATE_KEY_BYTES_MAX) throw this.#fault('a state key is too long');
    if (value === undefined) {
      this.#state.removeSync(key);
      return;
    }
    const hash = sha256(value);
    this.#state.putSync(key, hash);
    this.#values.putSync(hash, value);
  }

  #writeTransaction(
    transaction: Transaction,
    entry: LookupEntry,
    result: CommitBatch['results'][number] | undefined,
  ): void {
    const position = concat(bigEndian(entry.height, 8), bigEndian(entry.index, 4));
    // The first place counts: a replayed transaction stands again in a block, refused, under the same id.
    if (!this.#transactions.doesExist(transaction.id)) this.#transactions.putSync(transaction.id, position);
    const put = (lookup: Lookup, value: Uint8Array): void => {
      this.#lookups.putSync(lookupKey(lookup, value, entry), new Uint8Array(0));
    };
    put('type', utf8(transaction.payload.type));
    put('actor', transaction.signer);
    put('commitment', sha256(transaction.payload.body));
    for (const event of result?.events ?? []) {
      for (const attribute of Object.values(event.attributes)) put('subject', utf8(attribute));
    }
  }
}

function lookupKey(lookup: Lookup, value: Uint8Array, entry: LookupEntry): Uint8Array {
  const place = [bigEndian(entry.time, 8), bigEndian(entry.height, 8), bigEndian(entry.index, 4)];
  return concat(lookupPrefix(lookup, value), ...place);
}

function readPosition(bytes: Uint8Array): TransactionPosition {
  const entry = Buffer.from(bytes);
  return { height: Number(entry.readBigUInt64BE(0)), index: entry.readUInt32BE(8) };
}
