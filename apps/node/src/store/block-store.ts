import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Block, type CertifiedHeader, encodeBlock } from '@careledger/ledger';
import { equalBytes } from '@careledger/primitives';
import { messageOf, NodeError } from '../errors.ts';
import type { Log } from '../log.ts';
import { DamagedRecordError } from './block-record.ts';
import type { BeforeStep } from './durable-file.ts';
import type { OpeningMark } from './index-guard.ts';
import { IndexFaultError, LedgerIndex } from './ledger-index.ts';
import { SegmentStore } from './segments.ts';
import { listSnapshots, removeUnfinished } from './snapshot-files.ts';
import { decodeStored, encodePruned, isWhole, type StoredBlock } from './stored-block.ts';

/** After a failed write the same block is tried again this often: a full disk can be emptied. */
const RETRY_MS = 1_000;

export interface BlockStoreOptions {
  /** The node's folder: blocks stand in `segments`, the index in `state`. */
  readonly folder: string;
  readonly log: Log;
  readonly segmentBytesMax?: number;
  readonly mark: OpeningMark;
  /** States of so many newest heights stay provable; all of them unless given. */
  readonly stateHeightsKept?: number | undefined;
  /** Forget the index: it is rebuilt by replay. */
  readonly dropIndex?: boolean;
}

/** Blocks on disk and the index over them. The blocks are the truth; the index follows from them. */
export class BlockStore {
  readonly #options: BlockStoreOptions;
  readonly segments: SegmentStore;
  #index: LedgerIndex;
  #isClosing = false;
  #prunedBelow = 1;
  /** Why the last write failed, while it is being tried again. */
  writeFault: string | undefined;

  private constructor(options: BlockStoreOptions, segments: SegmentStore, index: LedgerIndex) {
    this.#options = options;
    this.segments = segments;
    this.#index = index;
  }

  /**
   * Opens both. An index that cannot be read or does not fit the blocks is dropped, to be rebuilt by replay.
   * @throws DamagedRecordError when an acknowledged block is not whole.
   */
  static async open(options: BlockStoreOptions): Promise<BlockStore> {
    const { folder, log } = options;
    const stateFolder = join(folder, 'state');
    let index = options.dropIndex ? undefined : openIndex(stateFolder, options);

    const acknowledgedHeight = index?.height ?? 0;
    removeUnfinished(join(folder, 'segments'));
    const segments = SegmentStore.open({
      folder: join(folder, 'segments'),
      acknowledgedHeight,
      ...(options.segmentBytesMax !== undefined && { segmentBytesMax: options.segmentBytesMax }),
      onTruncated: (torn) => log.warn(torn, 'cut off a torn last block record that was never acknowledged'),
    });
    if (index && !fits(index, segments)) {
      log.warn('the index does not fit the blocks: it will be rebuilt');
      await index.close();
      index = undefined;
    }
    if (!index) {
      rmSync(stateFolder, { recursive: true, force: true });
      index = new LedgerIndex(stateFolder, options.mark, { heightsKept: options.stateHeightsKept });
    }
    const store = new BlockStore(options, segments, index);
    store.#prunedBelow = store.#firstWhole();
    return store;
  }

  get index(): LedgerIndex {
    return this.#index;
  }

  /** The height of the last stored block, indexed or not. */
  get lastHeight(): number {
    return this.segments.lastHeight;
  }

  /** Where block files and snapshots stand. */
  get blockFolder(): string {
    return join(this.#options.folder, 'segments');
  }

  /** Blocks below this height have no body any more; 1 when none was pruned. */
  get prunedBelow(): number {
    return this.#prunedBelow;
  }

  /**
   * One record, checked: a whole block, or its header and certificate. `undefined` for genesis and above the last.
   * @throws DamagedRecordError rather than serve what was not written.
   */
  stored(height: number): StoredBlock | undefined {
    const bytes = this.segments.read(height);
    if (!bytes) return undefined;
    const stored = decodeStored(bytes);
    if (!stored.ok) throw new DamagedRecordError(height, this.segments.fileOf(height), stored.error);
    return stored.value;
  }

  /** Header and certificate, which stay for good. @throws DamagedRecordError. */
  certified(height: number): CertifiedHeader | undefined {
    return this.stored(height);
  }

  /** One whole block. @throws DamagedRecordError, NodeError `ledger/pruned`. */
  block(height: number): Block | undefined {
    const stored = this.stored(height);
    if (stored === undefined || isWhole(stored)) return stored;
    throw new NodeError(
      'ledger/pruned',
      `the body of block ${height} is no longer kept: the oldest is that of block ${this.prunedBelow}`,
      'Ask a node that keeps more, or for a later block. Its header and certificate are still here.',
    );
  }

  /**
   * Takes the bodies out of the files below a height, a file at a time and the lowest first, so that what has no body
   * is always a beginning of the chain. Nothing may be appended meanwhile. The caller has seen to a snapshot.
   */
  async prune(below: number, beforeStep: BeforeStep): Promise<void> {
    for (const { firstHeight, lastHeight } of this.segments.files) {
      if (firstHeight >= below || lastHeight < this.#prunedBelow) continue;
      const change = (height: number, bytes: Uint8Array): Uint8Array => {
        const stored = height < below ? this.stored(height) : undefined;
        return stored ? encodePruned(stored) : bytes;
      };
      await this.segments.rewriteFile(firstHeight, change, beforeStep);
      this.#prunedBelow = Math.max(this.#prunedBelow, Math.min(below, lastHeight + 1));
    }
  }

  /** Bodies are pruned from below and never without a snapshot, so the first whole block is found in log n reads. */
  #firstWhole(): number {
    if (listSnapshots(this.blockFolder).length === 0) return 1;
    let low = 1;
    let high = this.lastHeight + 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const stored = this.stored(middle);
      if (stored && isWhole(stored)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Puts a block on disk; keeps trying while the disk refuses. @throws NodeError `node/stopping` when given up. */
  async append(block: Block): Promise<void> {
    const bytes = encodeBlock(block);
    for (;;) {
      try {
        await this.segments.append(block.header.height, bytes);
        this.writeFault = undefined;
        return;
      } catch (fault) {
        this.writeFault = messageOf(fault);
        this.#options.log.error(
          { height: block.header.height, problem: this.writeFault },
          'cannot store a block',
        );
        if (!this.#isClosing) await wait(RETRY_MS);
        if (this.#isClosing)
          throw new NodeError('node/stopping', 'the node stops', 'Start it again.', { cause: fault });
      }
    }
  }

  /** No further attempts to write. */
  giveUp(): void {
    this.#isClosing = true;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.segments.close();
    await this.#index.close();
  }
}

function openIndex(
  folder: string,
  { log, mark, stateHeightsKept }: BlockStoreOptions,
): LedgerIndex | undefined {
  try {
    const index = new LedgerIndex(folder, mark, { heightsKept: stateHeightsKept });
    // Reading the height is the cheapest proof that the file is what we wrote.
    void index.height;
    return index;
  } catch (fault) {
    if (!(fault instanceof IndexFaultError)) throw fault;
    log.warn({ problem: fault.message }, 'the index cannot be read: it will be rebuilt');
    return undefined;
  }
}

function fits(index: LedgerIndex, segments: SegmentStore): boolean {
  try {
    const { height } = index;
    if (height === undefined || height === 0) return true;
    const header = index.header(height);
    const stored = segments.read(height);
    const block = stored && decodeStored(stored);
    if (!header || !block?.ok) return false;
    return (
      equalBytes(block.value.header.stateRoot, header.stateRoot) && block.value.header.time === header.time
    );
  } catch (fault) {
    if (fault instanceof IndexFaultError) return false;
    throw fault;
  }
}
