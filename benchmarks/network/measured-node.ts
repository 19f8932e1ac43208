import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { anchorRecordsCodec } from '@careledger/capabilities';
import { PADDING_LEAF_BYTES, paddingCountOf, recordBatchOf, signTransaction } from '@careledger/ledger';
import { createNode, type LedgerNode, NodeError, signerOfSeed } from '@careledger/node';
import { type Commitment, type Signer, toHex } from '@careledger/primitives';
import type { NodePlan } from './consortium.ts';
import type {
  AnchorLoad,
  FillLoad,
  LoadOutcome,
  NodeCommands,
  NodeState,
  NodeUsage,
  PacedOutcome,
  SeenBlock,
} from './node-commands.ts';
import { benchmarkCatalog, fillCodec } from './payload-capability.ts';

/** Anchors on their way at one time. */
const BATCHES_IN_FLIGHT = 8;
const KEYS_IN_TRANSACTION = 2_000;
const EXPIRES_AFTER = 60_000;

function random(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}

function paddingOf(count: number): readonly Uint8Array[] {
  return Array.from({ length: paddingCountOf(count) }, () => random(PADDING_LEAF_BYTES));
}

/** The same clock in every process of this machine, finer than a millisecond. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

/** One ledger node and the load that it is given, in whatever process this is. */
export class MeasuredNode implements NodeCommands {
  #running: LedgerNode | undefined;
  #folder = '';
  #seen: SeenBlock[] = [];

  async start({ seed, ...options }: NodePlan) {
    const began = now();
    const node = createNode({ ...options, signer: signerOfSeed(seed), catalog: benchmarkCatalog });
    const { peer } = await node.start();
    node.onFinal((head, block) => {
      if (!block) return;
      this.#seen.push({ height: head.header.height, at: now(), transactions: block.transactions.length });
    });
    this.#running = node;
    this.#folder = options.folder;
    return { node: options.node, host: peer.host, port: peer.port, milliseconds: now() - began };
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }

  addPeers(peers: Parameters<LedgerNode['addPeers']>[0]): void {
    this.#node.addPeers(peers);
  }

  async submitAll(load: Parameters<NodeCommands['submitAll']>[0]): Promise<LoadOutcome> {
    const { transactions, window } = load;
    const began = now();
    let next = 0;
    let accepted = 0;
    const submitter = async (): Promise<void> => {
      for (let bytes = transactions[next++]; bytes; bytes = transactions[next++]) {
        if (await this.#submit(bytes)) accepted += 1;
      }
    };
    await Promise.all(Array.from({ length: Math.min(window, transactions.length) }, submitter));
    return { accepted, refused: transactions.length - accepted, milliseconds: now() - began };
  }

  async submitPaced(load: Parameters<NodeCommands['submitPaced']>[0]): Promise<readonly PacedOutcome[]> {
    const began = now();
    const outcomes = load.transactions.map(async (bytes, index) => {
      const due = began + (index * 1000) / load.perSecond;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - now())));
      const submittedAt = now();
      const { height } = await this.#node.submit(bytes);
      return { submittedAt, finalAt: now(), height };
    });
    return Promise.all(outcomes);
  }

  async anchorRecords(load: AnchorLoad): Promise<{ records: number; milliseconds: number }> {
    const { batches, recordsInBatch } = load;
    const signer = signerOfSeed(load.seed);
    const leaves = Array.from({ length: recordsInBatch }, () => ({
      commitment: random(32) as Commitment,
      retireKey: random(32),
    }));
    const began = now();
    const anchor = async (): Promise<void> => {
      const { root } = recordBatchOf({ leaves, padding: paddingOf(recordsInBatch) });
      const body = anchorRecordsCodec.encode({ root, retirements: [] });
      await this.#node.submit(this.#sign(signer, 'records/anchor', body));
    };
    for (let made = 0; made < batches; made += BATCHES_IN_FLIGHT) {
      const count = Math.min(BATCHES_IN_FLIGHT, batches - made);
      await Promise.all(Array.from({ length: count }, anchor));
    }
    return { records: batches * recordsInBatch, milliseconds: now() - began };
  }

  async fillState({ from: first, keys, seed }: FillLoad): Promise<void> {
    const signer = signerOfSeed(seed);
    for (let from = first; from < keys; from += KEYS_IN_TRANSACTION) {
      const body = fillCodec.encode({ from, count: Math.min(KEYS_IN_TRANSACTION, keys - from) });
      await this.#node.submit(this.#sign(signer, 'payload/fill', body));
    }
  }

  seenBlocks(): readonly SeenBlock[] {
    const blocks = this.#seen;
    this.#seen = [];
    return blocks;
  }

  state(): NodeState {
    const { height, storage, stateRoot } = this.#node.status();
    return { height, ...storage, indexBytes: this.#indexBytes(), stateRoot: toHex(stateRoot) };
  }

  usage(): NodeUsage {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    return { userMs: user / 1000, systemMs: system / 1000, residentBytes: rss, heapBytes: heapUsed };
  }

  async verifyStore(): Promise<{ readonly height: number; readonly milliseconds: number }> {
    const began = now();
    const verdict = await this.#node.verifyStore();
    if (!verdict.ok) throw new Error(verdict.message);
    return { height: verdict.height, milliseconds: now() - began };
  }

  /** The file is sparse: what counts are the blocks that the file system gave it. */
  #indexBytes(): number {
    const { blocks = 0 } = statSync(join(this.#folder, 'state', 'data.mdb'));
    return blocks * 512;
  }

  #sign(signer: Signer, type: string, body: Uint8Array): Uint8Array {
    const expiresAt = Date.now() + EXPIRES_AFTER;
    const payload = { chain: this.#node.chain, nonce: random(16), expiresAt, type, body };
    return signTransaction({ payload, signer }).bytes;
  }

  async #submit(bytes: Uint8Array): Promise<boolean> {
    try {
      return (await this.#node.submit(bytes)).result.code === 0;
    } catch (fault) {
      if (fault instanceof NodeError) return false;
      throw fault;
    }
  }

  get #node(): LedgerNode {
    if (!this.#running) throw new Error('the node is not started');
    return this.#running;
  }
}
