import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Block, decodeBlock, encodeBlock } from '@careledger/ledger';
import { equalBytes } from '@careledger/primitives';
import { messageOf, NodeError } from '../errors.ts';
import type { Log } from '../log.ts';
import { DamagedRecordError } from './block-record.ts';
import type { OpeningMark } from './index-guard.ts';
import { IndexFaultError, LedgerIndex } from './ledger-index.ts';
import { SegmentStore } from './segments.ts';

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
    return new BlockStore(options, segments, index);
  }

  get index(): LedgerIndex {
    return this.#index;
  }

  /** The height of the last stored block, indexed or not. */
  get lastHeight(): number {
    return this.segments.lastHeight;
  }

  /**
   * One block, checked. `undefined` for genesis and above the last.
   * @throws DamagedRecordError rather than serve what was not written.
   */
  block(height: number): Block | undefined {
    const bytes = this.segments.read(height);
    if (!bytes) return undefined;
    const block = decodeBlock(bytes);
    if (!block.ok) throw new DamagedRecordError(height, this.segments.fileOf(height), block.error.detail);
    return block.value;
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
    const block = stored && decodeBlock(stored);
    if (!header || !block?.ok) return false;
    return (
      equalBytes(block.value.header.stateRoot, header.stateRoot) && block.value.header.time === header.time
    );
  } catch (fault) {
    if (fault instanceof IndexFaultError) return false;
    throw fault;
  }
}
