import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { decodeTransaction } from '@careledger/ledger';
import { toHex, verifySignature } from '@careledger/primitives';
import { describe, expect, it } from 'vitest';
import { chunksOf } from './event-stream.ts';
import * as frontDoor from './index.ts';
import { CONSENT_ID, createTestNode, START_TIME, testSigner } from './testing.ts';
import { eventText } from './testing-queries.ts';

const DOCS = new URL('../docs/', import.meta.url);
const ACTIONS = new URL('./actions/', import.meta.url);
const IMPORT = /^import \{([^}]+)\} from '@careledger\/client';$/gm;

const OFFERED = new Map<string, unknown>(Object.entries(frontDoor));
const pages = readdirSync(DOCS).filter((name) => name.endsWith('.md'));
const node = createTestNode();

/** What a page takes for given: the objects that the pages before it make. */
async function surroundings(): Promise<Readonly<Record<string, unknown>>> {
  const [record] = node.records;
  const decoded = decodeTransaction(node.blocks[0]?.transactions[0] ?? new Uint8Array(0));
  if (!decoded.ok || !record) throw new Error('the test node has transactions and records');
  const { type, body, nonce, expiresAt } = decoded.value.payload;
  const transport: frontDoor.NodeTransport = async (request) => node.answer(request);
  return {
    CHAIN: toHex(node.chain),
    chain: node.chain,
    client: await frontDoor.createLedgerClient({ chain: node.chain, transport, verifySignature }),
    // A `fetch` that leads to the test node.
    fetch: async (url: string, init: { readonly method: 'GET' | 'POST' }) => {
      const path = url.replace('https://node.example.org', '');
      const { status, body: answer } = node.answer({ method: init.method, path, accept: '', bytesMax: 1 });
      return new Response(Uint8Array.from(answer), { status });
    },
    ...{ at: START_TIME + 3_500, wait: async () => undefined },
    stream: async ({ path }: { readonly path: string }) => ({
      status: 200,
      body: chunksOf(new Response(eventText(node.blocks, path)).body),
    }),
    ...{ consentId: CONSENT_ID, id: decoded.value.id },
    ...{ type, body, nonce, expiresAt, signer: testSigner(0) },
    ...{ file: record.receipt, receipt: record.receipt, salt: record.salt, record: record.bytes },
  };
}

/** Runs the page's example as it stands, its imports taken from the front door. @returns what it prints. */
async function play(page: string): Promise<readonly unknown[]> {
  const text = readFileSync(new URL(page, DOCS), 'utf8');
  const snippet = /```ts\n([\s\S]+?)```/.exec(text)?.[1] ?? '';
  const imported = new Map<string, unknown>();
  for (const [, names = ''] of snippet.matchAll(IMPORT)) {
    for (const name of names.split(',').map((each) => each.trim())) {
      expect(OFFERED.has(name), `${page} imports ${name}`).toBe(true);
      imported.set(name, OFFERED.get(name));
    }
  }
  expect(imported.size, `${page} imports something`).toBeGreaterThan(0);
  const printed: unknown[] = [];
  const console = { log: (...words: readonly unknown[]) => printed.push(...words) };
  const scope = { ...(await surroundings()), ...Object.fromEntries(imported), console };
  const body = stripTypeScriptTypes(snippet.replace(IMPORT, ''));
  await new Function(...Object.keys(scope), `return (async () => {${body}})();`)(...Object.values(scope));
  return printed;
}

describe('IOP-12: one action, one file, one page', () => {
  it('every action has its page', () => {
    const actions = readdirSync(ACTIONS).filter((name) => !name.endsWith('.test.ts'));
    for (const action of actions) {
      expect([action, existsSync(new URL(action.replace(/\.ts$/, '.md'), DOCS))]).toEqual([action, true]);
    }
  });

  it.each(pages)('the example of %s runs as it stands', async (page) => {
    expect(await play(page)).not.toEqual([]);
  });
});
