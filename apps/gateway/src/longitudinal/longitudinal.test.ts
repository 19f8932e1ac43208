import { type LosslessObject, parseLossless } from '@careledger/fhir';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_OPERATOR, requestToken } from '../authorization/index.ts';
import { observationText, PATIENT, TestWorld } from '../fhir/testing.ts';
import { startTestGateway, type TestGateway } from '../server/testing.ts';
import { longitudinalRoutes } from './longitudinal-routes.ts';
import { type ChartRecord, mergeRecords, type RecordSource } from './merge-records.ts';

function record(custodian: string, id: string, fields: object): ChartRecord {
  const resource = { resourceType: 'Condition', id, ...fields };
  return {
    reference: `Condition/${id}`,
    resource: parseLossless(JSON.stringify(resource)) as LosslessObject,
    source: { custodian, reference: `Condition/${id}`, version: '1' },
  };
}

const asthma = (encounter: string) => ({
  code: { coding: [{ system: 'http://snomed.info/sct', code: '195967001' }] },
  encounter: { reference: `Encounter/${encounter}` },
  onsetDateTime: '2019-05-01',
});

describe('PRIV-21: the longitudinal record', () => {
  it('makes one item of what three custodians say alike, and names all three', () => {
    const merged = mergeRecords(
      ['hospital', 'clinic', 'payer'].map((name) => record(name, name, asthma(name))),
    );
    expect(merged).toHaveLength(1);
    expect(merged[0]?.sources.map(({ custodian }) => custodian)).toEqual(['hospital', 'clinic', 'payer']);
  });

  it.each([
    ['another date', record('clinic', '2', { ...asthma('1'), onsetDateTime: '2019-05-02' })],
    ['the same custodian', record('hospital', '2', asthma('1'))],
    [
      'another number in one system',
      record('clinic', '2', { ...asthma('1'), identifier: [{ system: 'urn:s', value: '2' }] }),
    ],
  ])('keeps two where they differ: %s', (_name, other) => {
    const first = record('hospital', '1', { ...asthma('1'), identifier: [{ system: 'urn:s', value: '1' }] });
    expect(mergeRecords([first, other])).toHaveLength(2);
  });

  it('is in the order in which things happened, not in which they were filed', () => {
    const times = ['2021-03-01', '1999', '2020-02-02T10:00:00Z'];
    const records = times.map((onsetDateTime, index) => record('hospital', `${index}`, { onsetDateTime }));
    const merged = mergeRecords([record('hospital', 'undated', {}), ...records]);
    expect(merged.map(({ record: one }) => one.reference)).toEqual([
      'Condition/1',
      'Condition/2',
      'Condition/0',
      'Condition/undated',
    ]);
  });

  it('loses no record and invents none, whatever comes together', () => {
    const one = fc.record({ custodian: fc.constantFrom('a', 'b', 'c'), code: fc.nat(3), year: fc.nat(2) });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 20 }), (drawn) => {
        const records = drawn.map(({ custodian, code, year }, index) =>
          record(custodian, `${index}`, { code: { text: `${code}` }, onsetDateTime: `${2000 + year}` }),
        );
        const references = mergeRecords(records).flatMap((merged) => merged.references);
        expect([...references].sort()).toEqual(records.map(({ reference }) => reference).sort());
      }),
      { numRuns: 100 },
    );
  });
});

describe('$longitudinal', () => {
  let world: TestWorld;
  let gateway: TestGateway;
  let patient: string;
  const sources = new Map<string, RecordSource>();

  beforeAll(async () => {
    world = await TestWorld.open();
    const { vault, store } = world;
    gateway = await startTestGateway((app) =>
      longitudinalRoutes(app, {
        gateway: { vault, store, organization: vault.organization },
        sourcesOf: async () => sources,
      }),
    );
    patient = await world.create(PATIENT);
    for (const custodian of ['', 'city-clinic', 'acme-health-plan']) {
      const { json } = await world.request('POST', 'Observation', { body: observationText(patient) });
      const reference = `Observation/${json.id}`;
      if (custodian !== '') sources.set(reference, { custodian, reference: 'Observation/7', version: '3' });
    }
    await world.create({ ...JSON.parse(observationText(patient)), effectiveDateTime: '2001-01-01' });
  });
  afterAll(async () => {
    await gateway.close();
    await world.remove();
  });

  async function ask(path: string, scope = 'system/*.rs', extensions: object = {}) {
    const { accessToken } = await requestToken({
      ...{ clientId: LOCAL_OPERATOR, scope, extensions },
      privateKey: gateway.keys.operator,
      tokenEndpoint: gateway.authorization.tokenEndpoint,
      agent: gateway.plainAgent,
    });
    return gateway.call({ path: `/fhir/R4/${path}`, token: accessToken, agent: gateway.plainAgent });
  }

  it('PRIV-21: one query answers for all custodians, each item with its sources and its time', async () => {
    const answer = await ask(`Patient/${patient}/$longitudinal`, 'patient/*.rs', { patient });
    const { entry } = JSON.parse(answer.text);
    const types = entry.map(({ resource }: { resource: { resourceType: string } }) => resource.resourceType);
    expect(types).toEqual(['Observation', 'Observation', 'Patient']);
    const named = JSON.stringify(entry[1].extension);
    for (const custodian of ['general-hospital', 'city-clinic', 'acme-health-plan'])
      expect(named).toContain(custodian);
    expect(answer.text).toContain('"value":1.10');
  });

  it('comes in pages; a scope that leaves a type out leaves it out here', async () => {
    const first = JSON.parse((await ask(`Patient/${patient}/$longitudinal?_count=2`)).text);
    expect([first.entry.length, first.link[1].relation]).toEqual([2, 'next']);
    const second = JSON.parse((await ask(new URL(first.link[1].url).href.split('/fhir/R4/')[1] ?? '')).text);
    expect([second.entry.length, second.link.length]).toEqual([1, 1]);
    expect((await ask(`Patient/${patient}/$longitudinal?_count=100000`)).status).toBe(400);
    const narrow = JSON.parse((await ask(`Patient/${patient}/$longitudinal`, 'system/Patient.rs')).text);
    expect(
      narrow.entry.map(({ resource }: { resource: { resourceType: string } }) => resource.resourceType),
    ).toEqual(['Patient']);
  });

  it('a patient who asks for another learns what is said of nobody', async () => {
    const other = await ask(`Patient/${patient}/$longitudinal`, 'patient/*.rs', { patient: '1' });
    const absent = await ask('Patient/0/$longitudinal', 'patient/*.rs', { patient: '1' });
    expect([other.status, other.text]).toEqual([404, absent.text]);
  });
});
