import { decodeReceipt, verifyReceipt } from '@careledger/ledger';
import { fromBase64Url, utf8, verifySignature } from '@careledger/primitives';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_OPERATOR, requestToken } from '../authorization/index.ts';
import { BASE_URL, observationText, PATIENT, TestWorld } from '../fhir/testing.ts';
import type { GatewayContext } from '../gateway.ts';
import { startTestGateway, type TestAnswer, type TestGateway } from '../server/testing.ts';
import type { ExportChunk } from './export-chunks.ts';
import { ExportDesk } from './export-desk.ts';
import { exportRoutes } from './export-routes.ts';
import { ExportStore } from './export-store.ts';
import { JOB_MS_MAX, JOBS_PER_CALLER_MAX } from './limits.ts';

let world: TestWorld;
let gateway: TestGateway;
let desk: ExportDesk;
let clock = 0;
const now = () => Date.now() + clock;
const journalled: ExportChunk[] = [];
let journal = async (chunk: ExportChunk): Promise<void> => {
  journalled.push(chunk);
};

function contextOf({
  vault,
  store,
  index,
  indexer,
  keystore,
  outbox,
  ledger,
  home,
}: TestWorld): GatewayContext {
  const log = { info: () => undefined, error: () => undefined };
  return {
    ...{ vault, store, index, indexer, keystore, outbox, ledger, log, now },
    organization: vault.organization,
    service: world.service,
    folder: home,
    origin: 'https://localhost:7400',
  } as GatewayContext;
}

async function openDesk(): Promise<ExportDesk> {
  const store = await ExportStore.open(`${world.home}/exports`);
  return new ExportDesk({
    store,
    gateway: contextOf(world),
    journal: (_caller, chunk) => journal(chunk),
  });
}

const ids: { amber: string; basil: string; group: string } = { amber: '', basil: '', group: '' };

beforeAll(async () => {
  world = await TestWorld.open();
  await world.outbox.start();
  desk = await openDesk();
  gateway = await startTestGateway((app) =>
    exportRoutes(app, {
      outbox: world.outbox,
      baseUrl: BASE_URL,
      desk: new Proxy(desk, { get: (_target, name) => Reflect.get(desk, name).bind(desk) }),
    }),
  );
  ids.amber = await world.create(PATIENT);
  ids.basil = await world.create({ ...PATIENT, identifier: [{ system: 'urn:mrn', value: '2' }] });
  await world.create({ resourceType: 'Organization', name: 'General Hospital' });
  for (const id of [ids.amber, ids.amber, ids.basil]) {
    await world.request('POST', 'Observation', { body: observationText(id) });
  }
  ids.group = await world.create({
    resourceType: 'Group',
    type: 'person',
    actual: true,
    member: [{ entity: { reference: `Patient/${ids.basil}` } }],
  });
  await world.outbox.settled();
});
afterAll(async () => {
  await gateway.close();
  await desk.stop();
  await world.remove();
});
afterEach(async () => {
  clock = JOB_MS_MAX + 1;
  await desk.sweep();
  clock = 0;
  journalled.length = 0;
});

async function token(scope = 'system/*.rs', extensions: object = {}): Promise<string> {
  const { accessToken } = await requestToken({
    clientId: LOCAL_OPERATOR,
    privateKey: gateway.keys.operator,
    tokenEndpoint: gateway.authorization.tokenEndpoint,
    scope,
    agent: gateway.plainAgent,
    extensions,
  });
  return accessToken;
}

const ASYNC = { prefer: 'respond-async', accept: 'application/fhir+json' };

function get(path: string, bearer: string, headers: Record<string, string> = {}): Promise<TestAnswer> {
  return gateway.call({ path, token: bearer, headers, agent: gateway.plainAgent });
}

function pathOf(url: unknown): string {
  return new URL(String(url)).pathname;
}

interface Manifest {
  readonly output: readonly { readonly type: string; readonly url: string }[];
  readonly deleted?: readonly { readonly type: string; readonly url: string }[];
  readonly extension: Readonly<Record<string, readonly { readonly type: string; readonly url: string }[]>>;
}

async function finished(path: string, bearer: string): Promise<Manifest> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const answer = await get(path, bearer);
    if (answer.status === 200) return JSON.parse(answer.text);
    if (answer.status !== 202) throw new Error(`${answer.status} ${answer.text}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('the export did not end');
}

async function exported(kickOff: string, bearer: string): Promise<{ job: string; manifest: Manifest }> {
  const begun = await get(kickOff, bearer, ASYNC);
  if (begun.status !== 202) throw new Error(`${begun.status} ${begun.text}`);
  const job = pathOf(begun.headers['content-location']);
  return { job, manifest: await finished(job, bearer) };
}

async function linesOf(manifest: Manifest, type: string, bearer: string): Promise<readonly string[]> {
  const texts: string[] = [];
  for (const file of manifest.output.filter((one) => one.type === type)) {
    const answer = await get(pathOf(file.url), bearer, { accept: 'application/fhir+ndjson' });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/fhir+ndjson']);
    texts.push(...answer.text.split('\n').filter((line) => line !== ''));
  }
  return texts;
}

const typesOf = ({ output }: Manifest) => output.map(({ type }) => type);

describe('PRIV-06: bulk export', () => {
  it('of everything: a file a type, each line the text that was committed, journalled before it left', async () => {
    const bearer = await token();
    const { manifest } = await exported('/fhir/R4/$export', bearer);
    expect(typesOf(manifest)).toEqual(['Group', 'Observation', 'Organization', 'Patient']);
    expect(journalled).toEqual([]);
    const lines = await linesOf(manifest, 'Observation', bearer);
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).toContain('"value":1.10');
      const { id } = JSON.parse(line);
      expect(line).toBe((await world.request('GET', `Observation/${id}`)).body);
    }
    expect(journalled.flatMap(({ versions }) => versions)).toHaveLength(3);
    expect(new Set(journalled.flatMap(({ subjects }) => subjects))).toEqual(new Set([ids.amber, ids.basil]));
  });

  it('hands out with every file the receipts that prove where its records come from', async () => {
    const bearer = await token();
    const { manifest } = await exported('/fhir/R4/$export?_type=Observation', bearer);
    const records = await linesOf(manifest, 'Observation', bearer);
    const [proofs] = Object.values(manifest.extension).flat();
    const answer = await get(pathOf(proofs?.url), bearer);
    const lines = answer.text.trim().split('\n');
    expect(lines).toHaveLength(records.length);
    for (const [index, line] of lines.entries()) {
      const { receipt, salt, reference } = JSON.parse(line);
      const record = records[index] ?? '';
      expect(reference).toBe(`Observation/${JSON.parse(record).id}/_history/1`);
      const decoded = decodeReceipt(new Uint8Array(Buffer.from(receipt, 'base64')));
      const opened = fromBase64Url(salt);
      if (!decoded.ok || !opened) throw new Error('no receipt');
      const verified = (text: string) =>
        verifyReceipt({
          receipt: decoded.value,
          expectedChain: world.ledger.chain,
          verifySignature,
          opening: { salt: opened, record: utf8(text) },
        });
      expect(verified(record)).toMatchObject({ ok: true, value: { opened: true } });
      expect(verified(record.replace('1.10', '1.1'))).not.toMatchObject({
        ok: true,
        value: { opened: true },
      });
    }
  });

  it('of patients: nothing that is nobody’s; of a Group: its patients’ records alone', async () => {
    const bearer = await token();
    const ofPatients = await exported('/fhir/R4/Patient/$export', bearer);
    expect(typesOf(ofPatients.manifest)).not.toContain('Organization');
    const ofGroup = await exported(`/fhir/R4/Group/${ids.group}/$export?_type=Patient,Observation`, bearer);
    const patients = await linesOf(ofGroup.manifest, 'Patient', bearer);
    expect(patients.map((line) => JSON.parse(line).id)).toEqual([ids.basil]);
    expect(await linesOf(ofGroup.manifest, 'Observation', bearer)).toHaveLength(1);
    expect((await get('/fhir/R4/Group/1/$export', bearer, ASYNC)).status).toBe(404);
  });

  it('PRIV-06: a patient takes the own records, and learns of no others', async () => {
    const bearer = await token('patient/*.rs', { patient: ids.amber });
    const { manifest } = await exported('/fhir/R4/Patient/$export', bearer);
    expect(await linesOf(manifest, 'Observation', bearer)).toHaveLength(2);
    expect((await linesOf(manifest, 'Patient', bearer)).map((line) => JSON.parse(line).id)).toEqual([
      ids.amber,
    ]);
    expect(typesOf(manifest)).toEqual(['Observation', 'Patient']);
    expect((await get('/fhir/R4/$export', bearer, ASYNC)).status).toBe(403);
  });

  it('PRIV-06: what one patient’s token began, the same user’s token for another patient does not see', async () => {
    const ofAmber = await token('patient/*.rs', { patient: ids.amber });
    const { job } = await exported('/fhir/R4/Patient/$export', ofAmber);
    const ofBasil = await token('patient/*.rs', { patient: ids.basil });
    expect((await get(job, ofBasil)).status).toBe(404);
    expect((await get(job, ofAmber)).status).toBe(200);
  });

  it('decides again at every download: what was deleted meanwhile is not there, and shows nowhere', async () => {
    const bearer = await token();
    const doomed = await world.create(JSON.parse(observationText(ids.basil)));
    const { manifest } = await exported('/fhir/R4/$export?_type=Observation', bearer);
    expect(await linesOf(manifest, 'Observation', bearer)).toHaveLength(4);
    await world.request('DELETE', `Observation/${doomed}`);
    expect(await linesOf(manifest, 'Observation', bearer)).toHaveLength(3);
    expect(JSON.stringify(manifest)).not.toMatch(/count/);
  });

  it('holds what was there when it was asked for, and not what came later', async () => {
    const bearer = await token();
    const id = await world.create(JSON.parse(observationText(ids.amber)));
    const { manifest } = await exported('/fhir/R4/$export?_type=Observation', bearer);
    const before = (await world.request('GET', `Observation/${id}`)).body;
    await world.request('PUT', `Observation/${id}`, { body: before.replace('"final"', '"amended"') });
    await world.create(JSON.parse(observationText(ids.amber)));
    const lines = await linesOf(manifest, 'Observation', bearer);
    expect(lines.filter((line) => JSON.parse(line).id === id)).toEqual([before]);
    expect(lines).toHaveLength(4);
  });

  it('_since asks for what is new, and tells what was deleted', async () => {
    const bearer = await token();
    const id = await world.create(JSON.parse(observationText(ids.amber)));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const since = encodeURIComponent(new Date().toISOString());
    await world.request('DELETE', `Observation/${id}`);
    const { manifest } = await exported(`/fhir/R4/$export?_since=${since}`, bearer);
    expect(manifest.output).toEqual([]);
    const [deleted] = manifest.deleted ?? [];
    expect(JSON.parse((await get(pathOf(deleted?.url), bearer)).text)).toMatchObject({
      entry: [{ request: { method: 'DELETE', url: `Observation/${id}` } }],
    });
  });

  it('_typeFilter narrows a type by a search', async () => {
    const bearer = await token();
    const query = `_type=Patient&_typeFilter=${encodeURIComponent('Patient?identifier=urn:mrn|2')}`;
    const { manifest } = await exported(`/fhir/R4/$export?${query}`, bearer);
    const lines = await linesOf(manifest, 'Patient', bearer);
    expect(lines.map((line) => JSON.parse(line).id)).toEqual([ids.basil]);
    const chained = encodeURIComponent('Observation?subject:Patient.identifier=urn:mrn|2');
    const chain = await exported(`/fhir/R4/$export?_type=Observation&_typeFilter=${chained}`, bearer);
    expect(await linesOf(chain.manifest, 'Observation', bearer)).toHaveLength(1);
    const shaping = encodeURIComponent('Patient?_include=Patient:organization');
    expect((await get(`/fhir/R4/$export?_typeFilter=${shaping}`, bearer, ASYNC)).status).toBe(400);
  });
});

describe('bulk export: refusals', () => {
  it.each([
    ['without Prefer: respond-async', '/fhir/R4/$export', { accept: '*/*' }, 400],
    ['another format', '/fhir/R4/$export?_outputFormat=text/csv', ASYNC, 400],
    ['an unknown parameter', '/fhir/R4/$export?_colour=red', ASYNC, 400],
    [
      'an unknown parameter, leniently',
      '/fhir/R4/$export?_colour=red',
      { prefer: 'respond-async,handling=lenient' },
      202,
    ],
    ['an unknown type', '/fhir/R4/$export?_type=Passenger', ASYNC, 400],
    ['a time that is none', '/fhir/R4/$export?_since=yesterday', ASYNC, 400],
    ['a filter that is no search', '/fhir/R4/$export?_typeFilter=Patient', ASYNC, 400],
    ['a filter by what is unknown', '/fhir/R4/$export?_typeFilter=Patient%3Fcolour%3Dred', ASYNC, 400],
  ])('%s', async (_name, path, headers, status) => {
    const answer = await get(path, await token(), headers);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text).resourceType).toBe('OperationOutcome');
    expect(answer.text).not.toMatch(/\bred\b|Passenger|yesterday|csv/);
  });

  it('a job and its files are the caller’s own, and end when they are deleted', async () => {
    const bearer = await token();
    const { job, manifest } = await exported('/fhir/R4/$export?_type=Patient', bearer);
    const file = pathOf(manifest.output[0]?.url);
    const other = await token('user/*.rs', { user: 'practitioner-3' });
    for (const path of [job, file, `${job}/Device-0.ndjson`, `${job}/..%2Fx`]) {
      expect((await get(path, path === job || path === file ? other : bearer)).status).toBe(404);
    }
    const { request } = await import('undici');
    const removed = await request(`${gateway.origin}${job}`, {
      method: 'DELETE',
      dispatcher: gateway.plainAgent,
      headers: { authorization: `Bearer ${bearer}` },
    });
    expect(removed.statusCode).toBe(202);
    expect((await get(job, bearer)).status).toBe(404);
    expect((await get(file, bearer)).status).toBe(404);
  });

  it('a token without the scope starts none of that type; a narrower one later fetches none', async () => {
    const narrow = await token('system/Patient.rs');
    expect((await get('/fhir/R4/$export?_type=Observation', narrow, ASYNC)).status).toBe(403);
    const { manifest } = await exported('/fhir/R4/$export', await token());
    const observations = manifest.output.find(({ type }) => type === 'Observation');
    expect((await get(pathOf(observations?.url), narrow)).status).toBe(403);
  });

  it('a caller has so many jobs at a time; they expire', async () => {
    const bearer = await token();
    for (let count = 0; count < JOBS_PER_CALLER_MAX; count += 1) {
      expect((await get('/fhir/R4/$export?_type=Patient', bearer, ASYNC)).status).toBe(202);
    }
    expect((await get('/fhir/R4/$export?_type=Patient', bearer, ASYNC)).status).toBe(429);
    clock = JOB_MS_MAX + 1;
    await desk.sweep();
    clock = 0;
    expect((await get('/fhir/R4/$export?_type=Patient', bearer, ASYNC)).status).toBe(202);
  });

  it('what cannot be journalled does not leave', async () => {
    const bearer = await token();
    const { manifest } = await exported('/fhir/R4/$export?_type=Patient', bearer);
    const before = journal;
    journal = async () => {
      throw new Error('the disk is full');
    };
    const answer = await get(pathOf(manifest.output[0]?.url), bearer).catch(() => undefined);
    journal = before;
    expect(answer?.text ?? '').not.toContain('Patient');
  });

  it('goes on where a restart broke it off', async () => {
    const bearer = await token();
    const begun = await get('/fhir/R4/$export?_type=Patient', bearer, ASYNC);
    await desk.stop();
    desk = await openDesk();
    await desk.start();
    const manifest = await finished(pathOf(begun.headers['content-location']), bearer);
    expect(await linesOf(manifest, 'Patient', bearer)).toHaveLength(2);
  });
});
