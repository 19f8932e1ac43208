import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalText } from '@careledger/fhir';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FakeResource, type FakeServer, startFakeServer } from './fhir-server/fake-server.ts';
import { type Drift, fileSource, findDrift, type ImportSource, importFrom, serverSource } from './index.ts';
import { MemoryTarget } from './memory-target.ts';

function resource(
  type: string,
  id: string,
  fields: object,
  updated = '2026-01-01T00:00:00.000Z',
): FakeResource {
  return { resourceType: type, id, meta: { versionId: '1', lastUpdated: updated }, ...fields };
}

/** The observation stands before the patient and refers onward: every source must cope with any order. */
function hospital(): FakeResource[] {
  return [
    resource('Observation', 'o1', {
      ...{ status: 'final', code: { text: 'creatinine' }, subject: { reference: 'Patient/p1' } },
      hasMember: [{ reference: 'Observation/o3' }],
    }),
    resource('Observation', 'o2', {
      ...{ status: 'final', code: { text: 'x' }, subject: { reference: 'Patient/nobody' } },
    }),
    resource('Observation', 'o3', {
      ...{ status: 'final', code: { text: 'y' }, subject: { reference: 'Patient/p2' } },
    }),
    resource('Patient', 'p1', { gender: 'female' }),
    resource('Patient', 'p2', { gender: 'male' }),
    resource('Organization', 'g1', { name: 'A' }),
  ];
}

/** A source, and the hospital behind it, which may change. */
interface Behind {
  readonly source: () => ImportSource;
  readonly show: (resources: readonly FakeResource[]) => Promise<void>;
}

let folder: string;
let fake: FakeServer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'careledger-source-'));
  fake = await startFakeServer(hospital());
});
afterEach(async () => {
  await fake.close();
  await rm(folder, { recursive: true });
});

const ADAPTERS: Readonly<Record<string, () => Behind>> = {
  files: () => ({
    source: () => fileSource({ path: folder, source: 'hospital' }),
    show: (resources) =>
      writeFile(
        join(folder, 'all.json'),
        JSON.stringify({
          ...{ resourceType: 'Bundle', type: 'collection' },
          entry: resources.map((each) => ({ resource: each })),
        }),
      ),
  }),
  'FHIR server': () => ({
    source: () => serverSource({ url: fake.url, source: 'hospital', wait: async () => undefined }),
    show: async (resources) => {
      fake.resources.splice(0, Number.POSITIVE_INFINITY, ...resources);
    },
  }),
};

describe.each(Object.entries(ADAPTERS))('OFF-10: the contract of every source: %s', (_name, make) => {
  let behind: Behind;
  let target: MemoryTarget;
  beforeEach(async () => {
    behind = make();
    target = new MemoryTarget();
    await behind.show(hospital());
  });
  const counts = async (): Promise<object> => {
    const { read, created, updated, unchanged, refused } = await importFrom(behind.source(), { target });
    return { read, created, updated, unchanged, refused };
  };

  test('brings every record, patients first, references rewritten, strangers’ records refused by name', async () => {
    const report = await importFrom(behind.source(), { target });
    expect(report).toMatchObject({ read: 6, distinct: 6, created: 5, refused: 1, brokenFiles: 0 });
    expect(report.findings.map(({ code, expression }) => [code, expression])).toEqual([
      ['import/patient-not-found', 'Observation.subject'],
    ]);
    const records = target.records().map(({ versions }) => versions[0]?.resource);
    expect(records.slice(0, 2).map((each) => each?.resourceType)).toEqual(['Patient', 'Patient']);
    const ids = new Set(records.map((each) => `${each?.resourceType}/${String(each?.id)}`));
    const texts = records.map((each) => canonicalText(each ?? null)).join();
    for (const [, reference = ''] of texts.matchAll(/"reference":"([^"]+)"/g))
      expect(ids).toContain(reference);
    expect(texts).not.toMatch(/"id":"[pog]\d"/);
  });

  test('a second run changes nothing; what changed becomes the next version', async () => {
    await counts();
    expect(await counts()).toEqual({ read: 6, created: 0, updated: 0, unchanged: 5, refused: 1 });
    await behind.show(hospital().map((each) => (each.id === 'g1' ? { ...each, name: 'B' } : each)));
    expect(await counts()).toEqual({ read: 6, created: 0, updated: 1, unchanged: 4, refused: 1 });
  });

  test('OFF-22: drift says what is new, changed, missing or edited here, by our own ids, and writes nothing', async () => {
    await counts();
    const before = target.contents();
    const drifts: Drift[] = [];
    const drift = () => findDrift(behind.source(), { target, onDrift: (each) => drifts.push(each) });
    expect(await drift()).toMatchObject({
      known: 5,
      counts: { new: 0, changed: 0, missing: 0, 'edited-here': 0 },
    });
    await behind.show([
      ...hospital()
        .filter(({ id }) => id !== 'o1')
        .map((each) => (each.id === 'g1' ? { ...each, name: 'B' } : each)),
      resource('Organization', 'g2', { name: 'C' }),
    ]);
    const patient = target.records()[0]?.versions[0]?.resource;
    target.edited.add(`Patient/${String(patient?.id)}`);
    expect(await drift()).toMatchObject({
      ...{ read: 6, known: 5, refused: 1 },
      counts: { new: 1, changed: 1, missing: 1, 'edited-here': 1 },
    });
    expect(drifts.map(({ kind, reference }) => `${kind} ${reference.split('/')[0]}`).sort()).toEqual([
      'changed Organization',
      'edited-here Patient',
      'missing Observation',
      'new Organization',
    ]);
    expect(JSON.stringify(drifts)).not.toMatch(/\/(o1|g1|g2|p1)"/);
    expect(target.contents()).toEqual(before);
  });

  test('stops between two batches when it is told to', async () => {
    const controller = new AbortController();
    controller.abort();
    const stopped = importFrom(behind.source(), { target, signal: controller.signal });
    await expect(stopped).rejects.toThrow(/abort/);
    expect(target.records()).toEqual([]);
  });
});
