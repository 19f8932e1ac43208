import { createNode, type LedgerNode, NodeError, signerOfSeed } from '@careledger/node';
import { toHex } from '@careledger/primitives';
import type { NodePlan } from './consortium.ts';
import type {
  LoadOutcome,
  NodeCommands,
  NodeState,
  NodeUsage,
  PacedOutcome,
  SeenBlock,
} from './node-commands.ts';
import { benchmarkCatalog } from './payload-capability.ts';

/** The same clock in every process of this machine, finer than a millisecond. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

/** One ledger node and the load that it is given, in whatever process this is. */
export class MeasuredNode implements NodeCommands {
  #running: LedgerNode | undefined;
  #seen: SeenBlock[] = [];

  async start({ seed, ...options }: NodePlan) {
    const node = createNode({ ...options, signer: signerOfSeed(seed), catalog: benchmarkCatalog });
    const { peer } = await node.start();
    node.onFinal((head, block) => {
      if (!block) return;
      this.#seen.push({ height: head.header.height, at: now(), transactions: block.transactions.length });
    });
    this.#running = node;
    return { node: options.node, host: peer.host, port: peer.port };
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

  seenBlocks(): readonly SeenBlock[] {
    const blocks = this.#seen;
    this.#seen = [];
    return blocks;
  }

  state(): NodeState {
    const { height, storage, stateRoot } = this.#node.status();
    return { height, ...storage, stateRoot: toHex(stateRoot) };
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
