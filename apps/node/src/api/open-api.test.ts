import { readFileSync } from 'node:fs';
import { anchors, keyKey } from '@careledger/capabilities';
import { toHex } from '@careledger/primitives';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LedgerNode } from '../ledger-node.ts';
import { type ApiAnswer, type ApiCaller, apiCaller, operatorTokenOf } from '../testing/api-caller.ts';
import { TestConsortium } from '../testing/test-consortium.ts';

let consortium: TestConsortium;
let node: LedgerNode;
let ask: ApiCaller;
let chain: string;
// biome-ignore lint/suspicious/noExplicitAny: the document is judged by its own schema.
let document: any;
let values: Readonly<Record<string, string>>;

beforeAll(async () => {
  consortium = await TestConsortium.found({ members: 1, engine: { id: 'authority', version: 1 } });
  node = await consortium.start(0);
  chain = toHex(consortium.chain);
  const authorization = `Bearer ${operatorTokenOf(consortium.member(0).folder)}`;
  ask = apiCaller((await node.start()).api.url, consortium.ca.certificate, { authorization });
  for (let count = 0; count < 3; count += 1) await node.submit(consortium.anchor(0).bytes);
  const { id } = await node.submit(consortium.anchor(0).bytes);
  document = (await ask('/v1/openapi.json')).json;
  const { organization, signer } = consortium.member(0);
  values = {
    chain,
    block: '1',
    id: toHex(id),
    key: toHex(anchors.countKey(organization)),
    list: 'records-anchors',
    organization,
    type: 'records/anchor',
    at: String(node.block(2)?.header.time),
    leaf: '00'.repeat(32),
    first: '1',
    second: '3',
    founding: toHex(keyKey(signer.publicKey)),
  };
});
afterAll(() => consortium.close());

function ajv(): Ajv2020 {
  const validator = new Ajv2020({ strict: false });
  validator.addSchema({ $id: 'document', components: document.components });
  return validator;
}

/** The address of an operation with the values of this test in it. */
function addressOf(
  path: string,
  operation: { parameters: { in: string; name: string; required?: boolean }[] },
) {
  const place = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? name);
  const required = operation.parameters.filter((parameter) => parameter.in === 'query' && parameter.required);
  const query = required.map(({ name }) => `${name}=${values[name]}`).join('&');
  return query === '' ? place : `${place}?${query}`;
}

function call(method: string, path: string, address: string): Promise<ApiAnswer> {
  if (method === 'get') return ask(address);
  if (path.endsWith('/matches')) {
    const body = new TextEncoder().encode(JSON.stringify({ commitment: '00'.repeat(32) }));
    return ask(address, { method: 'POST', type: 'application/json', body });
  }
  return ask(`${address}?wait=final`, { method: 'POST', body: consortium.anchor(0).bytes });
}

test('the OpenAPI document is a valid one of version 3.1', async () => {
  const verdict = await new Validator().validate(document);
  expect(verdict.errors ?? []).toEqual([]);
  expect(verdict.valid).toBe(true);
});

test('every documented route answers as the document says, by its own schema', async () => {
  const validator = ajv();
  const called: string[] = [];
  for (const [path, operations] of Object.entries<Record<string, never>>(document.paths)) {
    for (const [method, operation] of Object.entries<never>(operations)) {
      if (path.endsWith('/events')) continue;
      const answer = await call(method, path, addressOf(path, operation));
      const { responses } = operation as {
        responses: Record<string, { content: Record<string, { schema?: { $ref?: string } }> }>;
      };
      const type = answer.type.split(';')[0] ?? '';
      expect([path, answer.status, Object.keys(responses[200]?.content ?? {})]).toEqual([
        path,
        200,
        expect.arrayContaining([type]),
      ]);
      const reference = responses[200]?.content[type]?.schema?.$ref;
      if (reference) {
        const check = validator.getSchema(`document${reference}`);
        check?.(answer.json);
        expect([path, check?.errors ?? []]).toEqual([path, []]);
      }
      called.push(`${method} ${path}`);
    }
  }
  expect(called.length).toBeGreaterThanOrEqual(24);
});

test('every fault is a Problem of the document', async () => {
  const check = ajv().getSchema('document#/components/schemas/Problem');
  for (const path of ['/nowhere', `/v1/chains/${chain}/blocks/99999`, `/v1/chains/${chain}/blocks?limit=0`]) {
    const { status, json } = await ask(path);
    check?.(json);
    expect([path, status >= 400, check?.errors ?? []]).toEqual([path, true, []]);
  }
});

test('the Grafana dashboard asks for metrics that the node has, and for every one of them', async () => {
  const text = Buffer.from((await ask('/metrics')).bytes).toString();
  const served = new Set([...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name));
  const dashboard = readFileSync(
    new URL('../../../../deploy/grafana/node-dashboard.json', import.meta.url),
    'utf8',
  );
  const asked = new Set(
    [...dashboard.matchAll(/careledger_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, '')),
  );
  expect([...asked].sort()).toEqual([...served].sort());
  expect(text).toMatch(/^careledger_transactions_total\{type="records\/anchor",result="accepted"\} [4-9]/m);
});

test('no label of a metric names an organization, a node, a key or a route’s arguments', async () => {
  const text = Buffer.from((await ask('/metrics')).bytes).toString();
  expect(text).not.toMatch(/member-1|[0-9a-f]{32}/);
});
