import { decodeAuditBundle, verifyAuditBundle } from '@careledger/ledger';
import { sha256, toHex, verifySignature } from '@careledger/primitives';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LedgerNode } from '../ledger-node.ts';
import { type ApiCaller, apiCaller, operatorTokenOf } from '../testing/api-caller.ts';
import { TestConsortium } from '../testing/test-consortium.ts';

const BLOCKS = 12;
let consortium: TestConsortium;
let node: LedgerNode;
let ask: ApiCaller;
let chain: string;

beforeAll(async () => {
  consortium = await TestConsortium.found({ members: 1, engine: { id: 'authority', version: 1 } });
  node = await consortium.start(0);
  const authorization = `Bearer ${operatorTokenOf(consortium.member(0).folder)}`;
  ask = apiCaller((await node.start()).api.url, consortium.ca.certificate, { authorization });
  chain = `/v1/chains/${toHex(consortium.chain)}`;
  for (let count = 0; count < BLOCKS; count += 1) await node.submit(consortium.anchor(0).bytes);
});
afterAll(() => consortium.close());

interface Page {
  readonly heights: readonly number[];
  readonly next: string | undefined;
}

async function blocks(query: string): Promise<Page> {
  const { status, json } = await ask(`${chain}/blocks?${query}`);
  expect([query, status]).toEqual([query, 200]);
  const heights = json.blocks.map(({ header }: { header: { height: number } }) => header.height);
  return { heights, next: json.next };
}

const heightsFrom = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

test('LED-08, LED-32: blocks are found by height, hash, time range, proposer and transaction type', async () => {
  const third = node.block(3);
  const sixth = node.block(6);
  if (!third || !sixth) throw new Error('there are six blocks');
  const proposer = toHex(third.header.proposer);
  const byHash = await ask(`${chain}/blocks/${toHex(third.certificate.headerHash)}`);
  expect(byHash.json.header.height).toBe(3);
  expect((await ask(`${chain}/blocks/${'00'.repeat(32)}`)).json.code).toBe('ledger/not-found');
  expect((await blocks('from=3&to=6')).heights).toEqual([3, 4, 5, 6]);
  const span = `since=${third.header.time}&until=${sixth.header.time}`;
  const inSpan = (await blocks(span)).heights;
  expect(inSpan[0]).toBeLessThanOrEqual(3);
  expect(inSpan).toEqual(expect.arrayContaining([3, 4, 5, 6]));
  for (const height of inSpan) {
    const time = node.block(height)?.header.time ?? 0;
    expect(time >= third.header.time && time <= sixth.header.time).toBe(true);
  }
  expect((await blocks(`${span}&from=4&to=5`)).heights).toEqual([4, 5]);
  expect((await blocks(`proposer=${proposer}&from=2`)).heights).toEqual(heightsFrom(2, BLOCKS));
  expect((await blocks(`proposer=${'00'.repeat(32)}`)).heights).toEqual([]);
  expect((await blocks('type=records/anchor')).heights).toEqual(heightsFrom(1, BLOCKS));
  expect((await blocks(`type=records/anchor&proposer=${proposer}&to=4`)).heights).toEqual([1, 2, 3, 4]);
  expect((await blocks('type=consent/grant')).heights).toEqual([]);
  expect((await blocks('since=0&until=1000')).heights).toEqual([]);
});

test('OFF-21: pages of blocks and transactions end where the next begins, also while blocks are added', async () => {
  for (const query of [
    'from=1',
    'type=records/anchor',
    `proposer=${toHex(consortium.member(0).validator.publicKey)}`,
  ]) {
    const seen: number[] = [];
    let page = await blocks(`${query}&limit=5`);
    seen.push(...page.heights);
    await node.submit(consortium.anchor(0).bytes);
    while (page.next !== undefined) {
      page = await blocks(`${query}&limit=5&cursor=${page.next}`);
      seen.push(...page.heights);
    }
    expect(seen).toEqual(heightsFrom(1, node.status().height));
  }
  const actor = toHex(consortium.member(0).signer.publicKey);
  const ids = new Set<string>();
  let cursor = '';
  do {
    const { json } = await ask(`${chain}/transactions?actor=${actor}&limit=4${cursor}`);
    expect(json.transactions.length).toBeLessThanOrEqual(4);
    for (const { id } of json.transactions) ids.add(id);
    cursor = json.next === undefined ? '' : `&cursor=${json.next}`;
  } while (cursor !== '');
  expect(ids.size).toBe(node.status().height);
});

test('OFF-21: a cursor of another query and a page over the limit are refused', async () => {
  const { next } = await blocks('from=1&limit=2');
  const foreign = await ask(`${chain}/blocks?from=2&limit=2&cursor=${next}`);
  expect([foreign.status, foreign.json.code]).toEqual([400, 'api/cursor']);
  const other = await ask(`${chain}/transactions?cursor=${next}`);
  expect([other.status, other.json.code]).toEqual([400, 'api/cursor']);
  expect((await ask(`${chain}/blocks?limit=101`)).status).toBe(400);
  expect((await ask(`${chain}/transactions?limit=1001`)).status).toBe(400);
});

test('LED-30: an audit bundle of a span of time holds its blocks and verifies with the chain id alone', async () => {
  const [second, fifth] = [node.block(2), node.block(5)];
  const query = `since=${second?.header.time}&until=${fifth?.header.time}`;
  const { bytes } = await ask(`${chain}/audit-bundle?${query}`);
  const bundle = decodeAuditBundle(bytes);
  if (!bundle.ok) throw new Error(bundle.error.detail);
  const report = verifyAuditBundle({
    bundle: bundle.value,
    expectedChain: consortium.chain,
    verifySignature,
  });
  expect(report.ok && [report.value.fromHeight <= 2, report.value.toHeight >= 5]).toEqual([true, true]);
  const none = await ask(`${chain}/audit-bundle?until=1000`);
  expect([none.status, none.json.code]).toEqual([404, 'ledger/not-found']);
  const future = await ask(`${chain}/audit-bundle?from=1&to=99999`);
  expect([future.status, future.json.code]).toEqual([404, 'ledger/not-yet']);
});

test('LED-16: a commitment that stands on the ledger is matched with its transaction; a bare digest never is', async () => {
  const transaction = consortium.anchor(0);
  const { id, result } = await node.submit(transaction.bytes);
  const root = Object.values(result.events[0]?.attributes ?? {}).at(-1) ?? '';
  const match = async (commitment: string) => {
    const body = new TextEncoder().encode(JSON.stringify({ commitment }));
    return (await ask(`${chain}/matches`, { method: 'POST', type: 'application/json', body })).json;
  };
  expect(await match(root)).toMatchObject({ matched: true, transactions: [{ id: toHex(id) }] });
  const digest = toHex(sha256(new TextEncoder().encode('a document')));
  expect(await match(digest)).toEqual({ matched: false, transactions: [] });
  const document = await ask(`${chain}/matches`, {
    method: 'POST',
    type: 'application/json',
    body: new TextEncoder().encode(JSON.stringify({ commitment: root, document: 'x' })),
  });
  expect([document.status, document.json.code]).toEqual([400, 'api/malformed']);
});
