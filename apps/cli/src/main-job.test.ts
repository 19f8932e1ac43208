import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeGenesis } from '@careledger/ledger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConsortiumFile } from './consortium-file.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const BASE_PORT = 18_400;
const RUN_MILLISECONDS_MAX = 300_000;

interface Line {
  readonly event: string;
  readonly step?: number;
  readonly verdict?: string;
  readonly checks?: readonly { readonly text: string; readonly held: boolean }[];
  readonly figures?: Readonly<Record<string, number>>;
  readonly organizations?: readonly { readonly name: string; readonly fhir: string; readonly node: string }[];
}

interface Run {
  readonly code: number | null;
  readonly lines: readonly Line[];
  readonly errors: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly lines: Line[];
  readonly ended: Promise<Run>;
}

function start(parameters: readonly string[]): Running {
  const child = spawn(process.execPath, [MAIN, 'start', ...parameters], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: Line[] = [];
  let rest = '';
  let errors = '';
  child.stdout?.on('data', (part) => {
    const parts = `${rest}${part}`.split('\n');
    rest = parts.pop() ?? '';
    // Every line is one JSON object: anything else fails the run.
    for (const line of parts) lines.push(JSON.parse(line) as Line);
  });
  child.stderr?.on('data', (part) => {
    errors += String(part);
  });
  const ended = new Promise<Run>((resolve) => child.on('close', (code) => resolve({ code, lines, errors })));
  return { child, lines, ended };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + RUN_MILLISECONDS_MAX;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not happen in time');
    await new Promise((done) => setTimeout(done, 100));
  }
}

const folder = mkdtempSync(join(tmpdir(), 'careledger-main-job-'));
const data = join(folder, 'data');
const options = ['--json', '--data', data, '--port', String(BASE_PORT)];
let first: Run;

beforeAll(async () => {
  first = await start([...options, '--exit']).ended;
}, RUN_MILLISECONDS_MAX);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function stepOf(run: Run, step: number): Line {
  const found = run.lines.find((line) => line.event === 'step' && line.step === step);
  if (!found) throw new Error(`step ${step} was not reported: ${run.errors}`);
  return found;
}

function failures(run: Run): readonly string[] {
  return run.lines.flatMap((line) =>
    (line.checks ?? []).filter((check) => !check.held).map((check) => check.text),
  );
}

describe('the main job, by four processes', () => {
  test('every step holds, and the exit code says so', () => {
    expect(failures(first)).toEqual([]);
    expect(first.lines.filter((line) => line.event === 'step').map((line) => line.verdict)).toEqual(
      Array.from({ length: 7 }, () => 'held'),
    );
    expect(first.code).toBe(0);
    expect(first.lines.find((line) => line.event === 'ready')?.organizations).toHaveLength(4);
  });

  test('at least 20 patients and 2,000 resources are loaded and anchored', () => {
    const { figures } = stepOf(first, 1);
    expect(figures?.patients).toBeGreaterThanOrEqual(20);
    expect(figures?.resources).toBeGreaterThanOrEqual(2_000);
  });

  test('IOP-01: the status of a consent is the same at every participant, each proving it', () => {
    const checks = stepOf(first, 2).checks?.map((check) => check.text);
    expect(checks).toContain('all four nodes prove the same consent, active');
  });

  test('NET-15: a member killed under load costs nothing that was acknowledged', () => {
    const texts = stepOf(first, 7).checks?.map((check) => check.text) ?? [];
    expect(texts.some((text) => text.startsWith('nothing acknowledged is lost'))).toBe(true);
  });

  test('MISC-05: the default network is a private consortium of known organizations', () => {
    const file = JSON.parse(readFileSync(join(data, 'consortium.json'), 'utf8')) as ConsortiumFile;
    const genesis = decodeGenesis(Uint8Array.from(readFileSync(join(data, file.genesisFile))));
    if (!genesis.ok) throw new Error(genesis.error);
    const { engine, validators } = genesis.value;
    expect(engine.id).toBe('pbft');
    expect(validators.map((validator) => validator.organization).toSorted()).toEqual(
      file.organizations.map((organization) => organization.name).toSorted(),
    );
  });
});

/** The README's shell lines, against this consortium instead of the default folder and port. */
function runReadmeSnippet(): { readonly code: number | null; readonly output: string } {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  const snippet = /```sh\n([\s\S]*?)```/.exec(readme)?.[1] ?? 'exit 1';
  const here = snippet
    .replaceAll('npx careledger', `'${process.execPath}' '${MAIN}'`)
    .replaceAll('./.careledger/', `${data}/`)
    .replaceAll('.careledger/', `${data}/`)
    .replaceAll(':7400', `:${BASE_PORT}`)
    .replaceAll("' status", `' status --data '${data}'`)
    .replaceAll("' token", `' token --data '${data}'`);
  const { status, stdout, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', here], {
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}` },
    encoding: 'utf8',
  });
  return { code: status, output: `${stdout}${stderr}` };
}

describe('the same data folder again', () => {
  test('it continues, serves until it is interrupted, and ends cleanly', async () => {
    const run = start(options);
    await until(() => run.lines.some((line) => line.event === 'ready') || run.child.exitCode !== null);
    const snippet = runReadmeSnippet();
    expect(snippet.output).toContain('"resourceType":"Bundle"');
    expect(snippet.code).toBe(0);
    const again = start([...options, '--exit']);
    const refused = await again.ended;
    expect(refused.code).not.toBe(0);
    expect(refused.errors).toContain('in use');
    run.child.kill('SIGINT');
    const ended = await run.ended;
    expect(failures(ended)).toEqual([]);
    expect(stepOf(ended, 1).figures?.records).toBe(0);
    expect(ended.code).toBe(0);
  }, 300_000);
});

describe('what cannot start', () => {
  let server: Server;
  const port = BASE_PORT + 100;

  beforeAll(async () => {
    server = createServer();
    await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  });
  afterAll(() => new Promise((closed) => server.close(closed)));

  test('a port in use is named, and nothing is left running', async () => {
    const run = await start(['--exit', '--json', '--data', join(folder, 'other'), '--port', String(port)])
      .ended;
    expect(run.code).not.toBe(0);
    expect(run.errors).toContain(String(port));
    expect(run.errors).not.toContain('    at ');
  }, 120_000);

  test('a data folder of another version is refused', async () => {
    const old = join(folder, 'old');
    cpSync(data, old, { recursive: true });
    const file = join(old, 'consortium.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"version": 1', '"version": 99'));
    const run = await start(['--exit', '--json', '--data', old, '--port', String(port + 200)]).ended;
    expect(run.code).not.toBe(0);
    expect(run.errors).toContain('version 99');
  });

  test('a missing import path is refused before anything is started', async () => {
    const missing = join(folder, 'nowhere');
    const run = await start(['--exit', '--json', '--import', missing, '--data', join(folder, 'none')]).ended;
    expect(run.code).not.toBe(0);
    expect(run.errors).toContain(missing);
  });
});
