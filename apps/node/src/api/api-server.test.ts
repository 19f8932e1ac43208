import {
  certifiedHeaderCodec,
  decodeBlock,
  genesisCodec,
  sortValidators,
  stateEvidenceCodec,
  TrustedChain,
  transactionEvidenceCodec,
  trustPathCodec,
  verifyConsistency,
  verifyStateEvidence,
  verifyTransactionEvidence,
} from '@careledger/ledger';
import { fromHex, sha256, toHex, utf8, verifySignature } from '@careledger/primitives';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LedgerNode } from '../ledger-node.ts';
import { type ApiAnswer, type ApiCaller, apiCaller, operatorTokenOf } from '../testing/api-caller.ts';
import { TestConsortium } from '../testing/test-consortium.ts';

let consortium: TestConsortium;
let node: LedgerNode;
let base: string;
let ask: ApiCaller;
let chain: string;
let token: string;

beforeAll(async () => {
  consortium = await TestConsortium.found({ members: 1, engine: { id: 'authority', version: 1 } });
  node = await consortium.start(0);
  const { api } = await node.start();
  base = api.url;
  token = operatorTokenOf(consortium.member(0).folder);
  ask = apiCaller(base, consortium.ca.certificate, { authorization: `Bearer ${token}` });
  chain = `/v1/chains/${toHex(consortium.chain)}`;
  for (let count = 0; count < 3; count += 1) await node.submit(consortium.anchor(0).bytes);
});
afterAll(() => consortium.close());

function cbor(path: string): Promise<ApiAnswer> {
  return ask(path, { accept: 'application/cbor' });
}

async function trusted(): Promise<TrustedChain> {
  const path = trustPathCodec.decode((await cbor(`${chain}/trust-path`)).bytes);
  const known = TrustedChain.fromPath({ path, expectedChain: consortium.chain, verifySignature });
  if (!known.ok) throw new Error(known.error.detail);
  return known.value;
}

test('a transaction submitted over HTTPS is final when the answer comes, and is found by its id', async () => {
  const transaction = consortium.anchor(0);
  const answer = await ask(`${chain}/transactions?wait=final`, { method: 'POST', body: transaction.bytes });
  expect(answer.status).toBe(200);
  expect(answer.json).toMatchObject({ id: toHex(transaction.id), index: 0, result: { code: 0 } });
  const found = await ask(`${chain}/transactions/${toHex(transaction.id)}`);
  expect(found.json).toEqual(answer.json);
  const checked = await ask(`${chain}/transactions`, { method: 'POST', body: consortium.anchor(0).bytes });
  expect(checked.status).toBe(202);
  expect(checked.json.id).toMatch(/^[0-9a-f]{64}$/);
});

test('LED-22, LED-29: evidence for a transaction, a value and an absence verifies with the genesis hash alone', async () => {
  const transaction = consortium.anchor(0);
  await node.submit(transaction.bytes);
  const inBlock = await cbor(`${chain}/transactions/${toHex(transaction.id)}/evidence`);
  const proven = verifyTransactionEvidence({
    evidence: transactionEvidenceCodec.decode(inBlock.bytes),
    trusted: await trusted(),
    verifySignature,
  });
  expect(proven.ok && proven.value.accepted).toBe(true);

  const [[key, value] = []] = node.scan(utf8('records/'), 1);
  const absent = utf8('records/nothing-here');
  for (const [asked, expected] of [
    [key ?? absent, value],
    [absent, undefined],
  ] as const) {
    const answer = await cbor(`${chain}/state/${toHex(asked)}`);
    const evidence = stateEvidenceCodec.decode(answer.bytes);
    const verified = verifyStateEvidence({ evidence, key: asked, trusted: await trusted(), verifySignature });
    expect(verified.ok && verified.value.value).toEqual(expected);
  }
});

test('LED-29: the state at an earlier height is still proven, with the value of then', async () => {
  const [[key] = []] = node.scan(utf8('records/anchor-count/'), 1);
  if (!key) throw new Error('a count was expected');
  const values: string[] = [];
  for (const height of [1, 2, 3]) {
    const answer = await cbor(`${chain}/state/${toHex(key)}?height=${height}`);
    const evidence = stateEvidenceCodec.decode(answer.bytes);
    expect(evidence.header.height).toBe(height);
    expect(verifyStateEvidence({ evidence, key, trusted: await trusted(), verifySignature }).ok).toBe(true);
    values.push(toHex(evidence.value ?? new Uint8Array(0)));
  }
  expect(values).toEqual(['01', '02', '03']);
});

test('LED-23: a consistency proof between two heights verifies, and not for another root', async () => {
  const { json } = await ask(`${chain}/consistency?first=2&second=3`);
  const bytes = (text: string): Uint8Array => fromHex(text) ?? new Uint8Array(0);
  const claim = {
    first: json.first,
    second: json.second,
    firstRoot: bytes(json.firstRoot),
    secondRoot: bytes(json.secondRoot),
    proof: json.proof.map(bytes),
  };
  expect(verifyConsistency(claim).ok).toBe(true);
  expect(verifyConsistency({ ...claim, firstRoot: sha256(claim.firstRoot) }).ok).toBe(false);
  expect((await ask(`${chain}/consistency?first=3&second=99999`)).json.code).toBe('ledger/not-yet');
});

test('blocks, genesis, validators and status are served as JSON and, where a program verifies, as CBOR', async () => {
  const block = await cbor(`${chain}/blocks/2`);
  const decoded = decodeBlock(block.bytes);
  expect(decoded.ok && decoded.value.header.height).toBe(2);
  const json = await ask(`${chain}/blocks/2`);
  expect(json.json.header.height).toBe(2);
  expect(json.json.headerHash).toBe(decoded.ok && toHex(decoded.value.certificate.headerHash));
  const list = await ask(`${chain}/blocks?from=1&limit=2`);
  expect(list.json.blocks.map((one: { header: { height: number } }) => one.header.height)).toEqual([1, 2]);
  const genesis = await cbor(`${chain}/genesis`);
  expect(toHex(sha256(genesis.bytes))).toBe(toHex(consortium.chain));
  const { validators } = genesisCodec.decode(genesis.bytes);
  expect(sortValidators(validators)).toEqual(validators);
  expect((await ask(`${chain}/validators`)).json.validators).toHaveLength(1);
  expect((await ask(chain)).json).toMatchObject({ node: 'member-1-1', engine: { id: 'authority' } });
  const head = await ask(`${chain}/head`);
  expect(head.json.time).toBeGreaterThan(Date.now() - 5_000);
  expect(certifiedHeaderCodec.shape.kind).toBe('struct');
});

test('LED-08: transactions are found by type, actor, subject, commitment and time, and by several of them', async () => {
  const transaction = consortium.anchor(0);
  const { height, time, result } = await node.submit(transaction.bytes);
  const actor = toHex(transaction.signer);
  const commitment = toHex(sha256(transaction.payload.body));
  const [event] = result.events;
  const subject = Object.values(event?.attributes ?? {}).at(-1) ?? '';
  const queries = [
    `commitment=${commitment}`,
    `type=records/anchor&from=${time}&to=${time}`,
    `actor=${actor}&limit=1000`,
    `subject=${encodeURIComponent(subject)}&limit=1000`,
    `from=${time}&to=${time}`,
    `actor=${actor}&type=records/anchor&commitment=${commitment}`,
  ];
  for (const query of queries) {
    const { json } = await ask(`${chain}/transactions?${query}`);
    const heights = json.transactions.map((one: { height: number }) => one.height);
    expect(heights, query).toContain(height);
  }
  const none = await ask(`${chain}/transactions?type=consent/grant&commitment=${commitment}`);
  expect(none.json.transactions).toEqual([]);
  const past = await ask(`${chain}/transactions?actor=${actor}&to=1000`);
  expect(past.json.transactions).toEqual([]);
});

test('the lists of the capabilities are served with their counts', async () => {
  const { json } = await ask(`${chain}/lists/records-anchors/member-1?from=1&limit=1`);
  expect(json.count).toBeGreaterThanOrEqual(3);
  expect(json.items).toHaveLength(1);
  expect(json.items[0].index).toBe(1);
  expect((await ask(`${chain}/organizations`)).json.organizations).toHaveLength(1);
  expect((await ask(`${chain}/nodes`)).json.nodes).toHaveLength(1);
});

test('errors say what happened and what to do, with a code', async () => {
  const cases: [Promise<ApiAnswer>, number, string][] = [
    [ask('/nowhere'), 404, 'api/not-found'],
    [ask(`/v1/chains/${'00'.repeat(32)}`), 404, 'api/unknown-chain'],
    [ask(`${chain}/blocks/99999`), 404, 'ledger/not-yet'],
    [ask(`${chain}/blocks/-1`), 400, 'api/malformed'],
    [ask('/v1/chains/%ff%zz/status'), 400, 'api/malformed'],
    [ask(`${chain}/blocks?limit=100000`), 400, 'api/malformed'],
    [ask(`${chain}/state/xyz`), 400, 'api/malformed'],
    [ask(`${chain}/transactions/${'00'.repeat(32)}`), 404, 'api/not-found'],
    [ask(`${chain}/transactions`, { method: 'POST', body: utf8('no') }), 400, 'transaction/not-canonical'],
    [
      ask(`${chain}/transactions`, { method: 'POST', body: utf8('{}'), type: 'application/json' }),
      415,
      'api/media-type',
    ],
    [ask(`${chain}/transactions`, { method: 'POST', body: new Uint8Array(2_000_000) }), 413, 'api/too-large'],
    [ask(`${chain}/transactions`, { method: 'DELETE' }), 404, 'api/not-found'],
  ];
  for (const [asked, status, code] of cases) {
    const answer = await asked;
    expect([answer.status, answer.json?.code]).toEqual([status, code]);
    expect(answer.json.message.length).toBeGreaterThan(0);
    expect(answer.json.help.length).toBeGreaterThan(0);
  }
});

test('the status stands at the chain’s own address and at /status', async () => {
  const [own, named] = [await ask(chain), await ask(`${chain}/status`)];
  expect([own.status, named.status]).toEqual([200, 200]);
  expect(named.json.node).toBe(own.json.node);
});

test('LED-02: no method of the API changes or deletes what is final', async () => {
  const before = (await ask(chain)).json;
  for (const method of ['PUT', 'PATCH', 'DELETE', 'POST']) {
    const answers = await Promise.all(
      [`${chain}/blocks/1`, `${chain}/state/00`, `${chain}/genesis`].map((path) => ask(path, { method })),
    );
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
  }
  expect((await ask(chain)).json.headerHash).toBe(before.headerHash);
});

test('health, readiness, metrics and the OpenAPI document answer', async () => {
  expect((await ask('/healthz')).json).toEqual({ alive: true, halted: null });
  expect((await ask('/readyz')).json.ready).toBe(true);
  const metrics = Buffer.from((await ask('/metrics')).bytes).toString();
  expect(metrics).toMatch(/^careledger_height \d+$/m);
  expect(metrics).toMatch(/^careledger_signatures_verified_total \d+$/m);
  const { json } = await ask('/v1/openapi.json');
  expect(json.openapi).toBe('3.1.0');
  expect(Object.keys(json.paths)).toContain('/v1/chains/{chain}/state/{key}');
  expect(json.paths['/v1/chains/{chain}/transactions'].post.requestBody).toBeDefined();
});
