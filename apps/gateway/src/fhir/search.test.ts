import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SearchTooCostlyError } from '../index-store/index.ts';
import { knownRefusal } from './fhir-answer.ts';
import { BASE_URL, observationText, PATIENT, systemCaller, TestWorld } from './testing.ts';

let world: TestWorld;
const ids: Record<string, string> = {};

function observation(patient: string, code: string, time: string): object {
  const base = JSON.parse(observationText(patient));
  return { ...base, code: { coding: [{ system: 'http://loinc.org', code }] }, effectiveDateTime: time };
}

beforeAll(async () => {
  world = await TestWorld.open();
  const person = (family: string, given: string, value: string, birthDate: string) =>
    world.create({
      ...PATIENT,
      name: [{ family, given: [given] }],
      identifier: [{ system: 'urn:mrn', value }],
      birthDate,
    });
  ids.ana = await person('García Márquez', 'Ana', '1001', '1970-05-01');
  ids.bob = await person('Garrison', 'Bob', '1002', '1970-06-30');
  ids.cy = await person('Smith', 'Cyrus', '1003', '1985-01-01');
  // Charted in another order than they happened (OFF-16).
  ids.march = await world.create(observation(ids.ana, '2345-7', '2026-03-01T10:00:00Z'));
  ids.january = await world.create(observation(ids.ana, '2345-7', '2026-01-15'));
  ids.february = await world.create(observation(ids.ana, '718-7', '2026-02-10T08:00:00+01:00'));
  ids.other = await world.create(observation(ids.bob, '2345-7', '2025-12-31'));
});
afterAll(() => world.remove());

async function found(url: string): Promise<readonly (string | undefined)[]> {
  const answer = await world.request('GET', url);
  if (answer.status !== 200) return [String(answer.status)];
  const names = new Map(Object.entries(ids).map(([name, id]) => [id, name]));
  return answer.json.entry
    .filter((entry: { search: { mode: string } }) => entry.search.mode === 'match')
    .map((entry: { resource: { id: string } }) => names.get(entry.resource.id));
}

describe('OFF-14: records are found by type, date, reference, token and string', () => {
  it.each([
    ['Patient?family=garc', ['ana']],
    ['Patient?family=GARCIA', ['ana']],
    ['Patient?name=marq', ['ana']],
    ['Patient?family=gar', ['ana', 'bob']],
    ['Patient?family=gar,smi', ['ana', 'bob', 'cy']],
    ['Patient?family:exact=Smith', ['cy']],
    ['Patient?family:exact=smith', []],
    ['Patient?family=arcia', []],
    ['Patient?given=bob&family=garrison', ['bob']],
    ['Patient?given=bob&family=smith', []],
    ['Patient?identifier=urn:mrn|1002', ['bob']],
    ['Patient?identifier=1002', ['bob']],
    ['Patient?identifier=|1002', []],
    ['Patient?identifier=urn:mrn|', ['ana', 'bob', 'cy']],
    ['Patient?identifier=urn:other|1002', []],
    ['Patient?gender:not=female', []],
    ['Patient?address:missing=true', ['ana', 'bob', 'cy']],
    ['Patient?family:missing=true', []],
    ['Patient?birthdate=1970', ['ana', 'bob']],
    ['Patient?birthdate=1970-06', ['bob']],
    ['Patient?birthdate=ge1970-06-30', ['bob', 'cy']],
    ['Patient?birthdate=lt1970-06-30', ['ana']],
    ['Patient?birthdate=ne1970', ['cy']],
    ['Patient?birthdate=gt1970-05&birthdate=lt1985', ['bob']],
  ])('%s', async (url, expected) => {
    expect(await found(url)).toEqual(expected);
  });

  it.each([
    ['Observation?date=2026-02', ['february']],
    ['Observation?date=ge2026-02-01', ['march', 'february']],
    ['Observation?date=sa2026-02-10', ['march']],
    ['Observation?date=eb2026-01-15', ['other']],
    ['Observation?code=http://loinc.org|718-7', ['february']],
    ['Observation?code=718-7,2345-7&date=lt2026-02', ['january', 'other']],
    ['Observation?_lastUpdated=lt2020', []],
  ])('%s', async (url, expected) => {
    expect(await found(url)).toEqual(expected);
  });

  it('a reference is found by id, by type and id, by address, and by POST', async () => {
    const mine = ['march', 'january', 'february'];
    expect(await found(`Observation?patient=${ids.ana}`)).toEqual(mine);
    expect(await found(`Observation?subject=Patient/${ids.ana}`)).toEqual(mine);
    expect(await found(`Observation?subject:Patient=${ids.ana}`)).toEqual(mine);
    expect(await found(`Observation?subject=${BASE_URL}/Patient/${ids.ana}`)).toEqual(mine);
    const posted = await world.request('POST', 'Observation/_search', {
      body: `patient=${ids.ana}&code=718-7`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(posted.json.entry.map((entry: { resource: { id: string } }) => entry.resource.id)).toEqual([
      ids.february,
    ]);
  });

  it('OFF-16: the timeline sorts by when it happened, the ledger by when it was recorded', async () => {
    const own = `Observation?patient=${ids.ana}`;
    expect(await found(`${own}&_sort=date`)).toEqual(['january', 'february', 'march']);
    expect(await found(`${own}&_sort=-date`)).toEqual(['march', 'february', 'january']);
    expect(await found(`${own}&_sort=_lastUpdated`)).toEqual(['march', 'january', 'february']);
    expect(await found(`${own}&_sort=-_lastUpdated`)).toEqual(['february', 'january', 'march']);
  });
});

describe('paging', () => {
  it.each(['Observation?_count=1', 'Observation?_count=1&_sort=-date', 'Patient?birthdate=ge1970&_count=2'])(
    '%s: next links lead through every result once, and tell nothing',
    async (url) => {
      const all = await found(url.replace(/_count=\d/, '_count=50'));
      const seen: (string | undefined)[] = [];
      let next: string | undefined = url;
      while (next !== undefined) {
        seen.push(...(await found(next)));
        const { json }: Awaited<ReturnType<TestWorld['request']>> = await world.request('GET', next);
        expect(json.total).toBe(all.length);
        const link: { url: string } | undefined = json.link.find(
          (each: { relation: string }) => each.relation === 'next',
        );
        next = link?.url.slice(BASE_URL.length + 1);
        if (next !== undefined) expect(next).toMatch(/^[A-Z][a-z]+\?_cursor=[A-Za-z0-9_-]+$/);
      }
      expect(seen).toEqual(all);
    },
  );

  it('a next link works for its caller alone', async () => {
    const answer = await world.request('GET', 'Observation?_count=1');
    const next = answer.json.link[1].url.slice(BASE_URL.length + 1);
    const caller = { ...systemCaller(), subject: 'another-client' };
    expect((await world.request('GET', next, { caller })).status).toBe(400);
    expect((await world.request('GET', next.slice(0, -2))).status).toBe(400);
  });

  it('OFF-11: no search is unbounded', async () => {
    for (let count = 0; count < 205; count += 1) {
      await world.create({ resourceType: 'Organization', name: `Practice ${count}` });
    }
    const size = async (url: string) => (await world.request('GET', url)).json.entry.length;
    expect(await size('Organization')).toBe(50);
    expect(await size('Organization?_count=100000')).toBe(200);
    const count = await world.request('GET', 'Organization?_summary=count');
    expect([count.json.total, count.json.entry]).toEqual([205, []]);
  });
});

describe('what is not understood', () => {
  it.each([
    'Patient?birthdate=yesterday',
    'Patient?family:contains=x',
    'Patient?gender:in=x',
    'Observation?subject:Practitioner.name=x&subject:Banana=1',
    'Patient?family=',
    'Patient?_count=many',
    'Patient?_sort=shoesize',
    'Patient?_cursor=abc',
    'Patient?birthdate=2026-02-31',
  ])('%s is refused with the parameter, not ignored', async (url) => {
    const answer = await world.request('GET', url);
    expect(answer.status).toBe(400);
    expect(answer.json.issue[0].expression).toHaveLength(1);
    expect(answer.body).not.toContain('yesterday');
  });

  it('an unknown parameter is refused or ignored by Prefer, and the answer says so', async () => {
    const strict = await world.request('GET', 'Patient?shoesize=9', {
      headers: { prefer: 'handling=strict' },
    });
    expect([strict.status, strict.json.issue[0].expression]).toEqual([400, ['shoesize']]);
    const lenient = await world.request('GET', 'Patient?shoesize=9&family=smith');
    expect(lenient.json.total).toBe(1);
    expect(lenient.json.link[0].url).toBe(`${BASE_URL}/Patient?family=smith`);
    expect(lenient.json.entry.at(-1)).toMatchObject({
      search: { mode: 'outcome' },
      resource: { issue: [{ expression: ['shoesize'] }] },
    });
  });
});

describe('SEC-15: a search that would look at too much', () => {
  const times = (count: number, value: string) => Array.from({ length: count }, () => value);
  it.each([
    ['values in one list and another', times(3, `code:not=${times(90, 'x').join(',')}`)],
    ['texts to compare', [`name:contains=${times(17, 'smith').join(',')}`]],
    ['texts at the end of a chain', times(2, `subject:Patient.name:contains=${times(9, 'ana').join(',')}`)],
  ])('is refused for too many %s', async (_what, parameters) => {
    const type = parameters[0]?.startsWith('name') ? 'Patient' : 'Observation';
    expect(await found(`${type}?${parameters.join('&')}`)).toEqual(['400']);
  });

  it('is no fault of ours: the answer says what to do', () => {
    const refusal = knownRefusal(new SearchTooCostlyError('Too many.', 'Narrow the search.'));
    expect(refusal).toMatchObject({ status: 422, code: 'too-costly', help: 'Narrow the search.' });
  });
});

it('an update moves a record in the index, a deletion takes it out', async () => {
  const id = await world.create({ ...PATIENT, name: [{ family: 'Before' }] });
  await world.request('PUT', `Patient/${id}`, { body: { ...PATIENT, id, name: [{ family: 'After' }] } });
  const total = async (family: string) => (await world.request('GET', `Patient?family=${family}`)).json.total;
  expect([await total('before'), await total('after')]).toEqual([0, 1]);
  await world.request('DELETE', `Patient/${id}`);
  expect(await total('after')).toBe(0);
});

it('no request met a fault of ours', () => {
  expect(world.faults).toEqual([]);
});
