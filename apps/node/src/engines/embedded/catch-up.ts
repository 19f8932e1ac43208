import type { NodeId } from '@careledger/primitives';
import type { Chain } from '../../chain/chain.ts';
import { messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Mesh, Peer } from '../../transport/mesh.ts';
import { BLOCKS_BYTES_MAX, BLOCKS_COUNT_MAX, type PeerMessage } from '../../transport/peer-message.ts';

/** How long a peer may take to answer with blocks. */
const ANSWER_MS_MAX = 5_000;

interface Request {
  readonly number: number;
  readonly peer: NodeId;
  readonly resolve: (answer: Answer) => void;
  readonly timer: NodeJS.Timeout;
}

/** Blocks, none in time, or that the peer has pruned what was asked for. */
type Answer = readonly Uint8Array[] | { readonly prunedBelow: number } | undefined;

export interface CatchUpSurroundings {
  readonly chain: Chain;
  readonly mesh: Mesh;
  readonly log: Log;
  /** Between two steps of the protocol. */
  readonly exclusively: <Value>(work: () => Promise<Value>) => Promise<Value>;
  /** Blocks were added: the protocol and the mempool are to be told. */
  readonly onCaughtUp: () => void;
  /** A certified block executes to something else here, or the store broke. */
  readonly onFault: (fault: unknown) => void;
}

/**
 * Fetches the blocks that this node lacks and takes them one by one, each verified against the one before, its
 * certificate and its execution. A peer that sends anything else is dropped; the next one is asked.
 */
export class CatchUp {
  readonly #around: CatchUpSurroundings;
  readonly #requests = new Map<number, Request>();
  #number = 0;
  #running: Promise<void> | undefined;
  #isStopped = false;
  /** Blocks taken from peers since the start. */
  taken = 0;

  constructor(around: CatchUpSurroundings) {
    this.#around = around;
  }

  /** Starts with this peer, if not under way already. */
  begin(from: string): void {
    if (this.#running || this.#isStopped) return;
    this.#running = this.#run(from)
      .catch((fault: unknown) => {
        if (!this.#isStopped) this.#around.onFault(fault);
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** An answer that some request waits for. One that nobody asked for is ignored. */
  receive(peer: Peer, number: number, blocks: readonly Uint8Array[]): void {
    const request = this.#requests.get(number);
    if (request?.peer === peer.node) this.#settle(request, blocks);
  }

  /** An answer too: the peer keeps bodies only from this height on. */
  receivePruned(peer: Peer, number: number, prunedBelow: number): void {
    const request = this.#requests.get(number);
    if (request?.peer === peer.node) this.#settle(request, { prunedBelow });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const request of this.#requests.values()) this.#settle(request, undefined);
    await this.#running;
  }

  async #run(from: string): Promise<void> {
    const { chain, mesh, log } = this.#around;
    const began = Date.now();
    const first = chain.height + 1;
    const asked = new Set<NodeId>();
    for (let peer = mesh.peerByKey(from); peer && !this.#isStopped; peer = this.#next(asked)) {
      asked.add(peer.node);
      await this.#takeFrom(peer);
    }
    if (chain.height < first) return;
    log.info({ from: first, to: chain.height, milliseconds: Date.now() - began }, 'caught up with the peers');
  }

  #next(asked: ReadonlySet<NodeId>): Peer | undefined {
    return this.#around.mesh.peers.find((peer) => !asked.has(peer.node));
  }

  /** Takes what this peer has, until it has no more or proves to be a liar. */
  async #takeFrom(peer: Peer): Promise<void> {
    const { chain, exclusively, onCaughtUp } = this.#around;
    for (;;) {
      const blocks = await this.#ask(peer, chain.height + 1);
      if (blocks && 'prunedBelow' in blocks) {
        const { prunedBelow } = blocks;
        const height = chain.height + 1;
        const message = 'a peer no longer keeps the blocks that this node lacks: the next one is asked';
        this.#around.log.warn({ peer: peer.node, height, prunedBelow }, message);
        return;
      }
      if (!blocks || blocks.length === 0) return;
      const problem = await this.#takeAll(blocks, exclusively);
      onCaughtUp();
      if (problem === undefined) continue;
      this.#around.log.warn(
        { peer: peer.node, height: chain.height + 1, problem },
        'a peer sent a wrong block',
      );
      peer.drop(`a wrong block: ${problem}`);
      return;
    }
  }

  async #takeAll(
    blocks: readonly Uint8Array[],
    exclusively: CatchUpSurroundings['exclusively'],
  ): Promise<string | undefined> {
    for (const bytes of blocks) {
      if (this.#isStopped) return undefined;
      const taken = await exclusively(() => this.#around.chain.importBlock(bytes));
      if (!taken.ok) return taken.error.code;
      this.taken += 1;
    }
    return undefined;
  }

  #ask(peer: Peer, from: number): Promise<Answer> {
    this.#number += 1;
    const number = this.#number;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        const request = this.#requests.get(number);
        if (request) this.#settle(request, undefined);
      }, ANSWER_MS_MAX);
      this.#requests.set(number, { number, peer: peer.node, resolve, timer });
      peer.send({ kind: 'blocks-request', number, from, countMax: BLOCKS_COUNT_MAX });
    });
  }

  #settle(request: Request, answer: Answer): void {
    clearTimeout(request.timer);
    this.#requests.delete(request.number);
    request.resolve(answer);
  }
}

/** What a peer is told that asks for blocks. */
export function blocksAnswer(
  chain: Chain,
  request: { readonly number: number; readonly from: number; readonly countMax: number },
  log: Log,
): Extract<PeerMessage, { readonly kind: 'blocks' | 'blocks-pruned' }> {
  const { number, from } = request;
  const { prunedBelow } = chain.store;
  if (from < prunedBelow) return { kind: 'blocks-pruned', number, below: prunedBelow };
  const limits = { bytesMax: BLOCKS_BYTES_MAX, countMax: BLOCKS_COUNT_MAX, log };
  return { kind: 'blocks', number, blocks: blocksFrom(chain, request, limits) };
}

/** The encoded blocks from a height on, within the limits of one answer. Damaged ones are not served. */
export function blocksFrom(
  chain: Chain,
  request: { readonly from: number; readonly countMax: number },
  limits: { readonly bytesMax: number; readonly countMax: number; readonly log: Log },
): readonly Uint8Array[] {
  const blocks: Uint8Array[] = [];
  let bytes = 0;
  const last = Math.min(chain.height, request.from + Math.min(request.countMax, limits.countMax) - 1);
  for (let height = request.from; height <= last && height > 0; height += 1) {
    try {
      const block = chain.store.segments.read(height);
      if (!block || (blocks.length > 0 && bytes + block.length > limits.bytesMax)) return blocks;
      blocks.push(block);
      bytes += block.length;
    } catch (fault) {
      limits.log.error({ height, problem: messageOf(fault) }, 'a damaged block is not served');
      return blocks;
    }
  }
  return blocks;
}
