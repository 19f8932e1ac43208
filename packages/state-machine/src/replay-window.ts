import { type Block, decodeTransaction, TRANSACTION_BYTES_CEILING } from '@careledger/ledger';
import { equalBytes, invariant } from '@careledger/primitives';
import { byteName } from './branch.ts';
import type { StateReader } from './capability.ts';
import { isFormCode, refusals } from './refusals.ts';
import { EMPTY_BUCKET, extendBucket, listBuckets } from './system-state.ts';

/** How far ahead of the including block's time a transaction may expire, in milliseconds. */
export const EXPIRY_AHEAD_MAX = 600_000;
export const BUCKET_MILLISECONDS = 60_000;

/** The one-minute bucket of a block time. */
export function minuteOf(time: number): number {
  return Math.floor(time / BUCKET_MILLISECONDS);
}

/** Can no transaction of a block in this minute be alive any more at this block time? */
export function isBucketOver(minute: number, time: number): boolean {
  return (minute + 1) * BUCKET_MILLISECONDS + EXPIRY_AHEAD_MAX <= time;
}

/** The ids of one minute's transactions in the order in which blocks hold them. */
export interface ReplayMinute {
  readonly minute: number;
  readonly ids: readonly Uint8Array[];
}

/** Which transactions stood in blocks so recently that they could be shown again. */
export interface ReplayReader {
  /**
   * Did a transaction with this id stand in a block whose bucket is open at this block time? What is older counts as
   * unknown even where memory still holds it, or a node that started later would judge otherwise.
   */
  readonly has: (id: Uint8Array, time: number) => boolean;
}

/** The ids that one draft adds, over its parent's. */
export class ReplayBranch implements ReplayReader {
  #parent: ReplayReader;
  readonly #time: number;
  readonly #names = new Set<string>();
  readonly ids: Uint8Array[] = [];

  /** @param time The draft's block time. */
  constructor(parent: ReplayReader, time: number) {
    this.#parent = parent;
    this.#time = time;
  }

  rebase(parent: ReplayReader): void {
    this.#parent = parent;
  }

  readonly has = (id: Uint8Array, time: number): boolean => {
    const isOwn = this.#names.has(byteName(id)) && !isBucketOver(minuteOf(this.#time), time);
    return isOwn || this.#parent.has(id, time);
  };

  add(id: Uint8Array): void {
    this.#names.add(byteName(id));
    this.ids.push(id);
  }
}

/** The ids of the open buckets, in memory. State holds their counts and digests, so a wrong window is found. */
export class ReplayWindow implements ReplayReader {
  readonly #minutes = new Map<number, { readonly names: Set<string>; readonly ids: Uint8Array[] }>();

  readonly has = (id: Uint8Array, time: number): boolean => {
    const name = byteName(id);
    for (const [minute, { names }] of this.#minutes) {
      if (names.has(name) && !isBucketOver(minute, time)) return true;
    }
    return false;
  };

  /** Takes over the ids of a block and drops the buckets that are over at its time. */
  add(time: number, ids: readonly Uint8Array[]): void {
    const minute = minuteOf(time);
    const bucket = this.#minutes.get(minute) ?? { names: new Set<string>(), ids: [] };
    for (const id of ids) {
      bucket.names.add(byteName(id));
      bucket.ids.push(id);
    }
    if (bucket.ids.length > 0) this.#minutes.set(minute, bucket);
    for (const other of [...this.#minutes.keys()]) {
      if (isBucketOver(other, time)) this.#minutes.delete(other);
    }
  }

  /** Oldest first. */
  minutes(): readonly ReplayMinute[] {
    return [...this.#minutes]
      .sort(([left], [right]) => left - right)
      .map(([minute, { ids }]) => ({ minute, ids: [...ids] }));
  }

  /** The first minute whose ids are not those that state counted, or `undefined`. */
  mismatch(state: StateReader): number | undefined {
    const held = new Map(this.minutes().map(({ minute, ids }) => [minute, ids]));
    for (const { minute, bucket } of listBuckets(state)) {
      const { count, digest } = extendBucket(EMPTY_BUCKET, held.get(minute) ?? []);
      if (count !== bucket.count || !equalBytes(digest, bucket.digest)) return minute;
      held.delete(minute);
    }
    const surplus = held.keys().next();
    return surplus.done ? undefined : surplus.value;
  }
}

/** Must a node feed the block of this time to restore the window of a chain whose newest block has that time? */
export function isInReplayWindow(blockTime: number, headTime: number): boolean {
  return !isBucketOver(minuteOf(blockTime), headTime);
}

/** The ids that a block made the chain remember: of the well-formed transactions, those that it had not seen. */
function rememberedIds({
  transactions,
  results,
}: Pick<Block, 'transactions' | 'results'>): readonly Uint8Array[] {
  const ids: Uint8Array[] = [];
  for (const [index, bytes] of transactions.entries()) {
    const code = results[index]?.code;
    if (code === undefined || isFormCode(code) || code === refusals['transaction/replayed']) continue;
    const decoded = decodeTransaction(bytes, { bytesMax: TRANSACTION_BYTES_CEILING });
    invariant(decoded.ok, 'a transaction that was executed can be decoded');
    ids.push(decoded.value.id);
  }
  return ids;
}

/** The window after these blocks in height order: see {@link isInReplayWindow} for how far back they must reach. */
export function replayWindowOf(
  blocks: Iterable<Pick<Block, 'header' | 'transactions' | 'results'>>,
): ReplayWindow {
  const window = new ReplayWindow();
  for (const block of blocks) window.add(block.header.time, rememberedIds(block));
  return window;
}

/** The window that a snapshot carries. */
export function replayWindowFrom(minutes: readonly ReplayMinute[]): ReplayWindow {
  const window = new ReplayWindow();
  for (const { minute, ids } of minutes) window.add(minute * BUCKET_MILLISECONDS, ids);
  return window;
}
