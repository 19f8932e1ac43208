/** A `ReadableStream` of bytes, as far as it is used here. */
export interface FetchBody {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
    cancel(): Promise<void>;
  };
}

/** Longest event of a node, in characters. */
const EVENT_CHARACTERS_MAX = 16 * 1024 * 1024;

/** One server-sent event (HTML, section 9.2). */
export interface ServerSentEvent {
  readonly name: string;
  readonly data: string;
}

/** The way to a node's events: like a transport, but the answer goes on. */
export type NodeStream = (request: {
  readonly path: string;
  readonly accept: 'text/event-stream';
}) => Promise<{ readonly status: number; readonly body: AsyncIterable<Uint8Array> }>;

/** The chunks of a body of `fetch`. Leaving the loop gives the connection up. */
export async function* chunksOf(body: FetchBody | null): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const reader = body.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (part.value) yield part.value;
    }
  } finally {
    await reader.cancel();
  }
}

function eventOf(text: string): ServerSentEvent | undefined {
  let name = 'message';
  const data: string[] = [];
  for (const line of text.split('\n')) {
    const [, field, value = ''] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (field === 'event') name = value;
    if (field === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { name, data: data.join('\n') };
}

/** Takes a stream of bytes apart into events. @throws RangeError when one is longer than its limit. */
export async function* eventsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const event = eventOf(text.slice(0, end));
      text = text.slice(end + 2);
      if (event) yield event;
    }
    if (text.length > EVENT_CHARACTERS_MAX) throw new RangeError('an event is longer than its limit');
  }
}
