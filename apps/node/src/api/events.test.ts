import { get } from 'node:https';
import { sha256, toHex } from '@careledger/primitives';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LedgerNode } from '../ledger-node.ts';
import { type ApiCaller, apiCaller, operatorTokenOf } from '../testing/api-caller.ts';
import { TestConsortium, until } from '../testing/test-consortium.ts';

let consortium: TestConsortium;
let node: LedgerNode;
let base: string;
let authorization: string;
let chain: string;
let ask: ApiCaller;

beforeAll(async () => {
  consortium = await TestConsortium.found({ members: 1, engine: { id: 'authority', version: 1 } });
  node = await consortium.start(0);
  base = (await node.start()).api.url;
  chain = `/v1/chains/${toHex(consortium.chain)}`;
  authorization = `Bearer ${operatorTokenOf(consortium.member(0).folder)}`;
  ask = apiCaller(base, consortium.ca.certificate, { authorization });
});
afterAll(() => consortium.close());

interface HeardBlock {
  readonly id: string;
  readonly height: number;
  readonly transactions: readonly { readonly id: string; readonly type: string }[];
}

interface Listener {
  readonly blocks: HeardBlock[];
  readonly heartbeats: () => number;
  /** Cuts the connection as a crash would. */
  readonly kill: () => void;
}

function listen(query = '', lastId?: string): Listener {
  const blocks: HeardBlock[] = [];
  let rest = '';
  let heartbeats = 0;
  const headers = { authorization, ...(lastId !== undefined && { 'last-event-id': lastId }) };
  const sent = get(
    new URL(`${chain}/events${query}`, base),
    { headers, ca: consortium.ca.certificate, agent: false },
    (response) => {
      response.on('error', () => undefined);
      response.on('data', (part: Buffer) => {
        const events = (rest + part.toString()).split('\n\n');
        rest = events.pop() ?? '';
        for (const event of events) {
          if (event.includes('event: heartbeat')) heartbeats += 1;
          const [, id, content] = /^id: (\S+)\nevent: block\ndata: (.*)$/.exec(event) ?? [];
          if (id !== undefined && content !== undefined) blocks.push({ id, ...JSON.parse(content) });
        }
      });
    },
  );
  sent.on('error', () => undefined);
  return { blocks, heartbeats: () => heartbeats, kill: () => sent.destroy() };
}

const idOf = (height: number): string => `${toHex(consortium.chain).slice(0, 16)}-${height}`;

test('LED-31: over any number of cut connections each committed transaction is told exactly once, in order', async () => {
  const told: HeardBlock[] = [];
  const submitted: string[] = [];
  let listener = listen('', idOf(0));
  for (let round = 0; round < 6; round += 1) {
    for (let count = 0; count < 12; count += 1) {
      const { id } = await node.submit(consortium.anchor(0).bytes);
      submitted.push(toHex(id));
      if (count === 3 + round) {
        listener.kill();
        told.push(...listener.blocks);
        listener = listen('', told.at(-1)?.id ?? idOf(0));
      }
    }
  }
  const heard = () =>
    [...told, ...listener.blocks].flatMap(({ transactions }) => transactions.map(({ id }) => id));
  await until(() => heard().length >= submitted.length);
  listener.kill();
  expect(heard()).toEqual(submitted);
  const heights = [...told, ...listener.blocks].map(({ height }) => height);
  expect(heights).toEqual(heights.map((_, index) => index + 1));
});

test('LED-31: a listener that was away for long is told every block, and one that has seen all is told the next', async () => {
  const newest = node.status().height;
  const late = listen('', idOf(1));
  await until(() => late.blocks.length >= newest - 1);
  expect(late.blocks.map(({ height }) => height)).toEqual(
    Array.from({ length: newest - 1 }, (_, index) => index + 2),
  );
  const first = listen();
  await until(() => late.heartbeats() > 0 && first.heartbeats() > 0);
  expect(first.blocks).toEqual([]);
  await node.submit(consortium.anchor(0).bytes);
  await until(() => first.blocks.length === 1);
  expect(first.blocks[0]).toMatchObject({ id: idOf(newest + 1), height: newest + 1 });
  late.kill();
  first.kill();
});

test('LED-31: a stream narrowed to types leaves out what is of another type, and still ends where the chain does', async () => {
  const none = listen('?types=consent/grant', idOf(0));
  const anchors = listen(`?types=records/anchor,consent/grant&after=${idOf(0)}`);
  const { height } = node.status();
  await until(() => anchors.blocks.at(-1)?.height === height);
  expect(new Set(anchors.blocks.flatMap(({ transactions }) => transactions.map(({ type }) => type)))).toEqual(
    new Set(['records/anchor']),
  );
  await until(() => none.heartbeats() > 0);
  expect(none.blocks).toEqual([]);
  none.kill();
  anchors.kill();
});

test('an event id of another chain, of the future, or of nobody is refused with its own code', async () => {
  const cases: [string, number, string][] = [
    [`${toHex(sha256(consortium.chain)).slice(0, 16)}-1`, 409, 'events/other-chain'],
    [idOf(99_999), 404, 'ledger/not-yet'],
    ['17', 400, 'events/malformed-id'],
    ['x'.repeat(60), 400, 'events/malformed-id'],
  ];
  for (const [id, status, code] of cases) {
    const byHeader = await ask(`${chain}/events`, { headers: { 'last-event-id': id } });
    const byQuery = await ask(`${chain}/events?after=${id}`);
    expect([byHeader.status, byHeader.json.code]).toEqual([status, code]);
    expect([byQuery.status, byQuery.json.code]).toEqual([status, code]);
  }
});
