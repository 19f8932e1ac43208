import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  BASE_URL,
  observationText,
  PATIENT,
  patientCaller,
  systemCaller,
  type TestAnswer,
  TestWorld,
} from '../testing.ts';

let world: TestWorld;
let patient: string;
beforeAll(async () => {
  world = await TestWorld.open();
  patient = await world.create(PATIENT);
});
afterAll(async () => {
  expect(world.faults).toEqual([]);
  await world.remove();
});

const withIdentifier = (value: string, extra: object = {}) => ({
  ...PATIENT,
  identifier: [{ system: 'urn:mrn', value }],
  ...extra,
});
const observation = (reference: string, extra: object = {}) => ({
  ...JSON.parse(observationText('x')),
  subject: { reference },
  ...extra,
});
const send = (type: string, entry: readonly unknown[], options: object = {}): Promise<TestAnswer> =>
  world.request('POST', '', { body: { resourceType: 'Bundle', type, entry }, ...options });
const statuses = (answer: TestAnswer): string[] =>
  answer.json.entry.map((one: { response: { status: string } }) => one.response.status);
const post = (resource: { resourceType?: string }, extra: object = {}, fullUrl?: string) => ({
  ...(fullUrl ? { fullUrl } : {}),
  resource,
  request: { method: 'POST', url: String(resource.resourceType), ...extra },
});
const URN = 'urn:uuid:6b1f9ef5-4c5e-4a84-9d6c-111111111111';

describe('transaction', () => {
  it('IOP-03: one that fails at its last entry leaves nothing', async () => {
    const before = await world.vault.lastSeq();
    const good = Array.from({ length: 5 }, () => post(observation(`Patient/${patient}`)));
    const answer = await send('transaction', [...good, post(observation('Patient/none'))]);
    expect([answer.status, answer.json.issue[0].expression]).toEqual([
      422,
      ['Bundle.entry[5].resource.subject'],
    ]);
    const missing = await send('transaction', [...good, { request: { method: 'GET', url: 'Patient/none' } }]);
    expect([missing.status, missing.json.issue[0].expression]).toEqual([404, ['Bundle.entry[5]']]);
    expect(await world.vault.lastSeq()).toBe(before);
  });

  it('its entries happen in the order of FHIR: delete, create, update, patch, read; and are answered in their own', async () => {
    const gone = await world.create(observation(`Patient/${patient}`));
    const changed = await world.create(observation(`Patient/${patient}`));
    const patched = await world.create(observation(`Patient/${patient}`));
    const patch = Buffer.from(JSON.stringify([{ op: 'replace', path: '/status', value: 'amended' }]));
    const answer = await send('transaction', [
      { request: { method: 'GET', url: `Observation/${changed}` } },
      {
        resource: {
          resourceType: 'Binary',
          contentType: 'application/json-patch+json',
          data: patch.toString('base64'),
        },
        request: { method: 'PATCH', url: `Observation/${patched}` },
      },
      {
        resource: observation(`Patient/${patient}`, { id: changed, status: 'corrected' }),
        request: { method: 'PUT', url: `Observation/${changed}`, ifMatch: 'W/"1"' },
      },
      { request: { method: 'DELETE', url: `Observation/${gone}` } },
      { request: { method: 'GET', url: `Observation?_id=${changed},${gone}` } },
    ]);
    expect(statuses(answer)).toEqual(['200', '200', '200', '204', '200']);
    expect(answer.json.entry[0].resource.status).toBe('corrected');
    expect(answer.json.entry[1].resource.status).toBe('amended');
    expect(answer.json.entry[4].resource.total).toBe(1);
    expect(answer.json.entry[4].resource.entry[0].resource.status).toBe('corrected');
  });

  it('conditional entries and references are led to the one that fits, even from entries before them', async () => {
    const known = await world.create(withIdentifier('known'));
    const answer = await send('transaction', [
      post(observation(URN)),
      post(observation('Patient?identifier=urn:mrn|known')),
      post(withIdentifier('known'), { ifNoneExist: 'identifier=urn:mrn|known' }, URN),
      {
        resource: withIdentifier('fresh'),
        request: { method: 'PUT', url: 'Patient?identifier=urn:mrn|fresh' },
      },
    ]);
    expect(statuses(answer)).toEqual(['201', '201', '200', '201']);
    const [first, second] = answer.json.entry;
    expect([first.resource.subject.reference, second.resource.subject.reference]).toEqual([
      `Patient/${known}`,
      `Patient/${known}`,
    ]);
  });

  it.each([
    [
      'a condition that two fit',
      () => post(withIdentifier('twin'), { ifNoneExist: 'identifier=urn:mrn|twin' }),
      412,
    ],
    ['a conditional reference that two fit', () => post(observation('Patient?identifier=urn:mrn|twin')), 412],
    [
      'a conditional reference that none fits',
      () => post(observation('Patient?identifier=urn:mrn|nobody')),
      412,
    ],
    ['a chained condition', () => post(observation(URN), { ifNoneExist: 'subject:Patient.name=x' }), 400],
    ['an operation', () => ({ request: { method: 'POST', url: `Patient/${patient}/$meta-add` } }), 400],
  ])('%s fails the whole with its place', async (_name, entry, status) => {
    if (!(await world.request('GET', 'Patient?identifier=urn:mrn|twin')).json.total) {
      await world.create(withIdentifier('twin'));
      await world.create(withIdentifier('twin'));
    }
    const before = await world.vault.lastSeq();
    const answer = await send('transaction', [post(PATIENT, {}, URN), entry()]);
    expect([answer.status, await world.vault.lastSeq()]).toEqual([status, before]);
    expect(answer.json.issue[0].expression[0]).toMatch(/^Bundle\.entry\[1\]/);
    expect(answer.body).not.toMatch(/twin|nobody/);
  });

  it.each([
    ['two updates of one resource', () => [put(patient), put(patient)]],
    [
      'an update and a deletion',
      () => [put(patient), { request: { method: 'DELETE', url: `Patient/${patient}` } }],
    ],
    ['two entries of one fullUrl', () => [post(PATIENT, {}, URN), post(PATIENT, {}, URN)]],
    [
      'the same condition twice',
      () => [0, 1].map(() => post(withIdentifier('double'), { ifNoneExist: 'identifier=urn:mrn|double' })),
    ],
    [
      'a condition that another entry’s resource fits',
      () => [
        post(withIdentifier('double')),
        post(withIdentifier('double', { gender: 'other' }), { ifNoneExist: 'identifier=urn:mrn|double' }),
      ],
    ],
  ])('%s cannot both happen', async (_name, entries) => {
    const before = await world.vault.lastSeq();
    const answer = await send('transaction', entries());
    expect([400, 412]).toContain(answer.status);
    expect(await world.vault.lastSeq()).toBe(before);
  });

  function put(id: string): object {
    return { resource: { ...PATIENT, id }, request: { method: 'PUT', url: `Patient/${id}` } };
  }

  it('LED-24: a Provenance among its entries names the versions that it makes', async () => {
    const id = await world.create(observation(`Patient/${patient}`));
    const provenance = {
      resourceType: 'Provenance',
      target: [{ reference: `Observation/${id}` }, { reference: URN }],
      recorded: '2026-01-01T00:00:00Z',
      agent: [{ who: { display: 'records office' } }],
      reason: [{ text: 'wrong unit' }],
    };
    const answer = await send('transaction', [
      post(provenance),
      post(PATIENT, {}, URN),
      {
        resource: observation(`Patient/${patient}`, { id, status: 'corrected' }),
        request: { method: 'PUT', url: `Observation/${id}` },
      },
    ]);
    const [why, created] = answer.json.entry;
    expect(why.resource.target.map(({ reference }: { reference: string }) => reference)).toEqual([
      `Observation/${id}/_history/2`,
      `Patient/${created.resource.id}/_history/1`,
    ]);
    const history = await world.request('GET', `Observation/${id}/_history`);
    expect(JSON.stringify(history.json.entry[0].extension)).toContain('wrong unit');
    expect(JSON.stringify(history.json.entry[1].extension)).not.toContain('wrong unit');
  });

  it('a Provenance is its targets’ patients’, wherever it stands among them and however it names them', async () => {
    const observed = 'urn:uuid:1b4c6f2e-6f0e-4d53-9d0c-2f5a0e3b7c11';
    const about = (reference: string) => ({
      resourceType: 'Provenance',
      target: [{ reference }],
      recorded: '2026-03-01T10:00:00Z',
      agent: [{ who: { display: 'Ward 3' } }],
      reason: [{ text: 'corrected' }],
    });
    const answer = await send('transaction', [
      post(about(observed)),
      post(observation(`Patient/${patient}`), {}, observed),
    ]);
    expect(statuses(answer)).toEqual(['201', '201']);
    const [first, second] = answer.json.entry as { resource: { id: string } }[];
    const absolute = await world.create(about(`${BASE_URL}/Observation/${second?.resource.id}`));
    for (const id of [first?.resource.id ?? '', absolute]) {
      const stored = await world.vault.current({ type: 'Provenance', id });
      expect(stored?.subjects).toEqual([patient]);
    }
  });

  it('Prefer: return=minimal leaves the resources out', async () => {
    const headers = { prefer: 'return=minimal' };
    const answer = await send('transaction', [post(PATIENT)], { headers });
    expect(answer.json.entry[0].resource).toBeUndefined();
    expect(answer.json.entry[0].response.location).toMatch(/^Patient\//);
  });
});

describe('batch', () => {
  it('IOP-03: a malformed entry fails alone', async () => {
    const answer = await send('batch', [
      'no entry',
      { request: { method: 'TRACE', url: 'Patient' } },
      { request: { method: 'GET' } },
      { request: { method: 'GET', url: 'https://elsewhere.example/Patient' } },
      { resource: { no: 'type' }, request: { method: 'POST', url: 'Patient' } },
      { request: { method: 'GET', url: 'Nonsense/1' } },
      { request: { method: 'PUT', url: `Patient/${patient}`, ifMatch: 'three' }, resource: PATIENT },
      post(PATIENT),
      { request: { method: 'GET', url: `Patient/${patient}/_history?_count=1` } },
    ]);
    expect(statuses(answer)).toEqual(['400', '400', '400', '400', '400', '404', '400', '201', '200']);
    for (const [index, { response }] of answer.json.entry.slice(0, 7).entries()) {
      expect(response.outcome.issue[0].expression[0]).toContain(`Bundle.entry[${index}]`);
    }
  });

  it('every entry goes through the caller’s scopes and compartment', async () => {
    const other = await world.create(PATIENT);
    const entries = [
      { request: { method: 'GET', url: `Patient/${patient}` } },
      { request: { method: 'GET', url: `Patient/${other}` } },
      post(observation(`Patient/${other}`)),
    ];
    const answer = await send('batch', entries, { caller: patientCaller(patient) });
    expect(statuses(answer)).toEqual(['200', '404', '403']);
    const readOnly = await send('batch', entries, { caller: systemCaller({ create: false }) });
    expect(statuses(readOnly)).toEqual(['200', '200', '403']);
  });
});

it.each([
  ['a searchset', { resourceType: 'Bundle', type: 'searchset', entry: [] }, 400],
  ['entries that are no list', { resourceType: 'Bundle', type: 'batch', entry: {} }, 400],
  ['no bundle', PATIENT, 400],
  [
    '1,000 levels of JSON',
    `{"resourceType":"Bundle","type":"batch","entry":${'['.repeat(1_000)}${']'.repeat(1_000)}}`,
    400,
  ],
  ['half a surrogate pair', '{"resourceType":"Bundle","type":"\\ud800"}', 400],
  ['a number beyond a double', '{"resourceType":"Bundle","type":"batch","total":1e999}', 400],
  ['a member twice', '{"resourceType":"Bundle","type":"batch","type":"batch"}', 400],
])('%s is refused', async (_name, body, status) => {
  const answer = await world.request('POST', '', { body });
  expect([answer.status, answer.json.resourceType]).toEqual([status, 'OperationOutcome']);
});
