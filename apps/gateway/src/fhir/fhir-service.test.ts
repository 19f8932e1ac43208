import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { subjectKey } from '../keystore/index.ts';
import { observationText, PATIENT, patientCaller, systemCaller, TestWorld } from './testing.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await TestWorld.open();
});
afterAll(() => world.remove());

function observation(patientId: string, extra: object = {}): object {
  return { ...JSON.parse(observationText(patientId)), ...extra };
}

describe('create, read, update, delete', () => {
  it('IOP-07: what is stored is the text as it was written: 1.10 comes back as 1.10', async () => {
    const patient = await world.create(PATIENT);
    const created = await world.request('POST', 'Observation', { body: observationText(patient) });
    expect(created.status).toBe(201);
    expect(created.body).toContain('"value":1.10');
    expect(created.headers.etag).toBe('W/"1"');
    expect(created.headers.location).toMatch(/\/Observation\/[0-9a-f-]{36}\/_history\/1$/);
    expect(Date.parse(created.headers['last-modified'] ?? '')).not.toBeNaN();
    const read = await world.request('GET', `Observation/${created.json.id}`);
    expect(read.body).toBe(created.body);
    const vread = await world.request('GET', `Observation/${created.json.id}/_history/1`);
    expect(vread.body).toBe(created.body);
    const found = await world.request('GET', `Observation?_id=${created.json.id}`);
    expect(found.body).toContain('"value":1.10');
  });

  it('LED-24: a correction is a further version that names the one it supersedes, its author and time', async () => {
    const patient = await world.create(PATIENT);
    const id = await world.create(observation(patient));
    for (const text of ['first correction', 'second correction', 'third correction']) {
      const body = observation(patient, { id, note: [{ text }] });
      expect((await world.request('PUT', `Observation/${id}`, { body })).status).toBe(200);
    }
    const current = await world.request('GET', `Observation/${id}`);
    expect(current.json.note[0].text).toBe('third correction');
    expect(current.headers.etag).toBe('W/"4"');
    const history = await world.request('GET', `Observation/${id}/_history`);
    expect(history.json.total).toBe(4);
    expect(history.json.entry.map((entry: never) => entryFacts(entry))).toEqual([
      ['PUT', 'W/"4"', 'general-hospital/system/ehr', '3'],
      ['PUT', 'W/"3"', 'general-hospital/system/ehr', '2'],
      ['PUT', 'W/"2"', 'general-hospital/system/ehr', '1'],
      ['POST', 'W/"1"', 'general-hospital/system/ehr', undefined],
    ]);
  });

  it('LED-25: a deletion is one more version: 410, the original still in the history, undone by an update', async () => {
    const patient = await world.create(PATIENT);
    const id = await world.create(observation(patient));
    expect((await world.request('DELETE', `Observation/${id}`)).status).toBe(204);
    expect((await world.request('GET', `Observation/${id}`)).status).toBe(410);
    expect((await world.request('GET', `Observation?_id=${id}`)).json.total).toBe(0);
    expect((await world.request('GET', `Observation/${id}/_history/1`)).status).toBe(200);
    expect((await world.request('GET', `Observation/${id}/_history/2`)).status).toBe(410);
    const history = await world.request('GET', `Observation/${id}/_history`);
    expect(history.json.entry.map((entry: never) => entryFacts(entry)[0])).toEqual(['DELETE', 'POST']);
    expect((await world.request('DELETE', `Observation/${id}`)).status).toBe(204);
    const back = await world.request('PUT', `Observation/${id}`, { body: observation(patient, { id }) });
    expect([back.status, back.headers.etag]).toEqual([200, 'W/"3"']);
    expect((await world.request('GET', `Observation/${id}`)).status).toBe(200);
  });

  it('an update with an outdated If-Match changes nothing, and one that is no entity tag is refused', async () => {
    const patient = await world.create(PATIENT);
    const id = await world.create(observation(patient));
    const body = observation(patient, { id });
    const at = (etag: string) =>
      world.request('PUT', `Observation/${id}`, { body, headers: { 'if-match': etag } });
    expect((await at('W/"1"')).status).toBe(200);
    expect((await at('W/"1"')).status).toBe(412);
    expect((await at('2')).status).toBe(400);
    expect((await world.request('GET', `Observation/${id}`)).headers.etag).toBe('W/"2"');
  });

  it('a client may choose an id only if it says nothing: a random UUID', async () => {
    const body = { ...PATIENT, id: '84736251' };
    expect((await world.request('PUT', 'Patient/84736251', { body })).status).toBe(405);
    const id = crypto.randomUUID();
    const created = await world.request('PUT', `Patient/${id}`, { body: { ...PATIENT, id } });
    expect([created.status, created.json.id]).toEqual([201, id]);
  });

  it('If-None-Exist creates once', async () => {
    const body = { ...PATIENT, identifier: [{ system: 'urn:mrn', value: 'once-only' }] };
    const headers = { 'if-none-exist': 'identifier=urn:mrn|once-only' };
    const first = await world.request('POST', 'Patient', { body, headers });
    const second = await world.request('POST', 'Patient', { body, headers });
    expect([first.status, second.status, second.json.id]).toEqual([201, 200, first.json.id]);
  });
});

function entryFacts(entry: {
  readonly request: { readonly method: string };
  readonly response: { readonly etag: string };
  readonly extension: readonly { readonly url: string; readonly valueString: string }[];
}): readonly (string | undefined)[] {
  const extension = (name: string) => entry.extension.find(({ url }) => url.endsWith(name))?.valueString;
  return [entry.request.method, entry.response.etag, extension('/actor'), extension('/supersedes')];
}

describe('SC-11: only what conforms is appended', () => {
  it.each([
    ['a missing element', { status: undefined }, 'Observation.status'],
    ['an unknown code', { status: 'finished' }, 'Observation.status'],
    ['an element that R4 does not have', { colour: 'red' }, 'Observation'],
  ])('%s is refused with 422 and the place', async (_name, change, expression) => {
    const patient = await world.create(PATIENT);
    const before = await world.vault.lastSeq();
    const answer = await world.request('POST', 'Observation', { body: observation(patient, change) });
    expect(answer.status).toBe(422);
    expect(answer.json.resourceType).toBe('OperationOutcome');
    expect(answer.json.issue[0].expression[0]).toContain(expression);
    expect(await world.vault.lastSeq()).toBe(before);
  });

  it.each([
    ['that does not exist', 'Patient/0b57a0c1-0000-4000-8000-000000000000'],
    ['elsewhere', 'https://elsewhere.example/fhir/Patient/1'],
  ])('a resource about a patient %s is refused with its place', async (_name, reference) => {
    const body = { ...JSON.parse(observationText('x')), subject: { reference } };
    const answer = await world.request('POST', 'Observation', { body });
    expect(answer.status).toBe(422);
    expect(answer.json.issue[0].expression).toEqual(['Observation.subject']);
  });

  it.each([
    ['no JSON', '{"resourceType":"Patient"', 400],
    ['a key twice', '{"resourceType":"Patient","gender":"male","gender":"female"}', 400],
    ['nested too deeply', `{"resourceType":"Patient","x":${'['.repeat(80)}${']'.repeat(80)}}`, 400],
    ['another type than the address says', '{"resourceType":"Observation"}', 400],
    ['no body', undefined, 400],
  ])('%s is refused and quotes nothing', async (_name, body, status) => {
    const answer = await world.request('POST', 'Patient', { body });
    expect(answer.status).toBe(status);
    expect(answer.json.issue[0].severity).toBe('error');
    expect(answer.body).not.toContain('female');
  });

  it.each([
    ['GET', 'Nonsense/1'],
    ['GET', 'Nonsense'],
    ['POST', '$graphql'],
    ['PATCH', 'Patient/1'],
    ['DELETE', 'Patient'],
    ['PUT', 'Patient/1/_history'],
    ['POST', 'Patient/$nonsense'],
    ['GET', ''],
  ] as const)('%s %s is not offered', async (method, url) => {
    const answer = await world.request(method, url, { body: PATIENT });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.json.resourceType).toBe('OperationOutcome');
  });
});

describe('LED-27: who may correct', () => {
  it('a token without the scope is refused', async () => {
    const patient = await world.create(PATIENT);
    const id = await world.create(observation(patient));
    const caller = systemCaller({ update: false, delete: false, create: false });
    const body = observation(patient, { id });
    expect((await world.request('PUT', `Observation/${id}`, { body, caller })).status).toBe(403);
    expect((await world.request('DELETE', `Observation/${id}`, { caller })).status).toBe(403);
    expect((await world.request('POST', 'Observation', { body, caller })).status).toBe(403);
    expect((await world.request('GET', `Observation/${id}`)).headers.etag).toBe('W/"1"');
  });

  it('a patient corrects what the patient wrote and nothing else', async () => {
    const patient = await world.create(PATIENT);
    const theirs = await world.create(observation(patient));
    const caller = patientCaller(patient);
    const own = await world.create(observation(patient), caller);
    const put = (id: string) =>
      world.request('PUT', `Observation/${id}`, { body: observation(patient, { id }), caller });
    expect([(await put(own)).status, (await put(theirs)).status]).toEqual([200, 403]);
    expect((await world.request('DELETE', `Observation/${theirs}`, { caller })).status).toBe(403);
  });

  it('another member’s token reaches nothing here', async () => {
    const caller = { ...systemCaller(), kind: 'organization' as const };
    expect((await world.request('GET', 'Patient', { caller })).status).toBe(403);
    expect((await world.request('POST', 'Patient', { body: PATIENT, caller })).status).toBe(403);
  });
});

describe('PRIV-20: a patient uses FHIR, within the own compartment', () => {
  it('another patient’s records answer as if absent: read, vread, history, search, write', async () => {
    const mine = await world.create(PATIENT);
    const other = await world.create(PATIENT);
    const id = await world.create(observation(other));
    const caller = patientCaller(mine);
    const absent = '0b57a0c1-0000-4000-8000-000000000000';
    const pairs = [
      ['GET', (to: string) => `Observation/${to}`],
      ['GET', (to: string) => `Observation/${to}/_history`],
      ['GET', (to: string) => `Observation/${to}/_history/1`],
      ['DELETE', (to: string) => `Observation/${to}`],
      ['GET', (to: string) => `Observation?_id=${to}`],
    ] as const;
    for (const [method, url] of pairs) {
      const foreign = await world.request(method, url(id), { caller });
      const missing = await world.request(method, url(absent), { caller });
      expect([foreign.status, foreign.body.replaceAll(id, absent)]).toEqual([missing.status, missing.body]);
    }
    const search = await world.request('GET', `Observation?patient=${other}`, { caller });
    expect([search.json.total, search.json.entry]).toEqual([0, []]);
    const about = (to: string) => world.request('POST', 'Observation', { body: observation(to), caller });
    const update = (to: string) =>
      world.request('PUT', `Observation/${to}`, { body: observation(mine, { id: to }), caller });
    expect((await update(id)).status).toBe((await update(absent)).status);
    expect((await about(other)).status).toBe((await about(absent)).status);
    expect((await world.request('GET', `Observation/${id}`)).headers.etag).toBe('W/"1"');
  });

  it('a patient sees the own records and the directory, not records that are another’s too', async () => {
    const mine = await world.create(PATIENT);
    const other = await world.create(PATIENT);
    const id = await world.create(observation(mine));
    const shared = await world.create(observation(mine, { performer: [{ reference: `Patient/${other}` }] }));
    const organization = await world.create({ resourceType: 'Organization', name: 'General Hospital' });
    const caller = patientCaller(mine);
    expect((await world.request('GET', `Patient/${mine}`, { caller })).status).toBe(200);
    expect((await world.request('GET', `Observation/${id}`, { caller })).status).toBe(200);
    expect((await world.request('GET', `Organization/${organization}`, { caller })).status).toBe(200);
    expect((await world.request('GET', `Observation/${shared}`, { caller })).status).toBe(404);
    const all = await world.request('GET', 'Observation', { caller });
    expect(all.json.entry.map((entry: { resource: { id: string } }) => entry.resource.id)).toEqual([id]);
  });

  it('what names no patient is nobody’s to read for a patient token, unless it is a directory’s', async () => {
    const mine = await world.create(PATIENT);
    const caller = patientCaller(mine);
    const note = { resourceType: 'Basic', code: { text: 'a note' } };
    const bundle = { resourceType: 'Bundle', type: 'collection', entry: [{ resource: note }] };
    const binary = { resourceType: 'Binary', contentType: 'text/plain', data: 'Y29uZmlkZW50aWFs' };
    for (const resource of [bundle, binary]) {
      const id = await world.create(resource);
      const { resourceType } = resource;
      expect((await world.request('GET', `${resourceType}/${id}`, { caller })).status).toBe(404);
      expect((await world.request('GET', `${resourceType}/${id}/_history`, { caller })).status).toBe(404);
      expect((await world.request('GET', `${resourceType}?_id=${id}`, { caller })).json.total).toBe(0);
    }
  });

  it('a refused write of a patient token makes no key for whom it names', async () => {
    const mine = await world.create(PATIENT);
    const absent = '0b57a0c1-0000-4000-8000-000000000001';
    const body = observation(absent);
    const answer = await world.request('POST', 'Observation', { body, caller: patientCaller(mine) });
    expect(answer.status).toBe(403);
    expect(world.keystore.has(subjectKey(absent))).toBe(false);
  });
});

describe('batch and transaction', () => {
  const patientUrn = 'urn:uuid:6b1f9ef5-4c5e-4a84-9d6c-111111111111';
  const entries = (status: string) => [
    {
      fullUrl: 'urn:uuid:6b1f9ef5-4c5e-4a84-9d6c-222222222222',
      resource: { ...JSON.parse(observationText('x')), status, subject: { reference: patientUrn } },
      request: { method: 'POST', url: 'Observation' },
    },
    { fullUrl: patientUrn, resource: PATIENT, request: { method: 'POST', url: 'Patient' } },
  ];

  it('a transaction happens as a whole, its references rewritten, its numbers kept', async () => {
    const text = JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry: entries('final') });
    const body = text.replace('"value":1.1,', '"value":1.10,');
    const answer = await world.request('POST', '', { body });
    expect(answer.status).toBe(200);
    expect(answer.json.type).toBe('transaction-response');
    const [observed, patient] = answer.json.entry;
    expect([observed.response.status, patient.response.status]).toEqual(['201', '201']);
    expect(observed.resource.subject.reference).toBe(`Patient/${patient.resource.id}`);
    expect(observed.response.location).toBe(`Observation/${observed.resource.id}/_history/1`);
    expect((await world.request('GET', `Observation/${observed.resource.id}`)).body).toContain('1.10');
  });

  it('a transaction with one bad entry changes nothing and names the entry', async () => {
    const before = await world.vault.lastSeq();
    const body = { resourceType: 'Bundle', type: 'transaction', entry: entries('finished') };
    const answer = await world.request('POST', '', { body });
    expect(answer.status).toBe(422);
    expect(answer.json.issue[0].expression[0]).toBe('Bundle.entry[0].resource.status');
    expect(await world.vault.lastSeq()).toBe(before);
  });

  it('a transaction about a patient who does not exist names the entry', async () => {
    const [first] = entries('final');
    const resource = {
      ...first?.resource,
      subject: { reference: 'Patient/0b57a0c1-0000-4000-8000-000000000000' },
    };
    const body = { resourceType: 'Bundle', type: 'transaction', entry: [{ ...first, resource }] };
    const answer = await world.request('POST', '', { body });
    expect([answer.status, answer.json.issue[0].expression]).toEqual([
      422,
      ['Bundle.entry[0].resource.subject'],
    ]);
  });

  it('a batch answers each entry by itself', async () => {
    const id = await world.create(PATIENT);
    const entry = [
      { request: { method: 'GET', url: `Patient/${id}` } },
      { request: { method: 'GET', url: 'Patient/none' } },
      {
        resource: { resourceType: 'Patient', gender: 'unclear' },
        request: { method: 'POST', url: 'Patient' },
      },
      { resource: PATIENT, request: { method: 'POST', url: 'Patient' } },
      { request: { method: 'GET', url: 'Patient?_count=1' } },
    ];
    const answer = await world.request('POST', '', {
      body: { resourceType: 'Bundle', type: 'batch', entry },
    });
    const statuses = answer.json.entry.map((each: { response: { status: string } }) => each.response.status);
    expect(statuses).toEqual(['200', '404', '422', '201', '200']);
    expect(answer.json.entry[4].resource.type).toBe('searchset');
  });

  it('a bundle’s entries go through the caller’s scopes', async () => {
    const body = { resourceType: 'Bundle', type: 'transaction', entry: entries('final') };
    const answer = await world.request('POST', '', { body, caller: systemCaller({ create: false }) });
    expect(answer.status).toBe(403);
  });

  it('OFF-11: more entries than the limit are refused', async () => {
    const entry = Array.from({ length: 1_001 }, () => ({ request: { method: 'GET', url: 'Patient' } }));
    const answer = await world.request('POST', '', {
      body: { resourceType: 'Bundle', type: 'batch', entry },
    });
    expect(answer.status).toBe(413);
  });
});

describe('$match', () => {
  it('finds an own patient by identifier and by demographics, with a grade', async () => {
    const identifier = [{ system: 'urn:mrn', value: 'match-1' }];
    const name = [{ family: 'Matchworth', given: ['Ada'] }];
    const id = await world.create({ ...PATIENT, identifier, name, birthDate: '1950-01-02' });
    const match = async (resource: object) => {
      const body = { resourceType: 'Parameters', parameter: [{ name: 'resource', resource }] };
      const answer = await world.request('POST', 'Patient/$match', { body });
      return answer.json.entry?.map((each: never) => gradeFacts(each)) ?? answer.status;
    };
    const resourceType = 'Patient';
    expect(await match({ resourceType, identifier })).toEqual([[id, 'certain', 1]]);
    const asked = { resourceType, name, birthDate: '1950-01-02', gender: 'female' };
    expect(await match(asked)).toEqual([[id, 'probable', 0.9]]);
    expect(await match({ ...asked, birthDate: '1950-01-03' })).toEqual([]);
    expect(await match({ resourceType, gender: 'female' })).toBe(422);
  });

  it('is not for patient tokens', async () => {
    const id = await world.create(PATIENT);
    const body = { resourceType: 'Parameters', parameter: [{ name: 'resource', resource: PATIENT }] };
    const answer = await world.request('POST', 'Patient/$match', { body, caller: patientCaller(id) });
    expect(answer.status).toBe(403);
  });
});

function gradeFacts(entry: {
  readonly resource: { readonly id: string };
  readonly search: { readonly score: number; readonly extension: readonly { readonly valueCode: string }[] };
}): readonly unknown[] {
  return [entry.resource.id, entry.search.extension[0]?.valueCode, entry.search.score];
}

it('no request met a fault of ours', () => {
  expect(world.faults).toEqual([]);
});
