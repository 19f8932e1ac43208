import { describe, expect, it } from 'vitest';
import { type Fetch, fetchTransport } from './fetch-transport.ts';
import type { NodeRequest } from './transport.ts';

const request: NodeRequest = { method: 'GET', path: '/v1/x', accept: 'application/cbor', bytesMax: 10 };

describe('DEP-01: the way to a node by `fetch`', () => {
  it('asks below the base URL, follows no redirect and sends no cookie', async () => {
    const asked: unknown[] = [];
    const fetch: Fetch = async (url, init) => {
      asked.push([url, init]);
      return new Response('0123456789', { status: 200 });
    };
    const answer = await fetchTransport({ url: 'https://node.example.org/', fetch })(request);
    expect([answer.status, new TextDecoder().decode(answer.body)]).toEqual([200, '0123456789']);
    expect(asked).toEqual([
      [
        'https://node.example.org/v1/x',
        { method: 'GET', headers: { accept: 'application/cbor' }, redirect: 'error', credentials: 'omit' },
      ],
    ]);
  });

  it('cuts an answer off at its limit, and gives the connection up', async () => {
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(4)),
      cancel: () => {
        cancelled = true;
      },
    });
    const transport = fetchTransport({ url: 'https://x', fetch: async () => new Response(endless) });
    await expect(transport(request)).rejects.toThrow(RangeError);
    expect(cancelled).toBe(true);
  });

  it('an empty answer is empty', async () => {
    const transport = fetchTransport({
      url: 'https://x',
      fetch: async () => new Response(null, { status: 204 }),
    });
    expect(await transport(request)).toEqual({ status: 204, body: new Uint8Array(0) });
  });
});
