import { randomBytes } from 'node:crypto';
import { connect } from 'node:tls';
import { signAccessToken } from '@careledger/ledger';
import { toHex } from '@careledger/primitives';
import { afterEach, expect, test } from 'vitest';
import {
  GOSSIP_BYTES_IN_FLIGHT_MAX,
  GOSSIP_REFUSED_IN_WINDOW_MAX,
  GossipShares,
} from '../mempool/gossip-share.ts';
import { RunningNode } from '../running-node.ts';
import { apiCaller } from '../testing/api-caller.ts';
import { TestConsortium } from '../testing/test-consortium.ts';
import type { ApiLimits } from './limits.ts';

const FLOOD = 400;
let consortium: TestConsortium;
let node: RunningNode;
afterEach(async () => {
  await node.stop();
  await consortium.close();
});

async function start(apiLimits: Partial<ApiLimits>) {
  consortium = await TestConsortium.found({ members: 1, engine: { id: 'authority', version: 1 } });
  node = await RunningNode.start(consortium.optionsOf(0, { apiLimits }));
  const ask = apiCaller(node.addresses.api.url, consortium.ca.certificate);
  return { ask, chain: `/v1/chains/${toHex(consortium.chain)}` };
}

test('SEC-15: who asks too often is told when to ask again, and a member with a token is still served', async () => {
  const { ask, chain } = await start({ openRequestsInWindow: 20 });
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(`${chain}/head`)));
  const limited = answers.filter(({ status }) => status === 429);
  expect(limited).toHaveLength(20);
  expect(limited[0]?.json).toMatchObject({ code: 'api/too-many-requests' });
  expect(limited[0]?.json.help).toMatch(/\d+ s/);
  expect(Number(limited[0]?.headers['retry-after'])).toBeGreaterThan(0);
  const { node: name, signer } = consortium.member(0);
  const token = signAccessToken({
    chain: consortium.chain,
    node: name,
    expiresAt: Date.now() + 60_000,
    signer,
  });
  const served = await ask(`${chain}/blocks`, { headers: { authorization: `Bearer ${token}` } });
  expect(served.status).toBe(200);
  const guessed = await ask(`${chain}/blocks`, { headers: { authorization: `Bearer ${token}0` } });
  expect(guessed.status).toBe(429);
  expect((await ask('/nowhere')).status).toBe(429);
});

test('SEC-15: a flood of wrong and of rightful transactions does not stop an honest one, and memory stays bounded', async () => {
  const { ask, chain } = await start({ submissionsInWindow: FLOOD, connectionsFromAddress: 1_000 });
  const wrong = Array.from({ length: FLOOD + 50 }, () => {
    const { bytes } = consortium.anchor(0);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    return ask(`${chain}/transactions`, { method: 'POST', body: bytes });
  });
  const rightful = Array.from({ length: 200 }, () => node.desk.submit(consortium.anchor(0).bytes));
  const honest = await node.desk.submit(consortium.anchor(0).bytes);
  expect(honest.result.code).toBe(0);
  const statuses = (await Promise.all(wrong)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 429)).toHaveLength(50);
  expect(statuses.filter((status) => status === 400)).toHaveLength(FLOOD);
  expect((await Promise.all(rightful)).every(({ result }) => result.code === 0)).toBe(true);
  expect(node.desk.mempool.count).toBe(0);
});

test('SEC-15: a full mempool refuses the newcomer, and takes no more than its limit', async () => {
  await start({});
  const { mempool } = node.desk;
  const { countMax } = mempool.limits;
  // What waits here belongs to no transaction of this chain: it only takes up room, as a flood does.
  for (let number = 0; number < countMax + 10; number += 1) {
    const filler = { id: `filler ${number}`, bytes: randomBytes(8), expiresAt: Date.now() + 60_000 };
    mempool.add(filler, Date.now());
  }
  expect(mempool.count).toBe(countMax);
  await expect(node.desk.submit(consortium.anchor(0).bytes)).rejects.toMatchObject({ code: 'mempool/full' });
});

test('SEC-15: connections from one address are capped', async () => {
  await start({ connectionsFromAddress: 4 });
  const { port } = node.addresses.api;
  const open = () =>
    new Promise<string>((resolve) => {
      const socket = connect({ port, host: 'localhost', ca: consortium.ca.certificate });
      socket.once('secureConnect', () => resolve('open'));
      socket.once('error', () => resolve('refused'));
      socket.once('close', () => resolve('refused'));
    });
  const outcomes = [];
  for (let count = 0; count < 6; count += 1) outcomes.push(await open());
  expect(outcomes).toEqual(['open', 'open', 'open', 'open', 'refused', 'refused']);
});

test('SEC-15: a peer that passes on wrong transactions, or too many at once, is no longer listened to for a while', async () => {
  await start({});
  const shares = new GossipShares();
  expect(shares.admit('a', GOSSIP_BYTES_IN_FLIGHT_MAX, 0)).toBe(true);
  expect(shares.admit('a', 1, 0)).toBe(false);
  expect(shares.admit('b', 1, 0)).toBe(true);
  shares.done('a', GOSSIP_BYTES_IN_FLIGHT_MAX, GOSSIP_REFUSED_IN_WINDOW_MAX + 1);
  expect(shares.admit('a', 1, 1)).toBe(false);
  expect(shares.admit('a', 1, 60_000)).toBe(true);
  expect(shares.dropped).toBe(2);
});
