import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller, Scope } from '../../caller.ts';
import { observationText, PATIENT, patientCaller, systemCaller, TestWorld } from '../testing.ts';

const HOSPITAL_TAG = 'http://example.org/labels';

let world: TestWorld;
const ids: Record<string, string> = {};

function scope(type: string, letters: string, restriction?: Scope['restriction']): Scope {
  return {
    context: 'user',
    type,
    create: letters.includes('c'),
    read: letters.includes('r'),
    update: letters.includes('u'),
    delete: letters.includes('d'),
    search: letters.includes('s'),
    ...(restriction ? { restriction } : {}),
  };
}

function user(...scopes: readonly Scope[]): Caller {
  return { ...systemCaller(), kind: 'user', scopes };
}

function observation(patient: string, code: string, category: string, time = '2026-03-01'): object {
  return {
    ...JSON.parse(observationText(patient)),
    code: { coding: [{ system: 'http://loinc.org', code }] },
    category: [{ coding: [{ code: category }] }],
    performer: [{ reference: `Practitioner/${ids.doctor}` }],
    effectiveDateTime: time,
  };
}

async function add(name: string, resource: object): Promise<void> {
  ids[name] = await world.create(resource);
}

beforeAll(async () => {
  world = await TestWorld.open();
  await add('doctor', { resourceType: 'Practitioner', name: [{ family: 'Weiss' }] });
  await add('ana', {
    ...PATIENT,
    name: [{ family: 'Ana' }],
    generalPractitioner: [{ reference: `Practitioner/${ids.doctor}` }],
  });
  await add('bob', {
    ...PATIENT,
    name: [{ family: 'Bob' }],
    meta: { tag: [{ system: HOSPITAL_TAG, code: 'vip' }] },
  });
  await add('anas', observation(ids.ana ?? '', 'a-1', 'laboratory', '2026-02-01'));
  await add('bobs', observation(ids.bob ?? '', 'b-1', 'laboratory', '2026-01-01'));
  await add('bobs-vital', observation(ids.bob ?? '', 'b-2', 'vital-signs', '2026-03-01'));
  await add('provenance', {
    resourceType: 'Provenance',
    target: [{ reference: `Observation/${ids.bobs}` }],
    recorded: '2026-01-01T00:00:00Z',
    agent: [{ who: { reference: `Practitioner/${ids.doctor}` } }],
  });
}, 30_000);
afterAll(() => world.remove());

interface Seen {
  readonly status: number;
  readonly total?: number;
  readonly names: readonly (string | undefined)[];
}

async function seen(url: string, caller: Caller): Promise<Seen> {
  const answer = await world.request('GET', url, { caller });
  if (answer.status !== 200) return { status: answer.status, names: [] };
  const names = new Map(Object.entries(ids).map(([name, id]) => [id, name]));
  const entries: readonly { resource: { id: string } }[] = answer.json.entry;
  return {
    status: 200,
    total: answer.json.total,
    names: entries.map(({ resource }) => names.get(resource.id)),
  };
}

describe('OFF-14: what a caller may not see leaves no trace at any hop', () => {
  const ana = () => patientCaller(ids.ana ?? '');

  it.each([
    ['a filter and its total', 'Observation?code=b-1,a-1', 'Observation?code=a-1'],
    ['a chain', 'Observation?subject:Patient.family=bob,ana', 'Observation?subject:Patient.family=ana'],
    [
      '_has',
      'Practitioner?_has:Observation:performer:code=b-1',
      'Practitioner?_has:Observation:performer:code=none',
    ],
    [
      '_has over a chain',
      'Practitioner?_has:Observation:performer:subject:Patient.family=bob',
      'Practitioner?_id=none',
    ],
    ['a missing value', 'Observation?category:not=other', 'Observation?code=a-1'],
    ['an order', 'Observation?_sort=date', 'Observation?code=a-1&_sort=date'],
    ['an order by text', 'Patient?_sort=family', 'Patient?family=ana'],
    ['a text', 'Patient?family:contains=bob', 'Patient?family:contains=bobo'],
    [
      'a reverse include',
      'Practitioner?_revinclude=Observation:performer',
      `Practitioner?_revinclude=Observation:performer&_id=${'x'}`,
    ],
  ])(
    '%s: a patient finds what is the patient’s own, as if nothing else were there',
    async (name, all, own) => {
      const found = await seen(all, ana());
      expect(found.status).toBe(200);
      expect(found.names).not.toContain('bob');
      expect(found.names.some((one) => one?.startsWith('bobs'))).toBe(false);
      if (name !== 'a reverse include') expect(found).toEqual(await seen(own, ana()));
      else expect(found.names).toEqual(['doctor', 'anas']);
    },
  );

  it('pages are full whatever lies hidden between', async () => {
    for (let count = 0; count < 6; count += 1) {
      await world.create(observation((count % 2 ? ids.ana : ids.bob) ?? '', 'c-1', 'survey'));
    }
    const first = await world.request('GET', 'Observation?code=c-1&_count=2', { caller: ana() });
    expect([first.json.total, first.json.entry.length]).toEqual([3, 2]);
    const next = await world.request('GET', first.json.link[1].url.split('/R4/')[1], { caller: ana() });
    expect([next.json.entry.length, next.json.link.length]).toEqual([1, 1]);
  });
});

describe('every hop needs the scope of its type', () => {
  it.each([
    ['Observation?subject:Patient.family=ana', [scope('Observation', 'rs')], 403],
    ['Observation?subject:Patient.family=ana', [scope('Observation', 'rs'), scope('Patient', 'r')], 403],
    ['Observation?subject.family=ana', [scope('Observation', 'rs')], 403],
    ['Observation?subject:Patient.family=ana', [scope('Observation', 'rs'), scope('Patient', 's')], 200],
    ['Patient?_has:Observation:patient:code=a-1', [scope('Patient', 'rs')], 403],
    ['Patient?_has:Observation:patient:code=a-1', [scope('Patient', 'rs'), scope('Observation', 's')], 200],
    ['Patient?_revinclude=Observation:patient', [scope('Patient', 'rs'), scope('Observation', 's')], 403],
    [
      'Observation?_include=Observation:subject:Patient',
      [scope('Observation', 'rs'), scope('Patient', 's')],
      403,
    ],
    ['Observation?code=a-1', [scope('Observation', 'r')], 403],
  ])('%s with %o', async (url, scopes, status) => {
    expect((await seen(url, user(...scopes))).status).toBe(status);
  });

  it('an include of whatever it is leaves out the types that may not be read', async () => {
    const caller = user(scope('Observation', 'rs'), scope('Practitioner', 'r'));
    expect((await seen('Observation?code=a-1&_include=*', caller)).names).toEqual(['anas', 'doctor']);
  });
});

describe('granular scopes hold at every hop', () => {
  const vips = [['_tag', `${HOSPITAL_TAG}|vip`]] as const;
  const laboratory = [['category', 'laboratory']] as const;

  it('in what is found, chained, reversed and included', async () => {
    const caller = user(
      scope('Patient', 'rs', vips),
      scope('Observation', 'rs', laboratory),
      scope('Provenance', 'rs'),
    );
    expect(await seen('Patient', caller)).toEqual({ status: 200, total: 1, names: ['bob'] });
    expect((await seen('Observation?category=vital-signs', caller)).total).toBe(0);
    expect((await seen('Observation?subject:Patient.gender=female', caller)).names).toEqual(['bobs']);
    expect((await seen('Patient?_has:Observation:patient:code=b-2', caller)).total).toBe(0);
    expect((await seen('Patient?_has:Observation:patient:code=b-1', caller)).names).toEqual(['bob']);
    expect((await seen('Observation?code=a-1&_include=Observation:subject', caller)).names).toEqual(['anas']);
    expect((await seen('Patient?_revinclude=Observation:patient', caller)).names).toEqual(['bob', 'bobs']);
    expect((await seen('Patient?family:contains=ana', caller)).total).toBe(0);
  });

  it('a second scope adds to the first; one that is not understood permits nothing', async () => {
    const vital = [['category', 'vital-signs']] as const;
    const both = user(scope('Observation', 'rs', laboratory), scope('Observation', 's', vital));
    expect((await seen('Observation?code=b-1,b-2', both)).names).toEqual(['bobs', 'bobs-vital']);
    const strange = user(scope('Observation', 'rs', [['shoesize', '9']]));
    expect((await seen('Observation', strange)).total).toBe(0);
  });

  it('current labels govern: a record that no longer meets the scope is gone, old versions with it', async () => {
    const caller = user(scope('Observation', 'rs', laboratory));
    const id = await world.create(observation(ids.bob ?? '', 'd-1', 'laboratory'));
    expect((await world.request('GET', `Observation/${id}`, { caller })).status).toBe(200);
    await world.request('PUT', `Observation/${id}`, {
      body: { ...observation(ids.bob ?? '', 'd-1', 'vital-signs'), id },
    });
    expect((await world.request('GET', `Observation/${id}`, { caller })).status).toBe(404);
    expect((await world.request('GET', `Observation/${id}/_history/1`, { caller })).status).toBe(404);
    expect((await seen('Observation?code=d-1', caller)).total).toBe(0);
  });

  it('what is written meets the scope too, before and after', async () => {
    const caller = user(scope('Observation', 'crus', laboratory));
    const write = (category: string) => observation(ids.bob ?? '', 'e-1', category);
    expect((await world.request('POST', 'Observation', { body: write('vital-signs'), caller })).status).toBe(
      403,
    );
    const made = await world.request('POST', 'Observation', { body: write('laboratory'), caller });
    expect(made.status).toBe(201);
    const { id } = made.json;
    const changed = await world.request('PUT', `Observation/${id}`, {
      body: { ...write('survey'), id },
      caller,
    });
    expect(changed.status).toBe(403);
  });
});
