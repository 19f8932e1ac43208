import { afterAll, beforeAll, expect, it } from 'vitest';
import { observationText, PATIENT, patientCaller, systemCaller, TestWorld } from '../testing.ts';

let world: TestWorld;
let mine: string;
let other: string;
beforeAll(async () => {
  world = await TestWorld.open();
  mine = await world.create(PATIENT);
  other = await world.create(PATIENT);
});
afterAll(async () => {
  expect(world.faults).toEqual([]);
  await world.remove();
});

interface Entry {
  readonly fullUrl: string;
  readonly response: { readonly etag: string; readonly lastModified: string };
}
const etags = (json: { entry: Entry[] }) => json.entry.map(({ response }) => response.etag);
const ids = (json: { entry: Entry[] }) =>
  json.entry.map(({ fullUrl }) => fullUrl.slice(fullUrl.lastIndexOf('/') + 1));
const nextOf = (json: { link: { relation: string; url: string }[] }) =>
  json.link.find(({ relation }) => relation === 'next')?.url.split('/fhir/R4/')[1];

function observation(patient: string, extra: object = {}): object {
  return { ...JSON.parse(observationText(patient)), ...extra };
}

async function versions(count: number): Promise<string> {
  const id = await world.create(observation(mine));
  for (let version = 2; version <= count; version += 1) {
    await world.request('PUT', `Observation/${id}`, { body: observation(mine, { id }) });
  }
  return id;
}

it('OFF-21: an instance’s history is paged by links that new versions do not move', async () => {
  const id = await versions(5);
  const first = await world.request('GET', `Observation/${id}/_history?_count=2`);
  expect([first.json.total, etags(first.json)]).toEqual([5, ['W/"5"', 'W/"4"']]);
  await world.request('PUT', `Observation/${id}`, { body: observation(mine, { id }) });
  const second = await world.request('GET', String(nextOf(first.json)));
  expect(etags(second.json)).toEqual(['W/"3"', 'W/"2"']);
  const third = await world.request('GET', String(nextOf(second.json)));
  expect([etags(third.json), nextOf(third.json)]).toEqual([['W/"1"'], undefined]);
});

it('a cursor fits its address and its caller alone', async () => {
  const id = await versions(2);
  const { json } = await world.request('GET', `Observation/${id}/_history?_count=1`);
  const cursor = String(nextOf(json)).split('_cursor=')[1];
  const elsewhere = await world.request('GET', `Observation/_history?_cursor=${cursor}`);
  expect([elsewhere.status, elsewhere.json.issue[0].expression]).toEqual([400, ['_cursor']]);
  const foreign = await world.request('GET', String(nextOf(json)), { caller: patientCaller(mine) });
  expect(foreign.status).toBe(400);
  expect((await world.request('GET', `Observation/${id}/_history?_cursor=AAAA`)).status).toBe(400);
});

it('_since and _at choose versions by time; a form that is none is refused', async () => {
  const id = await versions(3);
  const all = await world.request('GET', `Observation/${id}/_history`);
  const [, second] = all.json.entry as Entry[];
  const time = encodeURIComponent(String(second?.response.lastModified));
  const since = await world.request('GET', `Observation/${id}/_history?_since=${time}`);
  expect([since.json.total, etags(since.json)]).toEqual([2, ['W/"3"', 'W/"2"']]);
  const at = await world.request('GET', `Observation/${id}/_history?_at=${time}`);
  expect(etags(at.json)).toEqual(['W/"2"']);
  expect((await world.request('GET', `Observation/${id}/_history?_since=soon`)).status).toBe(400);
  expect((await world.request('GET', `Observation/${id}/_history?_count=many`)).status).toBe(400);
  const strict = { headers: { prefer: 'handling=strict' } };
  expect((await world.request('GET', `Observation/${id}/_history?colour=red`, strict)).status).toBe(400);
});

it('PRIV-20: a history shows a patient the own versions alone, and its total counts no other', async () => {
  const id = await world.create(observation(mine, { performer: [{ reference: `Patient/${other}` }] }));
  await world.request('PUT', `Observation/${id}`, { body: observation(mine, { id }) });
  const seen = await world.request('GET', `Observation/${id}/_history`, { caller: patientCaller(mine) });
  expect([seen.json.total, etags(seen.json)]).toEqual([1, ['W/"2"']]);
  const ofType = await world.request('GET', 'Observation/_history', { caller: patientCaller(other) });
  expect([ofType.json.total, ofType.json.entry]).toEqual([undefined, []]);
  const ofSystem = await world.request('GET', '_history', { caller: patientCaller(other) });
  expect(ids(ofSystem.json)).toEqual([other]);
});

it('PRIV-20: a record that was corrected to another patient is in no history of the first one', async () => {
  const id = await world.create(observation(other));
  await world.request('PUT', `Observation/${id}`, { body: observation(mine, { id }) });
  const caller = patientCaller(other);
  for (const path of [`Observation/${id}/_history/1`, `Observation/${id}/_history`]) {
    expect([path, (await world.request('GET', path, { caller })).status]).toEqual([path, 404]);
  }
  for (const path of ['Observation/_history', '_history']) {
    expect(ids((await world.request('GET', path, { caller })).json)).not.toContain(id);
  }
});

it('the histories of a type and of the system hold what the scopes cover', async () => {
  const id = await world.create({ resourceType: 'Organization', name: 'General Hospital' });
  await world.request('DELETE', `Organization/${id}`);
  const ofType = await world.request('GET', 'Organization/_history');
  expect(ofType.json.entry.map(({ request }: { request: { method: string } }) => request.method)).toEqual([
    'DELETE',
    'POST',
  ]);
  const caller = systemCaller({ type: 'Organization' });
  expect(ids((await world.request('GET', '_history', { caller })).json)).toEqual([id, id]);
  expect((await world.request('GET', 'Patient/_history', { caller })).status).toBe(403);
  expect((await world.request('GET', '_history', { caller: systemCaller({ search: false }) })).status).toBe(
    403,
  );
});
