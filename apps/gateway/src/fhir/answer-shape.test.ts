import { canonicalText, parseLossless } from '@careledger/fhir';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prettyText } from './answer-shape.ts';
import { observationText, PATIENT, TestWorld } from './testing.ts';

let world: TestWorld;
let patient: string;
let id: string;
beforeAll(async () => {
  world = await TestWorld.open();
  patient = await world.create(PATIENT);
  const text = { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">glucose</div>' };
  const extra = `,"text":${JSON.stringify(text)},"note":[{"text":"fasting"}]`;
  id = (await world.request('POST', 'Observation', { body: observationText(patient, extra) })).json.id;
});
afterAll(async () => {
  expect(world.faults).toEqual([]);
  await world.remove();
});

const keys = (resource: object) =>
  Object.keys(resource).filter((key) => !['id', 'meta', 'resourceType'].includes(key));

describe('how much of a resource an answer shows', () => {
  it.each([
    ['_elements=valueQuantity', ['code', 'status']],
    ['_elements=value', ['code', 'status', 'valueQuantity']],
    ['_elements=Observation.note,Patient.name', ['code', 'note', 'status']],
    ['_summary=text', ['code', 'status', 'text']],
    ['_summary=data', ['code', 'effectiveDateTime', 'note', 'status', 'subject', 'valueQuantity']],
    ['_summary=true', ['code', 'effectiveDateTime', 'status', 'subject', 'valueQuantity']],
  ])(
    'OFF-21: %s keeps what was asked for and what must not be missing, and says that it is a part',
    async (query, kept) => {
      const read = await world.request('GET', `Observation/${id}?${query}`);
      expect(keys(read.json)).toEqual(kept);
      expect(read.json.meta.tag).toEqual([
        { code: 'SUBSETTED', system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue' },
      ]);
      const found = await world.request('GET', `Observation?_id=${id}&${query}`);
      expect(keys(found.json.entry[0].resource)).toEqual(kept);
      if (kept.includes('valueQuantity')) expect(found.body).toContain('"value":1.10');
    },
  );

  it('_summary=false is the whole, byte for byte; _summary=count the total alone', async () => {
    const whole = await world.request('GET', `Observation/${id}`);
    expect((await world.request('GET', `Observation/${id}?_summary=false`)).body).toBe(whole.body);
    const count = await world.request('GET', 'Observation?_summary=count');
    expect([count.json.total, count.json.entry ?? []]).toEqual([1, []]);
  });

  it.each(['_summary=most', '_elements=a b', '_elements=Patient.', `_elements=${'a,'.repeat(65)}`])(
    '%s is refused before anything happens',
    async (query) => {
      const before = await world.vault.lastSeq();
      const answer = await world.request('POST', `Patient?${query}`, { body: PATIENT });
      expect([answer.status, await world.vault.lastSeq()]).toEqual([400, before]);
    },
  );

  it('_pretty adds white space and nothing else', async () => {
    const plain = await world.request('GET', `Observation/${id}`);
    const pretty = await world.request('GET', `Observation/${id}?_pretty=true`);
    expect(pretty.body.split('\n').length).toBeGreaterThan(20);
    expect(canonicalText(parseLossless(pretty.body))).toBe(plain.body);
    expect(prettyText('{"a":[],"b":{},"c":"{,:\\"}"}')).toBe(
      '{\n  "a": [],\n  "b": {},\n  "c": "{,:\\"}"\n}',
    );
  });
});

describe('what a writer gets back', () => {
  it.each([
    ['minimal', ''],
    ['representation', 'Patient'],
    ['OperationOutcome', 'OperationOutcome'],
  ])('Prefer: return=%s', async (preference, type) => {
    const headers = { prefer: `return=${preference}` };
    const answer = await world.request('POST', 'Patient', { body: PATIENT, headers });
    expect([answer.status, answer.json?.resourceType ?? '']).toEqual([201, type]);
    expect(answer.headers.location).toMatch(/\/Patient\/[0-9a-f-]{36}\/_history\/1$/);
    expect(answer.headers.etag).toBe('W/"1"');
  });

  it('an update says where its version is', async () => {
    const answer = await world.request('PUT', `Patient/${patient}`, { body: { ...PATIENT, id: patient } });
    expect(answer.headers['content-location']).toMatch(new RegExp(`/Patient/${patient}/_history/2$`));
  });
});
