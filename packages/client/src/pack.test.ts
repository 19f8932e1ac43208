import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toHex } from '@careledger/primitives';
import chromium from '@sparticuz/chromium';
import { build } from 'esbuild';
import { chromium as browsers } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestNode } from './testing.ts';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const ROOT = resolve(PACKAGE, '../..');
/** Minified, everything that `verifyFile` needs, @noble's curve included; in bytes. */
const VERIFY_BYTES_MAX = 100_000;
/** The same for the whole client. */
const CLIENT_BYTES_MAX = 160_000;

const node = createTestNode();
const [record] = node.records;
let workspace: string;
let foreign: string;

function npm(folder: string, ...words: readonly string[]): string {
  return execFileSync('npm', words, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** What a program of somebody else's does with the package: everything it says is one JSON line. */
const PROGRAM = `
import { createLedgerClient, fromHex, getState, utf8, verifyFile, verifyReceiptFile, verifySignature } from '@careledger/client';

export async function check({ chain, receipt, salt, record, answers }) {
  const trust = { expectedChain: fromHex(chain), verifySignature };
  const file = fromHex(receipt);
  const good = verifyFile(file, trust);
  const opened = verifyReceiptFile(file, { ...trust, opening: { salt: fromHex(salt), record: fromHex(record) } });
  const bad = verifyFile(file.map((byte, index) => (index === file.length - 200 ? byte ^ 1 : byte)), trust);
  const transport = async ({ path }) => {
    const body = answers[path.split('?')[0].split('/').slice(4).join('/')];
    return { status: body === undefined ? 404 : 200, body: fromHex(body ?? '') };
  };
  const client = await createLedgerClient({ chain: fromHex(chain), transport, verifySignature });
  const state = await getState(client, { key: utf8('test/5') });
  return {
    good: good.ok && good.value.kind,
    opened: opened.ok && opened.value.receipt.opened,
    bad: bad.ok,
    height: state.header.height,
  };
}
`;

const TYPES = `
import { createLedgerClient, fetchTransport, fromHex, getConsent, verifyFile, verifySignature } from '@careledger/client';

export async function look(chain: Uint8Array, file: Uint8Array): Promise<number> {
  const transport = fetchTransport({ url: 'https://node.example.org', fetch });
  const client = await createLedgerClient({ chain, transport, verifySignature });
  const id = fromHex('07'.repeat(16)) as Parameters<typeof getConsent>[1]['consentId'];
  const consent = await getConsent(client, { consentId: id });
  const verified = verifyFile(file, { expectedChain: chain, verifySignature });
  if (!verified.ok) throw new Error(verified.error.code);
  // @ts-expect-error A receipt has no such field: the types are there, and they are checked.
  const wrong = verified.value.nothing;
  return consent?.notAfter ?? wrong;
}
`;

function question(): object {
  const { chain } = node;
  const answer = (path: string): string =>
    toHex(
      node.answer({ method: 'GET', path: `/v1/chains/${toHex(chain)}/${path}`, accept: '', bytesMax: 1e9 })
        .body,
    );
  const state = `state/${toHex(new TextEncoder().encode('test/5'))}`;
  return {
    chain: toHex(chain),
    receipt: toHex(record?.receipt ?? new Uint8Array(0)),
    salt: toHex(record?.salt ?? new Uint8Array(0)),
    record: toHex(record?.bytes ?? new Uint8Array(0)),
    answers: {
      genesis: answer('genesis'),
      'trust-path': answer('trust-path'),
      [state]: answer(state),
    },
  };
}

const EXPECTED = { good: 'receipt', opened: true, bad: false, height: 5 };

/** Every Node of this machine, by major version: the workspace's own and what stands on the path beside it. */
function nodes(): readonly (readonly [major: number, program: string])[] {
  const programs = [process.execPath, '/usr/bin/node', '/usr/local/bin/node'];
  const found = programs.map((program) => {
    const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
    return [Number(/^v(\d+)/.exec(stdout ?? '')?.[1] ?? 0), program] as const;
  });
  return [...new Map(found.filter(([major]) => major >= 20)).entries()];
}

beforeAll(() => {
  workspace = mkdtempSync(join(tmpdir(), 'careledger-pack-'));
  foreign = join(workspace, 'foreign');
  // A copy is packed: while npm packs, the manifest is another one, and the tree belongs to everybody.
  const copy = join(workspace, 'packages/client');
  mkdirSync(copy, { recursive: true });
  for (const name of ['package.json', 'README.md']) copyFileSync(join(PACKAGE, name), join(copy, name));
  cpSync(join(PACKAGE, 'docs'), join(copy, 'docs'), { recursive: true });
  symlinkSync(join(ROOT, 'scripts'), join(workspace, 'scripts'));
  mkdirSync(foreign);
  npm(copy, 'pack', '--pack-destination', foreign);
  expect(readFileSync(join(copy, 'package.json'), 'utf8')).toBe(
    readFileSync(join(PACKAGE, 'package.json'), 'utf8'),
  );
  writeFileSync(join(foreign, 'package.json'), '{"name":"foreign","version":"1.0.0","type":"module"}');
  npm(foreign, 'install', '--offline', '--no-audit', '--no-fund', './careledger-client-0.1.0.tgz');
  writeFileSync(join(foreign, 'check.js'), PROGRAM);
  writeFileSync(join(foreign, 'question.json'), JSON.stringify(question()));
  writeFileSync(
    join(foreign, 'main.js'),
    `import { readFileSync } from 'node:fs';
import { check } from './check.js';
console.log(JSON.stringify(await check(JSON.parse(readFileSync('question.json', 'utf8')))));`,
  );
}, 90_000);

afterAll(() => rmSync(workspace, { recursive: true, force: true }));

describe('DEP-01, IOP-12: the packed client in an empty foreign project', () => {
  it('needs nothing else from any registry', () => {
    const manifest = JSON.parse(
      readFileSync(join(foreign, 'node_modules/@careledger/client/package.json'), 'utf8'),
    );
    expect(Object.keys(manifest)).not.toContain('dependencies');
    expect(Object.keys(manifest)).not.toContain('scripts');
    expect(npm(foreign, 'ls', '--all', '--parseable').trim().split('\n')).toHaveLength(2);
  });

  it.each(nodes())('verifies a receipt and a proven read on Node %i', (_major, program) => {
    const out = execFileSync(program, ['main.js'], { cwd: foreign, encoding: 'utf8' });
    expect(JSON.parse(out)).toEqual(EXPECTED);
  });

  it.each(['nodenext', 'bundler'])(
    'brings types that hold under strict checks with resolution %s',
    (resolution) => {
      writeFileSync(join(foreign, 'look.ts'), TYPES);
      const compilerOptions = {
        ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true, types: [] },
        ...{ target: 'es2022', lib: ['es2022', 'dom'], moduleResolution: resolution },
        module: resolution === 'bundler' ? 'esnext' : 'nodenext',
      };
      writeFileSync(join(foreign, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['look.ts'] }));
      const checked = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', '.'], {
        cwd: foreign,
        encoding: 'utf8',
      });
      expect([checked.stdout, checked.status]).toEqual(['', 0]);
    },
  );

  it('verifies the same in a browser, as modules and without a build', async () => {
    const browser = await browsers.launch({
      executablePath: await chromium.executablePath(),
      args: [...chromium.args, '--no-sandbox'],
      headless: true,
    });
    try {
      const page = await browser.newPage();
      await page.route('**/*', async (route) => {
        const { pathname } = new URL(route.request().url());
        if (pathname === '/')
          return route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>foreign</title>' });
        const file = join(foreign, pathname);
        const contentType = extname(file) === '.js' ? 'text/javascript' : 'application/json';
        return route.fulfill({ contentType, body: readFileSync(file) });
      });
      await page.goto('https://foreign.example.org/');
      await page.addScriptTag({
        type: 'importmap',
        content: '{"imports":{"@careledger/client":"/node_modules/@careledger/client/dist/client/index.js"}}',
      });
      const outcome = await page.evaluate(`(async () => {
        const { check } = await import('/check.js');
        return check(await (await fetch('/question.json')).json());
      })()`);
      expect(outcome).toEqual(EXPECTED);
    } finally {
      await browser.close();
    }
  }, 60_000);

  it('leaves out what is not imported: a verifier of files brings no client, and its size is bounded', async () => {
    const bundle = async (contents: string): Promise<string> => {
      const { outputFiles } = await build({
        stdin: { contents, resolveDir: foreign },
        ...{
          bundle: true,
          minify: true,
          write: false,
          format: 'esm',
          target: 'es2022',
          legalComments: 'none',
        },
      });
      return outputFiles[0]?.text ?? '';
    };
    const verifier = await bundle("export { verifyFile, verifySignature } from '@careledger/client';");
    const whole = await bundle("export * from '@careledger/client';");
    for (const part of ['/v1/chains', 'client/unreachable', 'client/stale-answer', 'wait=final']) {
      expect([part, whole.includes(part), verifier.includes(part)]).toEqual([part, true, false]);
    }
    expect(verifier.length).toBeLessThan(VERIFY_BYTES_MAX);
    expect(whole.length).toBeLessThan(CLIENT_BYTES_MAX);
  });
});
