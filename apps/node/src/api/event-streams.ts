import type { ServerResponse } from 'node:http';
import type { Block } from '@careledger/ledger';
import { toHex } from '@careledger/primitives';
import { NodeError } from '../errors.ts';
import { toJson } from '../evidence-file.ts';
import type { FinalHead } from '../ledger-node.ts';
import type { RunningNode } from '../running-node.ts';

const STREAMS_MAX = 64;
/** A listener that lets this much wait is cut off; it reconnects with the last id it saw. */
const WAITING_BYTES_MAX = 1024 * 1024;
/** A listener that was away for longer reads the blocks by range instead. */
const REPLAYED_BLOCKS_MAX = 1_000;

/** What a listener learns of a final block. Transactions and proofs are asked for by their own routes. */
function blockEvent({ header, transactions, results }: Block, headerHash: Uint8Array): string {
  const content = {
    height: header.height,
    time: header.time,
    headerHash,
    stateRoot: header.stateRoot,
    transactions: transactions.length,
    events: results.flatMap(({ events }) => events),
  };
  return `id: ${header.height}\nevent: block\ndata: ${JSON.stringify(toJson(content))}\n\n`;
}

/** Server-sent events of final blocks: the id is the height, so that a listener continues where it was. */
export class EventStreams {
  readonly #node: RunningNode;
  readonly #streams = new Set<ServerResponse>();
  readonly #unsubscribe: () => void;

  constructor(node: RunningNode) {
    this.#node = node;
    this.#unsubscribe = node.chain.onFinal((head, block) => this.#onFinal(head, block));
  }

  /** Opens a stream, beginning after the last height that the listener saw. */
  open(response: ServerResponse, lastHeight: number | undefined): void {
    if (this.#streams.size >= STREAMS_MAX) {
      throw new NodeError(
        'api/too-many-streams',
        'too many listeners already',
        'Close one, or ask another node.',
      );
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const { chain, evidence } = this.#node;
    const from = Math.max(1, (lastHeight ?? chain.height) + 1, chain.height - REPLAYED_BLOCKS_MAX);
    for (let height = from; height <= chain.height; height += 1) {
      const block = evidence.block(height);
      response.write(blockEvent(block, block.certificate.headerHash));
    }
    response.write(': listening\n\n');
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }

  close(): void {
    this.#unsubscribe();
    for (const stream of this.#streams) stream.end();
    this.#streams.clear();
  }

  #onFinal(head: FinalHead, block: Block | undefined): void {
    const event = block
      ? blockEvent(block, head.headerHash)
      : `event: heartbeat\ndata: {"engineHeight":${head.engineHeight},"time":${head.time},"headerHash":"${toHex(head.headerHash)}"}\n\n`;
    for (const stream of this.#streams) {
      if (stream.writableLength > WAITING_BYTES_MAX) stream.destroy();
      else stream.write(event);
    }
  }
}
