import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { HttpsAnswer } from '../https-request.ts';
import { bulkExport } from './bulk-export.ts';
import type { MemberSession } from './member-session.ts';

const BASE = 'https://localhost:1/fhir/R4';
const JOB = `${BASE}/$export-jobs/one`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'careledger-bulk-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function answer(status: number, body: unknown, headers: HttpsAnswer['headers'] = {}): HttpsAnswer {
  return { status, headers, body: new TextEncoder().encode(JSON.stringify(body)) };
}

/** A member that is ready at the second look and lists these files. */
function fakeSession(urls: readonly string[], download: MemberSession['download']) {
  const asked: string[] = [];
  const manifest = { transactionTime: '2026-03-01T00:00:00Z', output: urls.map((url) => ({ url })) };
  const answers = [answer(202, {}), answer(200, manifest)];
  const session: MemberSession = {
    base: BASE,
    begin: async (url) => {
      asked.push(`begin ${url}`);
      return answer(202, {}, { 'content-location': JOB });
    },
    get: async (url) => {
      asked.push(`look ${url}`);
      return answers.shift() ?? answer(500, {});
    },
    download: async (url, path) => {
      asked.push(`download ${url}`);
      return download(url, path);
    },
    pause: async () => undefined,
    cancel: async (url) => {
      asked.push(`cancel ${url}`);
    },
    close: async () => undefined,
  };
  return { session, asked };
}

function exportTo(name: string, session: MemberSession) {
  return bulkExport(session, {
    level: '',
    parameters: {},
    folder: join(folder, name),
    tell: () => undefined,
  });
}

it('IOP-05: asks, waits, downloads, writes the manifest last and ends the job', async () => {
  const { session, asked } = fakeSession([`${JOB}/Patient-0.ndjson`], async (_url, path) => {
    writeFileSync(path, '{}\n');
    return { lines: 1, bytes: 3 };
  });
  const { files } = await exportTo('whole', session);
  expect(files).toEqual([{ name: 'Patient-0.ndjson', lines: 1, bytes: 3 }]);
  expect(readdirSync(join(folder, 'whole')).sort()).toEqual(['Patient-0.ndjson', 'manifest.json']);
  expect(asked).toEqual([
    `begin ${BASE}/$export`,
    ...[`look ${JOB}`, `look ${JOB}`],
    `download ${JOB}/Patient-0.ndjson`,
    `cancel ${JOB}`,
  ]);
});

it('IOP-05: an export that is broken off ends its job and leaves no manifest', async () => {
  const { session, asked } = fakeSession([`${JOB}/Patient-0.ndjson`], async () => {
    throw new Error('interrupted');
  });
  await expect(exportTo('broken', session)).rejects.toThrow('interrupted');
  expect(asked.at(-1)).toBe(`cancel ${JOB}`);
  expect(readdirSync(join(folder, 'broken'))).toEqual([]);
});

it.each([
  'https://elsewhere.example/Patient-0.ndjson',
  `${JOB}/../two/Patient-0.ndjson`,
  `${JOB}/..%2f..%2fPatient-0.ndjson`,
])('SEC-15: a manifest that names %s gets no token', async (url) => {
  const { session, asked } = fakeSession([url], async () => ({ lines: 0, bytes: 0 }));
  await expect(exportTo(`strange-${url.length}`, session)).rejects.toMatchObject({ code: 'export/answer' });
  expect(asked.filter((each) => each.startsWith('download'))).toEqual([]);
  expect(asked.at(-1)).toBe(`cancel ${JOB}`);
});
