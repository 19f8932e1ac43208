import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../caller.ts';
import { observationText, PATIENT, patientCaller, systemCaller, TestWorld } from '../testing.ts';

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
const TAG = { system: 'urn:tags', code: 'seen' };
const JSON_PATCH = { 'content-type': 'application/json-patch+json' };

describe('patch', () => {
  it('IOP-03: a JSON Patch makes a further version in which 1.10 stays 1.10', async () => {
    const { json } = await world.request('POST', 'Observation', { body: observationText(patient) });
    const body = [{ op: 'replace', path: '/status', value: 'amended' }];
    const answer = await world.request('PATCH', `Observation/${json.id}`, { body, headers: JSON_PATCH });
    expect([answer.status, answer.headers.etag]).toEqual([200, 'W/"2"']);
    expect(answer.json.status).toBe('amended');
    expect(answer.body).toContain('"value":1.10');
  });

  it('a FHIRPath Patch does the same, and what leaves no valid resource is refused with its place', async () => {
    const id = await world.create(JSON.parse(observationText(patient)));
    const operation = (path: string, value: object) => ({
      resourceType: 'Parameters',
      parameter: [
        {
          name: 'operation',
          part: [
            { name: 'type', valueCode: 'replace' },
            { name: 'path', valueString: path },
            { name: 'value', ...value },
          ],
        },
      ],
    });
    const send = (body: object) => world.request('PATCH', `Observation/${id}`, { body });
    expect((await send(operation('Observation.status', { valueCode: 'amended' }))).json.status).toBe(
      'amended',
    );
    const wrong = await send(operation('Observation.status', { valueCode: 'wrong' }));
    expect([wrong.status, wrong.json.issue[0].expression]).toEqual([422, ['Observation.status']]);
    expect(wrong.body).not.toContain('wrong');
    expect((await send({ resourceType: 'Patient' })).status).toBe(415);
  });

  it('a patch cannot change whose or what a record is, nor reach what the caller may not', async () => {
    const id = await world.create(JSON.parse(observationText(patient)));
    const send = (operation: object, options: object = {}) =>
      world.request('PATCH', `Observation/${id}`, { body: [operation], headers: JSON_PATCH, ...options });
    expect((await send({ op: 'replace', path: '/id', value: 'x' })).status).toBe(422);
    expect((await send({ op: 'replace', path: '/resourceType', value: 'Basic' })).status).toBe(422);
    const fine = { op: 'replace', path: '/status', value: 'amended' };
    expect((await send(fine, { caller: systemCaller({ update: false }) })).status).toBe(403);
    const other = await world.create(PATIENT);
    expect((await send(fine, { caller: patientCaller(other) })).status).toBe(404);
    const stale = await send(fine, { headers: { ...JSON_PATCH, 'if-match': 'W/"9"' } });
    expect([stale.status, stale.json.issue[0].expression]).toEqual([412, ['If-Match']]);
    expect((await world.request('GET', `Observation/${id}`)).headers.etag).toBe('W/"1"');
  });
});

describe('a change of what the caller may update and not read', () => {
  it.each(['PATCH', '$meta-add'] as const)('%s tells nothing of it, and changes nothing', async (kind) => {
    const id = await world.create(JSON.parse(observationText(patient)));
    const scopes = systemCaller().scopes.flatMap((all) => [
      { ...all, type: 'Observation', read: false, search: false },
      { ...all, type: 'Observation', restriction: [['category', 'laboratory']] as const },
    ]);
    const send = (caller: Caller) =>
      kind === 'PATCH'
        ? world.request('PATCH', `Observation/${id}`, {
            ...{ caller, headers: JSON_PATCH },
            body: [{ op: 'test', path: '/status', value: 'final' }],
          })
        : world.request('POST', `Observation/${id}/$meta-add`, {
            caller,
            body: { resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta: { tag: [TAG] } }] },
          });
    const answer = await send({ ...systemCaller(), scopes });
    expect([answer.status, answer.json.resourceType]).toEqual([404, 'OperationOutcome']);
    expect((await send(systemCaller({ read: false }))).status).toBe(403);
    expect((await world.vault.current({ type: 'Observation', id }))?.version).toBe(1);
    expect((await send(systemCaller())).status).toBe(200);
  });
});

describe('conditional writes', () => {
  it('IOP-03: two writers with the same If-Match: exactly one wins', async () => {
    const id = await world.create(withIdentifier('race'));
    const put = (gender: string) =>
      world.request('PUT', `Patient/${id}`, {
        body: withIdentifier('race', { id, gender }),
        headers: { 'if-match': 'W/"1"' },
      });
    const answers = await Promise.all(['male', 'female', 'other', 'unknown'].map(put));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
    expect((await world.request('GET', `Patient/${id}`)).headers.etag).toBe('W/"2"');
  });

  it('concurrent creates with one If-None-Exist create once', async () => {
    const create = () =>
      world.request('POST', 'Patient', {
        body: withIdentifier('once'),
        headers: { 'if-none-exist': 'identifier=urn:mrn|once' },
      });
    const answers = await Promise.all([create(), create(), create()]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201]);
    expect(new Set(answers.map(({ json }) => json.id)).size).toBe(1);
  });

  it('updates the one that fits, creates where none does, and refuses where two do', async () => {
    const put = (value: string, body: object) =>
      world.request('PUT', `Patient?identifier=urn:mrn|${value}`, { body });
    const created = await put('upsert', withIdentifier('upsert'));
    expect(created.status).toBe(201);
    const updated = await put('upsert', withIdentifier('upsert', { gender: 'other' }));
    expect([updated.status, updated.json.id, updated.headers.etag]).toEqual([200, created.json.id, 'W/"2"']);
    expect((await put('upsert', withIdentifier('upsert', { id: patient }))).status).toBe(400);
    expect((await put('none', withIdentifier('none', { id: patient }))).status).toBe(409);
    await world.create(withIdentifier('upsert'));
    const refused = await put('upsert', withIdentifier('upsert'));
    expect([refused.status, refused.json.issue[0].code]).toEqual([412, 'multiple-matches']);
    expect(refused.body).not.toContain('upsert');
  });

  it('deletes and patches the one that fits', async () => {
    const id = await world.create(withIdentifier('goes'));
    const url = 'Patient?identifier=urn:mrn|goes';
    const body = [{ op: 'add', path: '/gender', value: 'other' }];
    const patched = await world.request('PATCH', url, { body, headers: JSON_PATCH });
    expect([patched.status, patched.json.id]).toEqual([200, id]);
    expect((await world.request('DELETE', url)).status).toBe(204);
    expect((await world.request('GET', `Patient/${id}`)).status).toBe(410);
    expect((await world.request('DELETE', url)).status).toBe(204);
    expect((await world.request('PATCH', url, { body, headers: JSON_PATCH })).status).toBe(404);
    await world.create(withIdentifier('two'));
    await world.create(withIdentifier('two'));
    expect((await world.request('DELETE', 'Patient?identifier=urn:mrn|two')).status).toBe(412);
  });

  it.each([
    ['no criteria', 'Patient?', 412],
    ['an unknown parameter', 'Patient?colour=red', 400],
    ['a form that is none', 'Patient?birthdate=never', 400],
  ])('a condition with %s is refused', async (_name, url, status) => {
    const answer = await world.request('PUT', url, { body: PATIENT });
    expect(answer.status).toBe(status);
    expect(answer.json.issue[0].expression[0]).not.toBe('');
  });

  it('If-None-Match: * on an update creates and never overwrites', async () => {
    const id = crypto.randomUUID();
    const headers = { 'if-none-match': '*' };
    const put = () => world.request('PUT', `Patient/${id}`, { body: { ...PATIENT, id }, headers });
    expect([(await put()).status, (await put()).status]).toEqual([201, 412]);
  });

  it('a condition sees what the caller may see: another patient’s record is none', async () => {
    await world.create(withIdentifier('hidden'));
    const mine = await world.create(withIdentifier('mine'));
    const headers = { 'if-none-exist': 'identifier=urn:mrn|hidden' };
    const body = withIdentifier('hidden');
    const answer = await world.request('POST', 'Patient', { body, headers, caller: patientCaller(mine) });
    const fresh = await world.request('POST', 'Patient', {
      ...{ body, caller: patientCaller(mine) },
      headers: { 'if-none-exist': 'identifier=urn:mrn|nobody' },
    });
    expect([answer.status, answer.body]).toEqual([fresh.status, fresh.body]);
  });
});

describe('conditional reads', () => {
  it('If-None-Match and If-Modified-Since answer 304 without a body', async () => {
    const read = (headers: Record<string, string>) => world.request('GET', `Patient/${patient}`, { headers });
    const first = await read({});
    const same = await read({ 'if-none-match': String(first.headers.etag) });
    expect([same.status, same.body, same.headers.etag]).toEqual([304, '', first.headers.etag]);
    const modified = String(first.headers['last-modified']);
    expect((await read({ 'if-modified-since': modified })).status).toBe(304);
    expect((await read({ 'if-modified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' })).status).toBe(200);
    expect((await read({ 'if-none-match': 'W/"7"', 'if-modified-since': modified })).status).toBe(200);
  });
});

describe('X-Provenance', () => {
  const provenance = (extra: object = {}) =>
    JSON.stringify({
      resourceType: 'Provenance',
      agent: [{ who: { display: 'records office' } }],
      reason: [
        { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: 'PATRQT' }] },
      ],
      ...extra,
    });

  it('LED-24: a correction and a deletion carry a reason, which the history tells', async () => {
    const id = await world.create(JSON.parse(observationText(patient)));
    const headers = { 'x-provenance': provenance() };
    const body = { ...JSON.parse(observationText(patient)), id, status: 'amended' };
    expect((await world.request('PUT', `Observation/${id}`, { body, headers })).status).toBe(200);
    expect((await world.request('DELETE', `Observation/${id}`, { headers })).status).toBe(204);
    const history = await world.request('GET', `Observation/${id}/_history`);
    const reasons = history.json.entry.map(
      (entry: { extension: { url: string; valueCodeableConcept?: never }[] }) =>
        entry.extension.flatMap(({ url, valueCodeableConcept }) =>
          url.endsWith('/reason')
            ? [(valueCodeableConcept as { coding: { code: string }[] } | undefined)?.coding[0]?.code]
            : [],
        ),
    );
    expect(reasons).toEqual([['PATRQT'], ['PATRQT'], []]);
    const found = await world.request('GET', `Provenance?target=Observation/${id}`);
    const targets = found.json.entry.map(
      ({ resource }: { resource: { target: { reference: string }[] } }) => resource.target[0]?.reference,
    );
    expect(targets.sort()).toEqual([`Observation/${id}/_history/2`, `Observation/${id}/_history/3`]);
  });

  it('the Provenance is the patient’s too, and nobody’s reasons reach another patient', async () => {
    const other = await world.create(PATIENT);
    const created = await world.request('POST', 'Observation', {
      body: observationText(patient),
      headers: { 'x-provenance': provenance() },
    });
    const url = `Provenance?target=Observation/${created.json.id}`;
    expect((await world.request('GET', url, { caller: patientCaller(patient) })).json.total).toBe(1);
    expect((await world.request('GET', url, { caller: patientCaller(other) })).json.total).toBe(0);
    const history = await world.request('GET', `Observation/${created.json.id}/_history`, {
      caller: systemCaller({ type: 'Observation' }),
    });
    expect(history.body).not.toContain('PATRQT');
  });

  it.each([
    ['no JSON', '{', 400],
    ['another resource', '{"resourceType":"Patient"}', 400],
    ['a target of its own', provenance({ target: [{ reference: 'Patient/1' }] }), 400],
    ['no agent', provenance({ agent: undefined }), 422],
  ])('%s is refused, and nothing is written', async (_name, header, status) => {
    const before = await world.vault.lastSeq();
    const answer = await world.request('POST', 'Patient', {
      body: PATIENT,
      headers: { 'x-provenance': header },
    });
    expect([answer.status, await world.vault.lastSeq()]).toEqual([status, before]);
  });
});
