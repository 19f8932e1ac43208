import { expect, test } from 'vitest';
import { type Hello, judgeHello } from './handshake.ts';

const own: Hello = {
  chain: new Uint8Array(32).fill(1),
  engine: { id: 'pbft', version: 1 },
  protocolVersion: 1,
  node: 'general-hospital-1',
};
const peer: Hello = { ...own, node: 'city-clinic-1' };
const members = new Set([own.node, peer.node]);

test('CON-13: a node of the same chain, engine and protocol is accepted', () => {
  expect(judgeHello(own, peer, members)).toEqual({ ok: true, value: undefined });
});

test.each([
  ['another genesis', { ...peer, chain: new Uint8Array(32).fill(2) }, 'handshake/other-chain', 'genesis'],
  [
    'another engine',
    { ...peer, engine: { id: 'authority', version: 1 } },
    'handshake/other-engine',
    'authority',
  ],
  [
    'another engine version',
    { ...peer, engine: { id: 'pbft', version: 2 } },
    'handshake/other-engine-version',
    'version 2 of pbft',
  ],
  [
    'another protocol version',
    { ...peer, protocolVersion: 2 },
    'handshake/other-protocol-version',
    'protocol version 2',
  ],
  ['no membership', { ...peer, node: 'stranger-1' }, 'handshake/not-a-member', 'not a node of a member'],
  ['our own name', { ...peer, node: own.node }, 'handshake/myself', 'this very node'],
])('CON-13: a peer with %s is refused with a clear reason', (_case, hello, code, words) => {
  const judged = judgeHello(own, hello, members);
  expect(judged.ok).toBe(false);
  if (judged.ok) return;
  expect(judged.error.code).toBe(code);
  expect(judged.error.message).toContain(words);
});
