import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

const observation = (extra: object = {}) => ({ ...JSON.parse(observationText(patient)), ...extra });
const parameters = (...parameter: object[]) => ({ resourceType: 'Parameters', parameter });
const severities = (json: { issue: { severity: string }[] }) => json.issue.map(({ severity }) => severity);

describe('$validate', () => {
  it('IOP-03: says what storing would find wrong, and stores nothing', async () => {
    const before = await world.vault.lastSeq();
    const ask = (body: object, query = '') =>
      world.request('POST', `Observation/$validate${query}`, { body });
    const wrong = await ask(observation({ status: 'finished' }));
    expect([wrong.status, wrong.json.issue[0].expression]).toEqual([200, ['Observation.status']]);
    expect(wrong.body).not.toContain('finished');
    expect(severities((await ask(observation())).json)).not.toContain('error');
    const form = parameters(
      { name: 'resource', resource: observation() },
      { name: 'mode', valueCode: 'update' },
    );
    expect((await ask(form)).json.issue).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ severity: 'error', expression: ['Observation.id'] }),
      ]),
    );
    expect((await ask(PATIENT)).status).toBe(400);
    expect((await ask(parameters({ name: 'mode', valueCode: 'create' }))).status).toBe(400);
    expect((await ask(observation(), '?mode=destroy')).status).toBe(400);
    expect(await world.vault.lastSeq()).toBe(before);
  });

  it('judges against a profile that is asked for', async () => {
    const profile = encodeURIComponent('http://hl7.org/fhir/StructureDefinition/vitalsigns');
    const answer = await world.request('POST', `Observation/$validate?profile=${profile}`, {
      body: observation(),
    });
    expect(answer.status).toBe(200);
    expect(severities(answer.json)).not.toEqual(['information']);
  });

  it('of an instance: what is stored, and whether the caller may delete it', async () => {
    const id = await world.create(observation());
    const stored = await world.request('GET', `Observation/${id}/$validate`);
    expect(severities(stored.json)).not.toContain('error');
    const ask = (caller = systemCaller()) =>
      world.request('GET', `Observation/${id}/$validate?mode=delete`, { caller });
    expect((await ask()).status).toBe(200);
    expect((await ask(systemCaller({ delete: false }))).status).toBe(403);
    expect((await ask(patientCaller(patient))).status).toBe(403);
    expect((await ask(patientCaller(await world.create(PATIENT)))).status).toBe(404);
  });
});

describe('$meta', () => {
  const tag = { system: 'urn:tags', code: 'reviewed' };
  const change = (id: string, name: string, meta: object) =>
    world.request('POST', `Observation/${id}/$meta-${name}`, {
      body: parameters({ name: 'meta', valueMeta: meta }),
    });

  it('adds and takes away tags and labels, each as a further version; the rest keeps its text', async () => {
    const { json } = await world.request('POST', 'Observation', { body: observationText(patient) });
    const added = await change(json.id, 'add', { tag: [tag, tag] });
    expect(added.json.parameter[0].valueMeta.tag.length).toBeGreaterThan(0);
    const read = await world.request('GET', `Observation/${json.id}`);
    expect([read.headers.etag, read.json.meta.tag[0]]).toEqual(['W/"2"', { ...tag }]);
    expect(read.body).toContain('"value":1.10');
    await change(json.id, 'add', { tag: [tag] });
    expect((await world.request('GET', `Observation/${json.id}`)).headers.etag).toBe('W/"2"');
    await change(json.id, 'delete', { tag: [tag] });
    const meta = await world.request('GET', `Observation/${json.id}/$meta`);
    expect([meta.json.parameter[0].valueMeta.tag, meta.json.parameter[0].valueMeta.versionId]).toEqual([
      undefined,
      '3',
    ]);
    const before = await world.request('GET', `Observation/${json.id}/_history/2/$meta`);
    expect(before.json.parameter[0].valueMeta.tag).toEqual([tag]);
  });

  it('is an update: for those who may', async () => {
    const id = await world.create(observation());
    const body = parameters({ name: 'meta', valueMeta: { tag: [tag] } });
    const url = `Observation/${id}/$meta-add`;
    expect((await world.request('POST', url, { body, caller: systemCaller({ update: false }) })).status).toBe(
      403,
    );
    expect((await world.request('POST', url, { body, caller: patientCaller(patient) })).status).toBe(403);
    expect((await world.request('POST', url, { body: parameters() })).status).toBe(400);
  });
});

describe('$everything', () => {
  it('OFF-21, PRIV-20: the patient, all that is about the patient, page by page, and who is named in it', async () => {
    const mine = await world.create(PATIENT);
    const other = await world.create(PATIENT);
    const practitioner = await world.create({ resourceType: 'Practitioner', name: [{ family: 'Doctor' }] });
    const about = (to: string) => observation({ subject: { reference: `Patient/${to}` } });
    const seen = new Set<string>([mine]);
    for (let index = 0; index < 4; index += 1) {
      const performer = [{ reference: `Practitioner/${practitioner}` }];
      seen.add(await world.create({ ...about(mine), performer }));
    }
    await world.create(about(other));
    const caller = patientCaller(mine);
    const found: string[] = [];
    let url: string | undefined = `Patient/${mine}/$everything?_count=2`;
    for (let pages = 0; url !== undefined && pages < 9; pages += 1) {
      const { json }: { json: { entry: never[]; link: { relation: string; url: string }[] } } =
        await world.request('GET', url, { caller });
      const entries = json.entry as { resource: { id: string }; search: { mode: string } }[];
      found.push(
        ...entries.filter(({ search }) => search.mode === 'match').map(({ resource }) => resource.id),
      );
      expect(entries.filter(({ search }) => search.mode === 'match').length).toBeLessThanOrEqual(2);
      const next = json.link.find(({ relation }) => relation === 'next');
      expect(entries.some(({ resource }) => resource.id === practitioner)).toBe(true);
      url = next?.url.split('/fhir/R4/')[1];
    }
    expect([found.length, new Set(found)]).toEqual([5, seen]);
  });

  it('goes by type and time, refuses what it would ignore, and is nobody else’s', async () => {
    const mine = await world.create(PATIENT);
    await world.create(observation({ subject: { reference: `Patient/${mine}` } }));
    const ask = (query: string, caller = systemCaller()) =>
      world.request('GET', `Patient/${mine}/$everything?${query}`, { caller });
    expect((await ask('_type=Patient')).json.entry).toHaveLength(1);
    expect((await ask('_type=Observation')).json.entry[0].resource.resourceType).toBe('Observation');
    expect((await ask('_since=2999-01-01')).json.entry).toEqual([]);
    expect((await ask('start=2020-01-01')).status).toBe(400);
    expect((await ask('', patientCaller(patient))).status).toBe(404);
    expect((await ask('', systemCaller({ type: 'Patient' }))).json.entry).toHaveLength(1);
  });
});
