import type { CapabilityStatement, CapabilityStatementRestResource } from '@medplum/fhirtypes';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { validationOf } from '../validation/index.ts';
import { capabilityStatement } from './capability-statement.ts';
import { BASE_URL, HOSPITAL, observationText, PATIENT, TestWorld } from './testing.ts';

const statement = capabilityStatement({
  baseUrl: BASE_URL,
  organization: HOSPITAL,
  startedAt: Date.UTC(2026, 0, 1),
  authorizationEndpoint: 'https://localhost:7400/oauth/authorize',
  tokenEndpoint: 'https://localhost:7400/oauth/token',
  operations: [{ name: 'export', definition: 'http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export' }],
}) as CapabilityStatement;
const [rest] = statement.rest ?? [];
const resources: readonly CapabilityStatementRestResource[] = rest?.resource ?? [];
const observationRow = resources.find(({ type }) => type === 'Observation');

let world: TestWorld;
let patient: string;
let id: string;
beforeAll(async () => {
  world = await TestWorld.open();
  patient = await world.create(PATIENT);
  id = await world.create(JSON.parse(observationText(patient)));
});
afterAll(async () => {
  expect(world.faults).toEqual([]);
  await world.remove();
});

const observation = (extra: object = {}) => ({ ...JSON.parse(observationText(patient)), ...extra });
const JSON_PATCH = { 'content-type': 'application/json-patch+json' };
const PATCH = [{ op: 'replace', path: '/status', value: 'amended' }];
const tag = {
  resourceType: 'Parameters',
  parameter: [{ name: 'meta', valueMeta: { tag: [{ code: 'a' }] } }],
};

/** One request for everything that an Observation's row can claim. */
const CALLS: Readonly<Record<string, () => Promise<{ status: number }>>> = {
  create: () => world.request('POST', 'Observation', { body: observation() }),
  read: () => world.request('GET', `Observation/${id}`),
  vread: () => world.request('GET', `Observation/${id}/_history/1`),
  update: () => world.request('PUT', `Observation/${id}`, { body: observation({ id }) }),
  patch: () => world.request('PATCH', `Observation/${id}`, { body: PATCH, headers: JSON_PATCH }),
  delete: async () => world.request('DELETE', `Observation/${await world.create(observation())}`),
  'history-instance': () => world.request('GET', `Observation/${id}/_history`),
  'history-type': () => world.request('GET', 'Observation/_history'),
  'search-type': () => world.request('POST', 'Observation/_search'),
  $validate: () => world.request('POST', 'Observation/$validate', { body: observation() }),
  $meta: () => world.request('GET', `Observation/${id}/$meta`),
  '$meta-add': () => world.request('POST', `Observation/${id}/$meta-add`, { body: tag }),
  '$meta-delete': () => world.request('POST', `Observation/${id}/$meta-delete`, { body: tag }),
};

describe('IOP-03: what /metadata claims is served', () => {
  it('is a valid CapabilityStatement', () => {
    const errors = validationOf(statement).issues.filter(({ severity }) => severity === 'error');
    expect(errors.map(({ expression, details }) => [expression, details?.text])).toEqual([]);
  });

  it('every interaction and operation of a type answers', async () => {
    const interactions = (observationRow?.interaction ?? []).map(({ code }) => String(code));
    const operations = (observationRow?.operation ?? []).map(({ name }) => `$${name}`);
    const claimed = [...interactions, ...operations];
    expect(claimed.sort()).toEqual(Object.keys(CALLS).sort());
    for (const name of claimed) {
      const status = (await CALLS[name]?.())?.status ?? 0;
      expect([name, status >= 200 && status < 300]).toEqual([name, true]);
    }
  });

  it('the system’s interactions answer, and the operations of Patient', async () => {
    expect((rest?.interaction ?? []).map(({ code }) => code)).toEqual([
      ...['batch', 'transaction', 'search-system', 'history-system'],
    ]);
    for (const type of ['batch', 'transaction']) {
      const answer = await world.request('POST', '', { body: { resourceType: 'Bundle', type, entry: [] } });
      expect([type, answer.status]).toEqual([type, 200]);
    }
    expect((await world.request('GET', '?_type=Patient,Observation')).status).toBe(200);
    expect((await world.request('GET', '_history')).status).toBe(200);
    const operations = resources.find(({ type }) => type === 'Patient')?.operation ?? [];
    expect(operations.map(({ name }) => name)).toEqual(expect.arrayContaining(['match', 'everything']));
    expect((await world.request('GET', `Patient/${patient}/$everything`)).status).toBe(200);
    expect(rest?.operation?.map(({ name }) => name)).toEqual(['export']);
  });

  it('conditions: create, read, update and the deletion of one', async () => {
    expect(observationRow).toMatchObject({
      ...{ conditionalCreate: true, conditionalRead: 'full-support', conditionalUpdate: true },
      ...{ conditionalDelete: 'single', updateCreate: true, readHistory: true },
    });
    const headers = { 'if-none-exist': 'identifier=urn:x|1' };
    const identifier = [{ system: 'urn:x', value: '1' }];
    const body = observation({ identifier });
    expect((await world.request('POST', 'Observation', { body, headers })).status).toBe(201);
    expect((await world.request('POST', 'Observation', { body, headers })).status).toBe(200);
    expect((await world.request('PUT', 'Observation?identifier=urn:x|1', { body })).status).toBe(200);
    expect((await world.request('DELETE', 'Observation?identifier=urn:x|1')).status).toBe(204);
    expect(statement.patchFormat).toEqual(['application/json-patch+json', 'application/fhir+json']);
  });

  const VALUES: Readonly<Record<string, string>> = {
    ...{ token: 'a', string: 'a', uri: 'urn:a', date: '2020', number: '1', quantity: '1', composite: 'a$1' },
    ...{ reference: 'Patient/1', special: 'Provenance:target:agent=Practitioner/1' },
  };

  it('every search parameter, include and reverse include of a clinical type answers', async () => {
    for (const { name = '', type = '' } of observationRow?.searchParam ?? []) {
      const value = name === '_has' ? undefined : VALUES[type];
      if (value === undefined) continue;
      const status = async (one: string) =>
        (await world.request('GET', `Observation?${name}=${encodeURIComponent(one)}&_count=0`)).status;
      const dates = name.includes('date') && type === 'composite' ? 'a$2020' : value;
      expect([name, Math.min(await status(value), await status(dates), await status('a$a'))]).toEqual([
        name,
        200,
      ]);
    }
    for (const include of observationRow?.searchInclude ?? []) {
      const answer = await world.request(
        'GET',
        `Observation?_include=${encodeURIComponent(include)}&_count=1`,
      );
      expect([include, answer.status]).toEqual([include, 200]);
    }
    for (const source of (observationRow?.searchRevInclude ?? []).slice(0, 20)) {
      const answer = await world.request('GET', `Observation?_revinclude=${source}&_count=1`);
      expect([source, answer.status]).toEqual([source, 200]);
    }
  });
});

it.each([
  ['POST', 'Patient/1', 405],
  ['PUT', 'Patient/1/_history/1', 405],
  ['DELETE', 'Patient/1/_history', 405],
  ['PATCH', '', 405],
  ['POST', 'Patient/$everything', 404],
  ['GET', 'Observation/1/$everything', 404],
  ['POST', 'Observation/$match', 404],
  ['GET', 'Parameters/1', 404],
  ['POST', 'OperationOutcome', 404],
  ['GET', 'metadata/more', 404],
  ['GET', 'Patient/1/2/3/4/5', 404],
] as const)('what it does not claim is refused: %s %s', async (method, url, status) => {
  const answer = await world.request(method, url, { body: PATIENT });
  expect([answer.status, answer.json.resourceType]).toEqual([status, 'OperationOutcome']);
});
