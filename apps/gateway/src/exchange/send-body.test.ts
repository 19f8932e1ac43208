import { once } from 'node:events';
import { createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyReply } from 'fastify';
import { expect, test } from 'vitest';
import { socketSender } from './send-body.ts';

/** Sends a body to a client that hangs up before the body is ready, or never reads. */
async function sendTo(client: 'gone' | 'listening'): Promise<'written' | 'failed'> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const asking = request({ host: '127.0.0.1', port, method: 'POST' }).on('error', () => undefined);
  asking.on('response', (response) => response.resume());
  asking.end();
  const [, raw] = (await once(server, 'request')) as [unknown, ServerResponse];
  if (client === 'gone') {
    asking.destroy();
    await once(raw, 'close');
  }
  const send = socketSender({ hijack: () => ({ raw }) } as unknown as FastifyReply, Date.now);
  const sent = await send(new Uint8Array(64), Date.now() + 2_000).then(
    () => 'written' as const,
    () => 'failed' as const,
  );
  server.closeAllConnections();
  server.close();
  return sent;
}

test('OFF-09: whoever hung up before the write holds no lock: the send fails at once', async () => {
  expect(await sendTo('gone')).toBe('failed');
});

test('a body that the socket takes is written', async () => {
  expect(await sendTo('listening')).toBe('written');
});
