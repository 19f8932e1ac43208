import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Block } from '@careledger/ledger';
import { toHex } from '@careledger/primitives';
import { messageOf, NodeError } from '../errors.ts';
import { toJson } from '../evidence-file.ts';
import type { FinalHead } from '../ledger-node.ts';
import type { RunningNode } from '../running-node.ts';
import { transactionOf } from './parameters.ts';

export const STREAMS_MAX = 64;
/** A listener that takes nothing for so long is cut off; it goes on with the last id it saw. Milliseconds. */
const STALLED_MS_MAX = 30_000;
/** Blocks that are replayed before other work gets its turn. */
const BLOCKS_IN_TURN = 16;
/** A narrowed stream tells where it is after so many blocks that held nothing for it. */
const BLOCKS_UNTOLD_MAX = 256;
const CHAIN_DIGITS = 16;
const EVENT_ID = /^([0-9a-f]{16})-(0|[1-9][0-9]{0,14})$/;

export interface StreamQuestion {
  /** The id of the last event that the listener saw; the stream begins with the next block without it. */
  readonly after: string | undefined;
  /** Only transactions of these types; all unless given. */
  readonly types: readonly string[] | undefined;
}

/** One listener: reads the store at its own pace, so that a slow one costs no memory and misses nothing. */
class EventStream {
  readonly #node: RunningNode;
  readonly #types: ReadonlySet<string> | undefined;
  /** The next height to tell. */
  #next: number;
  #untold = 0;
  #wake: () => void = () => undefined;
  #isClosed = false;
  #heartbeat: FinalHead | undefined;

  constructor(node: RunningNode, next: number, types: readonly string[] | undefined) {
    this.#node = node;
    this.#next = next;
    this.#types = types && new Set(types);
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  /** A block or a heartbeat is final. Heartbeats are not kept: only the newest counts. */
  notify(head: FinalHead, block: Block | undefined): void {
    this.#heartbeat = block ? undefined : head;
    this.#wake();
  }

  /** Tells all there is, waits for more, until the listener is gone. */
  async tell(response: ServerResponse): Promise<void> {
    while (!this.#isClosed) {
      await this.#tellBlocks(response);
      const heartbeat = this.#heartbeat;
      this.#heartbeat = undefined;
      if (heartbeat) await this.#write(response, heartbeatEvent(heartbeat));
      else if (!this.#isClosed && this.#next > this.#node.chain.height) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  async #tellBlocks(response: ServerResponse): Promise<void> {
    const { chain, evidence } = this.#node;
    for (; !this.#isClosed && this.#next <= chain.height; this.#next += 1) {
      const event = this.#eventOf(evidence.block(this.#next));
      if (event !== undefined) await this.#write(response, event);
      if (this.#next % BLOCKS_IN_TURN === 0) await nextTurn();
    }
  }

  #eventOf(block: Block): string | undefined {
    const { header, certificate, results } = block;
    const all = block.transactions.map((bytes, index) => ({
      transaction: transactionOf(bytes),
      index,
    }));
    const told = all.flatMap(({ transaction, index }) => {
      const result = results[index];
      if (!transaction || !result || this.#types?.has(transaction.payload.type) === false) return [];
      const { id, payload } = transaction;
      return [{ id, index, type: payload.type, code: result.code, events: result.events }];
    });
    const id = `id: ${eventId(this.#node, header.height)}\n`;
    if (this.#types && told.length === 0) {
      this.#untold += 1;
      // An event without data is not told to the listener's program, but the position is kept (HTML, section 9.2.6).
      return this.#untold % BLOCKS_UNTOLD_MAX === 0 ? `${id}\n` : undefined;
    }
    const content = {
      height: header.height,
      time: header.time,
      headerHash: certificate.headerHash,
      stateRoot: header.stateRoot,
      count: block.transactions.length,
      transactions: told,
    };
    return `${id}event: block\ndata: ${JSON.stringify(toJson(content))}\n\n`;
  }

  /** Waits until the listener has taken it: the socket's buffer is all that ever waits. */
  async #write(response: ServerResponse, event: string): Promise<void> {
    if (this.#isClosed || response.write(event)) return;
    const stalled = setTimeout(() => response.destroy(), STALLED_MS_MAX);
    await new Promise<void>((resolve) => {
      const done = (): void => {
        response.off('drain', done).off('close', done);
        resolve();
      };
      response.on('drain', done).on('close', done);
    });
    clearTimeout(stalled);
  }
}

/** The id of a block's event: whose chain, and which height. */
export function eventId({ chainId }: Pick<RunningNode, 'chainId'>, height: number): string {
  return `${toHex(chainId).slice(0, CHAIN_DIGITS)}-${height}`;
}

function heartbeatEvent({ engineHeight, time, header, headerHash }: FinalHead): string {
  const content = { engineHeight, time, height: header.height, headerHash: toHex(headerHash) };
  return `event: heartbeat\ndata: ${JSON.stringify(content)}\n\n`;
}

/** Server-sent events of final blocks, each once and in order, from wherever a listener left off. */
export class EventStreams {
  readonly #node: RunningNode;
  readonly #streams = new Set<EventStream>();
  readonly #unsubscribe: () => void;

  constructor(node: RunningNode) {
    this.#node = node;
    this.#unsubscribe = node.chain.onFinal((head, block) => {
      for (const stream of this.#streams) stream.notify(head, block);
    });
  }

  get count(): number {
    return this.#streams.size;
  }

  /**
   * Checks what a listener asks for, before anything is sent.
   * @throws NodeError `api/too-many-streams`, `events/malformed-id`, `events/other-chain`, `ledger/not-yet`, `ledger/pruned`.
   */
  prepare({ after, types }: StreamQuestion): { readonly run: (response: ServerResponse) => void } {
    if (this.#streams.size >= STREAMS_MAX) {
      const help = 'Close one, or ask another node.';
      throw new NodeError('api/too-many-streams', 'too many listeners already', help);
    }
    const { chain } = this.#node;
    const last = after === undefined ? chain.height : this.#heightOf(after);
    if (last > chain.height) {
      throw new NodeError(
        'ledger/not-yet',
        `the last event that was seen is of height ${last}, and the newest here is ${chain.height}`,
        'Ask a node that has caught up, or ask again later.',
      );
    }
    if (last + 1 < chain.store.prunedBelow) {
      throw new NodeError(
        'ledger/pruned',
        `the blocks behind height ${last} are no longer kept: the oldest is ${chain.store.prunedBelow}`,
        'Ask a node that keeps more, or read the state as it is now and begin without an id.',
      );
    }
    const stream = new EventStream(this.#node, last + 1, types);
    return { run: (response) => this.#run(stream, response) };
  }

  close(): void {
    this.#unsubscribe();
    for (const stream of this.#streams) stream.close();
  }

  #heightOf(id: string): number {
    const [, chain, height] = EVENT_ID.exec(id) ?? [];
    if (chain === undefined) {
      throw new NodeError(
        'events/malformed-id',
        'the last event id is not one of this API',
        'Send the id of the last event exactly as it came, or none to begin with the next block.',
      );
    }
    if (chain !== toHex(this.#node.chainId).slice(0, CHAIN_DIGITS)) {
      throw new NodeError(
        'events/other-chain',
        'the last event id is of another chain',
        'Begin without an id, and read the blocks of this chain from height 1.',
      );
    }
    return Number(height);
  }

  #run(stream: EventStream, response: ServerResponse): void {
    this.#streams.add(stream);
    response.on('close', () => {
      stream.close();
      this.#streams.delete(stream);
    });
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(': listening\n\n');
    stream.tell(response).then(
      () => response.end(),
      (fault: unknown) => {
        this.#node.log.error({ problem: messageOf(fault) }, 'an event stream failed');
        response.destroy();
      },
    );
  }
}
