import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ImportError, type ImportReport, importFrom } from '../index.ts';
import { MemoryTarget } from '../memory-target.ts';
import { type FakeResource, type FakeServer, searchset, sendJson, startFakeServer } from './fake-server.ts';
import { ATTEMPTS_MAX, BACK_OFF_MILLISECONDS_MAX } from './fetch-json.ts';
import { type ServerSourceOptions, serverSource } from './server-source.ts';
import { sourceAddress } from './source-address.ts';

let fake: FakeServer;
let folder: string;
let target: MemoryTarget;
let waits: number[];

function organization(id: string, second: number): FakeResource {
  const lastUpdated = `2026-01-01T00:00:${String(second).padStart(2, '0')}.000Z`;
  return { resourceType: 'Organization', id, name: id, meta: { versionId: '1', lastUpdated } };
}

beforeEach(async () => {
  fake = await startFakeServer([1, 2, 3, 4, 5].map((each) => organization(`g${each}`, each)));
  folder = await mkdtemp(join(tmpdir(), 'careledger-server-source-'));
  target = new MemoryTarget();
  waits = [];
});
afterEach(async () => {
  await fake.close();
  await rm(folder, { recursive: true });
});

function run(options: Partial<ServerSourceOptions> = {}): Promise<ImportReport> {
  const wait = async (milliseconds: number): Promise<void> => void waits.push(milliseconds);
  return importFrom(serverSource({ url: fake.url, wait, ...options }), { target });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'imported',
    (error: ImportError) => error.code,
  );
}

describe('OFF-10: a FHIR server that misbehaves', () => {
  test('a next link to another origin is not followed, and the token goes nowhere', async () => {
    const other = await startFakeServer([]);
    try {
      for (const link of [
        `${other.url}/Organization`,
        'file:///etc/passwd',
        fake.url.replace('//', '//u:p@'),
      ]) {
        fake.misbehave = (_request, response, url) =>
          url.pathname.endsWith('Organization') && sendJson(response, searchset([], link));
        expect([link, await codeOf(run({ token: () => 'secret' }))]).toEqual([link, 'import/source-link']);
      }
      expect(other.asked).toEqual([]);
    } finally {
      await other.close();
    }
  });

  test.each([1, 2, 7])('next links in a circle of %i end', async (length) => {
    fake.misbehave = (_request, response, url) => {
      if (!url.pathname.endsWith('Organization')) return false;
      const place = Number(url.searchParams.get('at') ?? 0);
      const entry = { resource: organization(`g${place}`, place) };
      return sendJson(response, searchset([entry], `${fake.url}/Organization?at=${(place + 1) % length}`));
    };
    expect(await codeOf(run())).toBe('import/source-link');
    expect(fake.asked.length).toBeLessThan(40);
  });

  test('empty pages without end are given up', async () => {
    let page = 0;
    fake.misbehave = (_request, response, url) =>
      url.pathname.endsWith('Organization') &&
      sendJson(response, searchset([], `${fake.url}/Organization?at=${page++}`));
    expect(await codeOf(run())).toBe('import/source-link');
  });

  test('entries of another type or without an id are refused one by one; the rest is loaded', async () => {
    fake.misbehave = (_request, response, url) =>
      url.pathname.endsWith('Organization') &&
      sendJson(
        response,
        searchset([
          { resource: organization('g1', 1) },
          { resource: { ...organization('p1', 1), resourceType: 'Patient' } },
          { resource: { ...organization('x', 1), id: '../../etc' } },
          { resource: 7 },
          { resource: { resourceType: 'OperationOutcome' }, search: { mode: 'outcome' } },
        ]),
      );
    const report = await run();
    expect(report).toMatchObject({ read: 4, created: 1, refused: 3 });
    expect(report.findings[0]).toMatchObject({ file: 'Organization, page 1', entry: 1 });
  });

  test('what is no searchset, no JSON, or a redirect is refused at once', async () => {
    const answers: readonly (readonly [string, Parameters<typeof sendJson>[1], number, string])[] = [
      ['a list', [], 200, 'import/source-answer'],
      ['another bundle', { resourceType: 'Bundle', type: 'history' }, 200, 'import/source-answer'],
      ['a redirect', {}, 302, 'import/source-refused'],
      ['not found', {}, 404, 'import/source-refused'],
      ['no access', {}, 401, 'import/source-denied'],
      ['forbidden', {}, 403, 'import/source-denied'],
    ];
    for (const [name, value, status, code] of answers) {
      fake.misbehave = (_request, response, url) =>
        url.pathname.endsWith('Organization') && sendJson(response, value, status);
      expect([name, await codeOf(run())]).toEqual([name, code]);
    }
    fake.misbehave = (_request, response) => {
      response.end('{"a":');
      return true;
    };
    expect(await codeOf(run())).toBe('import/source-answer');
    expect(waits).toEqual([]);
  });

  test('a server that is busy or broken is asked again, later each time, as it says or by doubling', async () => {
    const failures = [429, 503, 500, 502];
    fake.misbehave = (_request, response, url) => {
      const status = url.pathname.endsWith('Organization') ? failures.shift() : undefined;
      if (status === undefined) return false;
      response.writeHead(status, status === 429 ? { 'retry-after': '7' } : {});
      response.end();
      return true;
    };
    expect(await run()).toMatchObject({ created: 5 });
    expect(waits).toEqual([7_000, 2_000, 4_000, 8_000]);
    fake.misbehave = (_request, response) => {
      response.writeHead(503, { 'retry-after': '999999' });
      response.end();
      return true;
    };
    waits = [];
    expect(await codeOf(run())).toBe('import/source-refused');
    expect(waits).toEqual(Array.from({ length: ATTEMPTS_MAX - 1 }, () => BACK_OFF_MILLISECONDS_MAX));
  });

  test('a server that hangs, or is gone, is given up after as many attempts', async () => {
    fake.misbehave = () => true;
    expect(await codeOf(run({ requestMillisecondsMax: 20 }))).toBe('import/source-unreachable');
    expect(fake.asked).toHaveLength(ATTEMPTS_MAX);
    await fake.close();
    expect(await codeOf(run())).toBe('import/source-unreachable');
  });

  test('an address with a password or a query in it, or of another kind, is refused', () => {
    for (const address of ['ftp://x/fhir', 'file:///etc', 'https://u:p@x/fhir', 'https://x/fhir?a=b', 'x']) {
      expect(() => sourceAddress(address)).toThrow(
        expect.objectContaining({ code: 'import/source-address' }),
      );
    }
    expect(sourceAddress('http://10.0.0.1:8080/fhir').href).toBe('http://10.0.0.1:8080/fhir/');
  });
});

describe('an import from a server', () => {
  test('sends the token with every request, read anew each time', async () => {
    let count = 0;
    await run({ token: () => `t${count++}` });
    expect(fake.tokens).toEqual(fake.tokens.map((_each, index) => `Bearer t${index}`));
  });

  test('goes on where it was interrupted, and then reads what changed alone', async () => {
    const stateFile = join(folder, 'state', 'hospital.json');
    // The last page of the second time through cannot be had: four of five stand by then, none of them stored yet.
    fake.misbehave = (_request, response, url) =>
      url.searchParams.has('_sort') && url.searchParams.get('page') === '4' && sendJson(response, {}, 403);
    expect(await codeOf(run({ stateFile }))).toBe('import/source-denied');
    fake.misbehave = undefined;
    expect(await run({ stateFile })).toMatchObject({ read: 5, created: 5 });
    const kept = JSON.parse(await readFile(stateFile, 'utf8'));
    expect(Object.keys(kept).sort()).toEqual(['done', 'since', 'source', 'version']);
    expect((await stat(stateFile)).mode & 0o777).toBe(0o600);
    fake.asked.splice(0);
    fake.resources.push({
      ...organization('g6', 6),
      meta: { versionId: '1', lastUpdated: '2999-01-01T00:00:00.000Z' },
    });
    expect(await run({ stateFile })).toMatchObject({ read: 1, created: 1 });
    expect(fake.asked.filter((each) => each.includes('Organization'))).toEqual(
      expect.arrayContaining([expect.stringContaining('_lastUpdated=ge')]),
    );
  });

  test('does not read again what an interrupted run has stored', async () => {
    const stateFile = join(folder, 'hospital.json');
    fake.resources.splice(0);
    for (let index = 0; index < 150; index += 1) {
      const minute = String(index % 60).padStart(2, '0');
      const meta = { versionId: '1', lastUpdated: `2026-01-01T0${Math.floor(index / 60)}:${minute}:00.000Z` };
      fake.resources.push({ ...organization(`g${index}`, 0), meta });
    }
    fake.misbehave = (_request, response, url) =>
      url.searchParams.has('_sort') && url.searchParams.get('page') === '120' && sendJson(response, {}, 403);
    expect(await codeOf(run({ stateFile }))).toBe('import/source-denied');
    expect(target.records()).toHaveLength(100);
    const kept = JSON.parse(await readFile(stateFile, 'utf8'));
    expect(kept).toMatchObject({ type: 'Organization', until: '2026-01-01T01:39:00.000Z' });
    fake.misbehave = undefined;
    expect(await run({ stateFile })).toMatchObject({ read: 51, created: 50, unchanged: 1 });
    const whole = new MemoryTarget();
    await importFrom(serverSource({ url: fake.url, wait: async () => undefined }), { target: whole });
    expect(target.contents()).toEqual(whole.contents());
  });

  test('the state of another source, or a damaged one, is refused', async () => {
    const stateFile = join(folder, 'hospital.json');
    await run({ stateFile });
    const other = await startFakeServer([organization('g1', 1)]);
    expect(await codeOf(run({ stateFile, url: other.url }))).toBe('import/state');
    await other.close();
  });
});
