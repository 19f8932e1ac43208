import { chunksOf, type FetchBody, type NodeStream } from './event-stream.ts';
import type { NodeTransport } from './transport.ts';

/** What is used of an answer of `fetch`. */
export interface FetchAnswer {
  readonly status: number;
  readonly body: FetchBody | null;
}

/** `fetch` of a browser or of Node, as far as it is used here. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: Uint8Array<ArrayBuffer>;
    readonly redirect: 'error';
    readonly credentials: 'omit';
  },
) => Promise<FetchAnswer>;

/** Where a node is, and how it is reached. */
export interface FetchOptions {
  /** The node's base URL, such as `https://node.example.org`. */
  readonly url: string;
  readonly fetch: Fetch;
  /** What shows the node that this caller may read: asked before every request, so that it can be renewed. */
  readonly token?: () => string;
}

function baseOf({ url }: FetchOptions): string {
  return url.replace(/\/+$/, '');
}

function authorization({ token }: FetchOptions): Readonly<Record<string, string>> {
  return token ? { authorization: `Bearer ${token()}` } : {};
}

/** Reads a body to its end, or to its limit. @throws RangeError when it is longer. */
async function readBody(body: FetchBody | null, bytesMax: number): Promise<Uint8Array> {
  if (!body) return new Uint8Array(0);
  const reader = body.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const bytes = part.value ?? new Uint8Array(0);
    length += bytes.length;
    if (length > bytesMax) {
      await reader.cancel();
      throw new RangeError('the answer is longer than its limit');
    }
    parts.push(bytes);
  }
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/**
 * The way to a node with the `fetch` of a browser or of Node. Redirects are not followed, no cookie is sent, and an answer
 * beyond the limit of its kind is cut off.
 *
 * @example
 * const transport = fetchTransport({ url: 'https://node.example.org', fetch });
 */
export function fetchTransport(options: FetchOptions): NodeTransport {
  const base = baseOf(options);
  return async ({ method, path, body, accept, contentType, bytesMax }) => {
    const answer = await options.fetch(`${base}${path}`, {
      method,
      headers: {
        ...{ accept, ...authorization(options) },
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined ? {} : { body: Uint8Array.from(body) }),
      redirect: 'error',
      credentials: 'omit',
    });
    return { status: answer.status, body: await readBody(answer.body, bytesMax) };
  };
}

/** The way to a node's events with `fetch`, for `watchBlocks`. A browser's own `EventSource` shows no token. */
export function fetchStream(options: FetchOptions): NodeStream {
  const base = baseOf(options);
  return async ({ path, accept }) => {
    const { status, body } = await options.fetch(`${base}${path}`, {
      method: 'GET',
      headers: { accept, ...authorization(options) },
      redirect: 'error',
      credentials: 'omit',
    });
    return { status, body: chunksOf(body) };
  };
}
