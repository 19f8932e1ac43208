import { mkdirSync } from 'node:fs';
import { type BlockHeader, encodeHeader, headerCodec, type Transaction } from '@careledger/ledger';
import { concat, equalBytes, type HeaderHash, invariant, uint, utf8 } from '@careledger/primitives';
import type { CommitBatch } from '@careledger/state-machine';
import { open, type RootDatabase } from 'lmdb';
import { messageOf, NodeError } from '../errors.ts';
import { nativeSha256 } from '../native-hash.ts';
import { INDEX_PAGE_BYTES, isMappable, type OpeningMark } from './index-guard.ts';
import { bigEndian, plain } from './index-keys.ts';
import { StateTables, type Table } from './state-tables.ts';
import {
  type Lookup,
  type LookupEntry,
  type LookupRange,
  TransactionLookups,
  type TransactionPosition,
} from './transaction-lookups.ts';

const REBUILD_HELP = 'Restart the node: it rebuilds its index from the block files.';
const META_HEIGHT = utf8('height');
const META_LAYOUT = utf8('layout');
/** Raised when the tables change: an index of another layout is rebuilt. */
const LAYOUT = uint.encode(2);
/** Blocks are written to the index at the latest when so many wait, or the first of them for so long. */
const WAITING_BLOCKS_MAX = 256;
const WAITING_MS_MAX = 250;
/** Transactions and tree nodes that may wait. */
const WAITING_ENTRIES_MAX = 16_384;
/** Old states that one block may clear away, so that no block waits for a long backlog. */
const PRUNED_AT_ONCE_MAX = 16;

/** The index holds something else than what was written, or cannot be read. It is rebuilt, never served. */
export class IndexFaultError extends NodeError {
  constructor(problem: string, cause?: unknown) {
    super('store/index-fault', `the index is damaged: ${problem}`, REBUILD_HELP, { cause });
  }
}

/** One committed block for the index: the state machine's batch and its transactions decoded. */
export interface IndexedBlock {
  readonly batch: CommitBatch;
  /** In block order; `undefined` for one that does not decode. */
  readonly transactions: readonly (Transaction | undefined)[];
  /** For a header that names another next set: that set, encoded, read from the state after the block. */
  readonly validatorsAfter?: () => Uint8Array;
  /** The whole state of a snapshot stands in the batch: nothing is known of earlier states. */
  readonly isSnapshot?: boolean;
}

interface WaitingBlock extends Omit<IndexedBlock, 'validatorsAfter'> {
  readonly validatorsAfter: Uint8Array | undefined;
}

/**
 * Everything that is asked of the ledger by another key than the height, and the state. All of it follows from the
 * blocks: a fault throws {@link IndexFaultError} and the node rebuilds.
 */
export class LedgerIndex {
  readonly #mark: OpeningMark;
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #meta: Table;
  readonly #headers: Table;
  readonly #heights: Table;
  readonly #lookups: TransactionLookups;
  readonly #reigns: Table;
  #waiting: WaitingBlock[] = [];
  #waitingEntries = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Told of the first read that does not hold, so that the node stops. The next start rebuilds the index. */
  onFault: (fault: IndexFaultError) => void = () => undefined;

  /** State of the newest and of every kept height, and the history of each key. */
  readonly state: StateTables;

  /** @param options.heightsKept How many newest states stay provable; all unless given. */
  constructor(
    folder: string,
    mark: OpeningMark,
    options: { readonly heightsKept?: number | undefined } = {},
  ) {
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
      this.#headers = table('headers');
      this.#heights = table('heights');
      this.#lookups = new TransactionLookups(table('transactions'), table('lookups'));
      this.#reigns = table('reigns');
      this.state = new StateTables({
        table,
        meta: this.#meta,
        settle: () => this.settle(),
        fault: (problem) => this.#fault(problem),
        stateRootOf: (height) => {
          const header = this.#header(height);
          invariant(header, 'every height up to the head has a header');
          return header.stateRoot;
        },
        heightsKept: options.heightsKept,
      });
    } catch (cause) {
      throw new IndexFaultError(messageOf(cause), cause);
    }
  }

  /** The last indexed height, or `undefined` for an empty index. */
  get height(): number | undefined {
    this.settle();
    const bytes = this.#meta.get(META_HEIGHT);
    if (bytes === undefined) return undefined;
    const layout = this.#meta.get(META_LAYOUT);
    if (!layout || !equalBytes(layout, LAYOUT))
      throw new IndexFaultError('it has the layout of another version');
    return this.#decodeHeight(bytes);
  }

  /**
   * Adds a block; blocks come in order, the genesis block first. Some wait for the next ones and are written together,
   * in one synced LMDB transaction (decision 0035): until then state is read from memory, and whatever else is asked
   * has them written first. What a crash takes of the index is made again from the blocks, which are on disk.
   */
  apply(block: IndexedBlock): void {
    this.state.take(block.batch);
    this.#waiting.push({ ...block, validatorsAfter: block.validatorsAfter?.() });
    this.#waitingEntries += block.batch.nodes.length + block.transactions.length;
    const isFull = this.#waiting.length >= WAITING_BLOCKS_MAX || this.#waitingEntries >= WAITING_ENTRIES_MAX;
    if (isFull || block.batch.header.height === 0) this.settle();
    else this.#timer ??= setTimeout(() => this.#settleLate(), WAITING_MS_MAX);
  }

  /** Writes the blocks that wait. */
  settle(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#root.transactionSync(() => {
      for (const block of waiting) this.#write(block);
    });
    this.#waiting = [];
    this.#waitingEntries = 0;
    this.state.settled();
  }

  #settleLate(): void {
    try {
      this.settle();
    } catch (cause) {
      this.onFault(new IndexFaultError('it cannot be written', cause));
    }
  }

  header(height: number): BlockHeader | undefined {
    this.settle();
    return this.#header(height);
  }

  #header(height: number): BlockHeader | undefined {
    const entry = this.#headers.get(bigEndian(height, 8));
    if (!entry) return undefined;
    const bytes = plain(entry.subarray(32));
    if (!equalBytes(nativeSha256(bytes), entry.subarray(0, 32)))
      throw this.#fault(`the header at height ${height}`);
    return headerCodec.decode(bytes);
  }

  headerHash(height: number): HeaderHash | undefined {
    this.settle();
    const entry = this.#headers.get(bigEndian(height, 8));
    return entry && (plain(entry.subarray(0, 32)) as HeaderHash);
  }

  heightOf(headerHash: Uint8Array): number | undefined {
    this.settle();
    const bytes = this.#heights.get(headerHash);
    return bytes && this.#decodeHeight(bytes);
  }

  /** The last height whose block time is at most `time`, or `undefined` before genesis. Block times never go back. */
  heightAt(time: number): number | undefined {
    let low = 0;
    let high = (this.height ?? -1) + 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const header = this.header(middle);
      invariant(header, 'every height up to the head has a header');
      if (header.time <= time) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : low - 1;
  }

  /** Where a transaction stands, by its id. */
  positionOf(id: Uint8Array): TransactionPosition | undefined {
    this.settle();
    return this.#lookups.positionOf(id);
  }

  /** How many transactions the chain holds. */
  get transactionCount(): number {
    this.settle();
    return this.#lookups.count;
  }

  /** Every change of the validator set since genesis, in order of height. */
  *reigns(): Iterable<{ readonly height: number; readonly validators: Uint8Array }> {
    this.settle();
    for (const { key, value } of this.#reigns.getRange()) {
      yield { height: Number(Buffer.from(key).readBigUInt64BE(0)), validators: plain(value) };
    }
  }

  /** See {@link TransactionLookups.find}. */
  *find(lookup: Lookup, value: Uint8Array, range: LookupRange): Iterable<LookupEntry> {
    this.settle();
    yield* this.#lookups.find(lookup, value, range);
  }

  /** Has the transaction at this place the property? */
  matches(lookup: Lookup, value: Uint8Array, entry: LookupEntry): boolean {
    this.settle();
    return this.#lookups.matches(lookup, value, entry);
  }

  async close(): Promise<void> {
    try {
      this.settle();
    } catch {
      // The blocks are on disk: the next start makes from them what could not be written now.
    }
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

  #write({ batch, transactions, validatorsAfter, isSnapshot }: WaitingBlock): void {
    const { header, headerHash } = batch;
    this.state.write(batch);
    if (isSnapshot) this.state.beginAt(header.height);
    this.#headers.putSync(bigEndian(header.height, 8), concat(headerHash, encodeHeader(header)));
    this.#heights.putSync(headerHash, uint.encode(header.height));
    this.#lookups.write(batch, transactions);
    if (validatorsAfter) this.#reigns.putSync(bigEndian(header.height, 8), validatorsAfter);
    this.state.prune(header.height, PRUNED_AT_ONCE_MAX);
    this.#meta.putSync(META_LAYOUT, LAYOUT);
    this.#meta.putSync(META_HEIGHT, uint.encode(header.height));
  }
}
