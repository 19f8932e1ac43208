import type { Transaction } from '@careledger/ledger';
import { concat, utf8 } from '@careledger/primitives';
import { byteName, type CommitBatch } from '@careledger/state-machine';
import { nativeSha256 } from '../native-hash.ts';
import { bigEndian, HEIGHT_BYTES, keyAfter } from './index-keys.ts';
import { RecentMap } from './recent-map.ts';
import type { Table } from './state-tables.ts';

const LOOKUP_VALUE_BYTES = 16;
const PLACE_BYTES = 4;
/** Prefixes kept in memory are those of short words: of types, keys and organizations, not of digests. */
const LOOKUP_TEXT_BYTES = 32;
const RECENT_PREFIXES_MAX = 4_096;
const NOTHING = new Uint8Array(0);

/** By what transactions can be searched, and blocks by proposer (the time range is a filter on each of them). */
export const LOOKUPS = ['type', 'actor', 'subject', 'commitment', 'time', 'proposer'] as const;
export type Lookup = (typeof LOOKUPS)[number];

export interface TransactionPosition {
  readonly height: number;
  readonly index: number;
}

export interface LookupEntry extends TransactionPosition {
  /** Block time in milliseconds. */
  readonly time: number;
}

/** From when to when, in milliseconds of block time, both included. */
export interface LookupRange {
  readonly from: number;
  readonly to: number;
  readonly after?: LookupEntry | undefined;
}

/** The same types, actors and organizations come with every transaction. */
const recentPrefixes = new RecentMap<Uint8Array>(RECENT_PREFIXES_MAX);

function lookupPrefix(lookup: Lookup, value: Uint8Array): Uint8Array {
  if (lookup === 'time') return Uint8Array.of(LOOKUPS.indexOf(lookup));
  const name = byteName(value);
  const recent = recentPrefixes.get(`${lookup}/${name}`);
  if (recent) return recent;
  const short = nativeSha256(value).subarray(0, LOOKUP_VALUE_BYTES);
  const prefix = concat(Uint8Array.of(LOOKUPS.indexOf(lookup)), short);
  if (value.length <= LOOKUP_TEXT_BYTES) recentPrefixes.set(`${lookup}/${name}`, prefix);
  return prefix;
}

/** `time, height, index`: where a transaction stands among those with the same property. */
function placeBytes({ time, height, index }: LookupEntry): Uint8Array {
  const bytes = new Uint8Array(2 * HEIGHT_BYTES + PLACE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(time));
  view.setBigUint64(HEIGHT_BYTES, BigInt(height));
  view.setUint32(2 * HEIGHT_BYTES, index);
  return bytes;
}

function lookupKey(lookup: Lookup, value: Uint8Array, entry: LookupEntry): Uint8Array {
  return concat(lookupPrefix(lookup, value), placeBytes(entry));
}

function readPosition(bytes: Uint8Array): TransactionPosition {
  const entry = Buffer.from(bytes);
  return { height: Number(entry.readBigUInt64BE(0)), index: entry.readUInt32BE(8) };
}

/** Where transactions stand, by id and by what they and their events tell. Written inside the index's transactions. */
export class TransactionLookups {
  /** Id → height and index. */
  readonly #positions: Table;
  /** Property, time, height and index, without a value. */
  readonly #places: Table;

  constructor(positions: Table, places: Table) {
    this.#positions = positions;
    this.#places = places;
  }

  /** Where a transaction stands, by its id. */
  positionOf(id: Uint8Array): TransactionPosition | undefined {
    const entry = this.#positions.get(id);
    return entry && readPosition(entry);
  }

  /** How many transactions are known by id. */
  get count(): number {
    return Number((this.#positions.getStats() as { entryCount?: number }).entryCount ?? 0);
  }

  /**
   * Transactions (or blocks, as their first transaction) with this property in block order, from one time to another,
   * both included.
   * @param range.after Begins behind this one: where the page before ended.
   */
  *find(lookup: Lookup, value: Uint8Array, range: LookupRange): Iterable<LookupEntry> {
    const prefix = lookupPrefix(lookup, value);
    const { after } = range;
    const first = concat(prefix, bigEndian(range.from, 8));
    const start = after ? lookupKey(lookup, value, { ...after, index: after.index + 1 }) : first;
    const end = keyAfter(concat(prefix, bigEndian(range.to, 8)));
    for (const key of this.#places.getKeys({ start, ...(end && { end }) })) {
      const rest = Buffer.from(key.subarray(prefix.length));
      yield { time: Number(rest.readBigUInt64BE(0)), ...readPosition(rest.subarray(8)) };
    }
  }

  /** Has the transaction at this place the property? */
  matches(lookup: Lookup, value: Uint8Array, entry: LookupEntry): boolean {
    return this.#places.doesExist(lookupKey(lookup, value, entry));
  }

  /** Takes over one block. @param transactions Decoded, in block order; `undefined` for one that does not decode. */
  write({ header, results }: CommitBatch, transactions: readonly (Transaction | undefined)[]): void {
    const { height, time, proposer } = header;
    for (const [index, transaction] of transactions.entries()) {
      const entry = { height, index, time };
      this.#places.putSync(lookupKey('time', NOTHING, entry), NOTHING);
      if (transaction) this.#writeTransaction(transaction, entry, results[index]);
    }
    this.#places.putSync(lookupKey('proposer', proposer, { height, index: 0, time }), NOTHING);
  }

  #writeTransaction(
    transaction: Transaction,
    entry: LookupEntry,
    result: CommitBatch['results'][number] | undefined,
  ): void {
    const place = placeBytes(entry);
    const position = place.subarray(HEIGHT_BYTES);
    // The first place counts: a replayed transaction stands again in a block, refused, under the same id.
    if (!this.#positions.doesExist(transaction.id)) this.#positions.putSync(transaction.id, position);
    const put = (lookup: Lookup, value: Uint8Array): void => {
      this.#places.putSync(concat(lookupPrefix(lookup, value), place), NOTHING);
    };
    put('type', utf8(transaction.payload.type));
    put('actor', transaction.signer);
    put('commitment', nativeSha256(transaction.payload.body));
    for (const event of result?.events ?? []) {
      for (const attribute of Object.values(event.attributes)) put('subject', utf8(attribute));
    }
  }
}
