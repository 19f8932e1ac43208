import { toHex } from '@careledger/primitives';
import { ClientError, ProofMismatchError, TransportError } from '../errors.ts';
import { eventsOf, type NodeStream } from '../event-stream.ts';
import type { LedgerClient } from '../ledger-client.ts';
import { fieldsOf, heightOf, queryText } from '../read-json.ts';
import { chainPath, refusalOf } from '../transport.ts';
import { getBlock, type VerifiedBlock } from './get-block.ts';

/** So much of the chain id stands in an event's id. */
const CHAIN_DIGITS = 16;
/** Streams in a row that broke before they told anything. */
const FAILURES_MAX = 10;
const FIRST_WAIT_MS = 250;

export interface WatchOptions {
  readonly stream: NodeStream;
  /** Waits before a stream is opened anew; the SDK has no clock. */
  readonly wait: (milliseconds: number) => Promise<void>;
  /** The last block that was seen: the watch goes on behind it, from any distance. The next one by default. */
  readonly afterHeight?: number;
  /** Only blocks with transactions of these types. */
  readonly types?: readonly string[];
  /** Called when a stream broke and before the next is opened. */
  readonly onReconnect?: () => void;
}

/** Heights that a node tells of, over one connection. */
async function* heightsOf(
  client: LedgerClient,
  options: WatchOptions,
  after: number | undefined,
): AsyncGenerator<number> {
  const id = after === undefined ? undefined : `${toHex(client.chain).slice(0, CHAIN_DIGITS)}-${after}`;
  const query = queryText({ after: id, types: options.types?.join(',') });
  const path = `${chainPath(client.chain, 'events')}${query}`;
  const { status, body } = await options.stream({ path, accept: 'text/event-stream' });
  if (status !== 200) throw refusalOf({ status, body: new Uint8Array(0) });
  for await (const { name, data } of eventsOf(body)) {
    if (name !== 'block') continue;
    let event: unknown;
    try {
      event = JSON.parse(data);
    } catch {
      throw new ProofMismatchError('events', 'an event is no JSON');
    }
    yield heightOf(fieldsOf(event).height);
  }
}

/** Is this the next block to hand over? False for one that was handed over already. @throws ProofMismatchError */
function isNext(height: number, last: number | undefined, isNarrowed: boolean): boolean {
  if (last === undefined) return true;
  if (height <= last) return false;
  if (isNarrowed || height === last + 1) return true;
  throw new ProofMismatchError('events', 'a block was left out');
}

/**
 * Final blocks as they come, each once, in order and checked: a stream that breaks is taken up again behind the last block
 * that was handed over. Without `types` no block is left out; with them, that none is left out is the node's word.
 *
 * @throws ProofMismatchError when a block is not proven or was left out; TransportError when the node cannot be reached
 * again; NodeRefusedError.
 *
 * @example
 * for await (const { header } of watchBlocks(client, { stream, wait })) console.log(header.height);
 */
export async function* watchBlocks(
  client: LedgerClient,
  options: WatchOptions,
): AsyncGenerator<VerifiedBlock> {
  let last = options.afterHeight;
  for (let failures = 0; failures < FAILURES_MAX; failures += 1) {
    try {
      for await (const height of heightsOf(client, options, last)) {
        if (!isNext(height, last, options.types !== undefined)) continue;
        const block = await getBlock(client, { height });
        last = height;
        failures = 0;
        yield block;
      }
    } catch (error) {
      // What is not proven, or is refused, is so again the next time.
      if (error instanceof ClientError && !(error instanceof TransportError)) throw error;
    }
    options.onReconnect?.();
    await options.wait(FIRST_WAIT_MS * 2 ** failures);
  }
  throw new TransportError();
}
