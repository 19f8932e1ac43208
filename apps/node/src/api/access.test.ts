import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACCESS_TOKEN_MS_MAX, signAccessToken, verifyAccessToken } from '@careledger/ledger';
import { nodeId, signerFromSeed, toHex, verifySignature } from '@careledger/primitives';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LedgerNode } from '../ledger-node.ts';
import { type ApiCaller, apiCaller, operatorTokenOf } from '../testing/api-caller.ts';
import { TestConsortium } from '../testing/test-consortium.ts';
import { type DeniedEntry, hashOf } from './access-journal.ts';

let consortium: TestConsortium;
let node: LedgerNode;
let chain: string;
let anyone: ApiCaller;
let operator: ApiCaller;
const stranger = signerFromSeed(new Uint8Array(32).fill(5));

beforeAll(async () => {
  consortium = await TestConsortium.found({ members: 1, engine: { id: 'authority', version: 1 } });
  node = await consortium.start(0);
  const { api } = await node.start();
  chain = `/v1/chains/${toHex(consortium.chain)}`;
  const authorization = `Bearer ${operatorTokenOf(consortium.member(0).folder)}`;
  anyone = apiCaller(api.url, consortium.ca.certificate);
  operator = apiCaller(api.url, consortium.ca.certificate, { authorization });
  await node.submit(consortium.anchor(0).bytes);
});
afterAll(() => consortium.close());

function tokenOf(signer = consortium.member(0).signer, changes: object = {}): string {
  const { node: name } = consortium.member(0);
  const expiresAt = Date.now() + 60_000;
  return signAccessToken({ chain: consortium.chain, node: name, expiresAt, signer, ...changes });
}

function asMember(token: string, path: string) {
  return anyone(path, { headers: { authorization: `Bearer ${token}` } });
}

const reads = [
  '/blocks',
  '/blocks/1',
  '/transactions',
  '/state/00',
  '/organizations',
  '/audit-bundle',
  '/events',
];

test('LED-32: reading needs a permission: 403 for anyone without one, and an audit entry', async () => {
  const before = (await operator(`${chain}/access-denials?limit=1000`)).json.entries.length;
  for (const path of reads) {
    const answer = await anyone(chain + path);
    expect([path, answer.status, answer.json.code]).toEqual([path, 403, 'access/denied']);
  }
  const { entries } = (await operator(`${chain}/access-denials?limit=1000`)).json;
  const routes = entries
    .slice(before)
    .map(({ route }: DeniedEntry) => route.replace('/v1/chains/:chain', ''));
  expect(routes).toEqual(reads.map((path) => path.replace('/1', '/:block').replace('/00', '/:key')));
});

test('LED-32: a member reads with a token of a key in force, and what verification needs stays open', async () => {
  expect((await asMember(tokenOf(), `${chain}/blocks`)).status).toBe(200);
  for (const path of [
    '',
    '/genesis',
    '/head',
    '/validators',
    '/trust-path',
    '/consistency?first=0&second=1',
  ]) {
    expect([path, (await anyone(chain + path)).status]).toEqual([path, 200]);
  }
});

test('LED-32: a token of a strange key, another node, another time, or a changed one opens nothing', async () => {
  const good = tokenOf();
  const last = good.at(-1) === '0' ? '1' : '0';
  const tokens = [
    tokenOf(stranger),
    tokenOf(undefined, { node: nodeId('other-1') }),
    tokenOf(undefined, { chain: new Uint8Array(32) }),
    tokenOf(undefined, { expiresAt: Date.now() - 1 }),
    tokenOf(undefined, { expiresAt: Date.now() + ACCESS_TOKEN_MS_MAX + 60_000 }),
    good.slice(0, -1) + last,
    `${good}00`,
    'careledger-access.zz',
    '0'.repeat(64),
  ];
  for (const token of tokens) expect((await asMember(token, `${chain}/blocks`)).status).toBe(403);
});

test('why a token shows nothing is told apart', () => {
  const name = consortium.member(0).node;
  const reasonOf = (token: string, now = Date.now()): string => {
    const claim = verifyAccessToken({ token, chain: consortium.chain, node: name, now, verifySignature });
    return claim.ok ? 'good' : claim.error;
  };
  expect(reasonOf(tokenOf())).toBe('good');
  expect(reasonOf('nothing')).toBe('malformed');
  expect(reasonOf(tokenOf(), Date.now() + 61_000)).toBe('expired');
  expect(reasonOf(tokenOf(), Date.now() - ACCESS_TOKEN_MS_MAX)).toBe('too long');
  expect(reasonOf(tokenOf(undefined, { node: nodeId('other-1') }))).toBe('other node');
});

test('LED-32: appending needs a key in force: 403 and an audit entry that names the key', async () => {
  const known = consortium.anchor(0);
  const accepted = await anyone(`${chain}/transactions`, { method: 'POST', body: known.bytes });
  expect(accepted.status).toBe(202);
  const foreign = consortium.signed(stranger, { type: 'records/anchor', body: known.payload.body });
  const answer = await anyone(`${chain}/transactions`, { method: 'POST', body: foreign.bytes });
  expect([answer.status, answer.json.code]).toEqual([403, 'transaction/signer-not-in-force']);
  const { entries } = (await operator(`${chain}/access-denials`)).json;
  expect(entries.at(-1)).toMatchObject({ permission: 'append', publicKey: toHex(stranger.publicKey) });
});

test('LED-32: the journal is the operator’s, and no entry can be taken out of it unseen', async () => {
  const denied = await asMember(tokenOf(), `${chain}/access-denials`);
  expect([denied.status, denied.json.code]).toEqual([403, 'access/denied']);
  const text = readFileSync(join(consortium.member(0).folder, 'access-denials.jsonl'), 'utf8');
  const entries = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as DeniedEntry);
  expect(entries.at(-1)).toMatchObject({ permission: 'operate', organization: 'member-1' });
  for (const [index, { hash, ...content }] of entries.entries()) {
    expect(hash).toBe(hashOf(content));
    expect(content.previous).toBe(entries[index - 1]?.hash ?? '0'.repeat(64));
    expect(content.sequence).toBe(index);
  }
});
