import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SearchRoute } from '../search-route.ts';
import { fhirText } from '../stored-resource.ts';
import { BASE_URL, observationText, PATIENT, systemCaller, TestWorld } from '../testing.ts';
import type { SearchParameters } from './search-context.ts';

const UCUM = 'http://unitsofmeasure.org';
const LOINC = 'http://loinc.org';
const BP = {
  resourceType: 'Observation',
  status: 'final',
  code: {
    coding: [{ system: LOINC, code: '85354-9', display: 'Blood pressure panel' }],
    text: 'Blood pressure',
  },
};

let world: TestWorld;
const ids: Record<string, string> = {};

function quantity(value: number, unit: string): object {
  return { valueQuantity: { value, unit, system: UCUM, code: unit } };
}

function component(code: string, value: number): object {
  return { code: { coding: [{ system: LOINC, code }] }, ...quantity(value, 'mm[Hg]') };
}

async function add(name: string, resource: object): Promise<string> {
  const id = await world.create(resource);
  ids[name] = id;
  return id;
}

beforeAll(async () => {
  world = await TestWorld.open();
  const ana = await add('ana', {
    ...PATIENT,
    name: [{ family: 'Papadimitrakopoulou-Schwarzenberger', given: ['Ana'] }],
  });
  const bob = await add('bob', {
    ...PATIENT,
    name: [{ family: 'Papadimitrakopoulou-Schwarzkopf', given: ['Bob'] }],
    gender: 'male',
    identifier: [{ system: 'urn:mrn', value: '7', type: { coding: [{ system: 'urn:types', code: 'MR' }] } }],
    telecom: [
      { system: 'email', value: 'bob@example.org' },
      { system: 'phone', value: '555-1' },
    ],
    meta: { tag: [{ system: 'urn:tags', code: 'vip' }], source: 'urn:feed:7' },
  });
  const base = JSON.parse(observationText(ana));
  const { valueQuantity: _, ...plain } = base;
  await add('glucose', { ...plain, ...quantity(5.4, 'g/L'), effectiveDateTime: '2026-03-01' });
  await add('glucose-mg', { ...plain, ...quantity(542, 'mg/dL'), effectiveDateTime: '2026-01-01' });
  await add('high', {
    ...plain,
    ...quantity(9, 'g/L'),
    effectiveDateTime: '2026-02-01',
    subject: { reference: `Patient/${bob}` },
  });
  await add('pressure', {
    ...BP,
    subject: { reference: `${BASE_URL}/Patient/${ana}` },
    component: [component('8480-6', 120), component('8462-4', 80)],
  });
  await add('text', {
    ...plain,
    valueString: `begins ${'x'.repeat(1_200)} needle`,
    method: { text: 'Reagent strip' },
  });
  await add('risk', {
    resourceType: 'RiskAssessment',
    status: 'final',
    subject: { reference: `Patient/${bob}` },
    prediction: [{ probabilityDecimal: 0.25 }],
  });
  await add('values', {
    resourceType: 'ValueSet',
    status: 'active',
    url: 'http://example.org/fhir/sets/colours',
    name: 'Colours',
  });
  await add('elsewhere', {
    ...plain,
    performer: [
      { reference: 'https://other.example/fhir/Practitioner/9' },
      { identifier: { system: 'urn:staff', value: 'S9' } },
    ],
  });
}, 30_000);
afterAll(() => world.remove());

async function found(url: string): Promise<readonly (string | undefined)[]> {
  const answer = await world.request('GET', url);
  if (answer.status !== 200) return [`${answer.status} ${answer.json.issue[0].code}`];
  const names = new Map(Object.entries(ids).map(([name, id]) => [id, name]));
  expect(answer.json.total).toBe(answer.json.entry.length);
  return answer.json.entry.map((entry: { resource: { id: string } }) => names.get(entry.resource.id));
}

describe('IOP-03: every kind of R4 search parameter is answered', () => {
  it.each([
    // Numbers stand for what they are rounded from, quantities for their unit in UCUM.
    ['RiskAssessment?probability=0.25', ['risk']],
    ['RiskAssessment?probability=0.3', ['risk']],
    ['RiskAssessment?probability=0.250', ['risk']],
    ['RiskAssessment?probability=0.2', []],
    ['RiskAssessment?probability=gt0.25', []],
    ['RiskAssessment?probability=ge0.25', ['risk']],
    ['RiskAssessment?probability=ap0.27', ['risk']],
    ['RiskAssessment?probability=lt0.9&probability=gt0.1', ['risk']],
    ['RiskAssessment?probability=ne0.25', []],
    [`Observation?value-quantity=5.4|${UCUM}|g/L`, ['glucose', 'glucose-mg']],
    [`Observation?value-quantity=5.40|${UCUM}|g/L`, ['glucose']],
    [`Observation?value-quantity=540|${UCUM}|mg/dL`, ['glucose']],
    [`Observation?value-quantity=gt541|${UCUM}|mg/dL`, ['glucose-mg', 'high']],
    [
      `Observation?value-quantity=ge5.4|${UCUM}|g/L&value-quantity=lt9|${UCUM}|g/L`,
      ['glucose', 'glucose-mg'],
    ],
    ['Observation?value-quantity=5.4||g/L', ['glucose']],
    ['Observation?value-quantity=9', ['high']],
    ['Observation?value-quantity=9||mg', []],
    [`Observation?value-quantity=9|${UCUM}|{score}`, []],
    // One element must meet all parts of a composite.
    ['Observation?component-code-value-quantity=8480-6$120', ['pressure']],
    ['Observation?component-code-value-quantity=8480-6$80', []],
    [`Observation?component-code-value-quantity=${LOINC}|8462-4$lt90||mm[Hg]`, ['pressure']],
    ['Observation?combo-code-value-quantity=8462-4$80', ['pressure']],
    [`Observation?combo-code-value-quantity=2345-7$gt8|${UCUM}|g/L`, ['high']],
    [`Observation?code-value-quantity=2345-7$542`, ['glucose-mg']],
    [`Observation?code-value-quantity=85354-9$120`, []],
    ['Observation?code-value-quantity=2345-7$542,2345-7$9', ['glucose-mg', 'high']],
    // Addresses, references elsewhere and by identifier.
    ['ValueSet?url=http://example.org/fhir/sets/colours', ['values']],
    ['ValueSet?url:below=http://example.org/fhir/', ['values']],
    ['ValueSet?url:below=http://example.org/fh', []],
    ['ValueSet?url:above=http://example.org/fhir/sets/colours/red', ['values']],
    ['Observation?performer=https://other.example/fhir/Practitioner/9', ['elsewhere']],
    ['Observation?performer:identifier=urn:staff|S9', ['elsewhere']],
    ['Observation?performer:identifier=urn:other|S9', []],
    // Parameters of every type.
    ['Patient?_tag=urn:tags|vip', ['bob']],
    ['Patient?_tag:not=vip', ['ana']],
    ['Patient?_source=urn:feed:7', ['bob']],
    ['Patient?_profile:missing=false', []],
    ['Patient?deceased=false', ['ana', 'bob']],
    ['Patient?email=bob@example.org', ['bob']],
    ['Patient?phone=bob@example.org', []],
  ])('%s', async (url, expected) => {
    expect(await found(url.replaceAll('{', '%7B').replaceAll('}', '%7D'))).toEqual(expected);
  });

  it('_id finds several, of one type', async () => {
    expect(await found(`Patient?_id=${ids.bob},${ids.ana},${ids.risk}`)).toEqual(['ana', 'bob']);
  });
});

describe('IOP-03: modifiers', () => {
  it.each([
    ['Patient?family:contains=trakopoulou-schwarzen', ['ana']],
    ['Patient?family:contains=POULOU', ['ana', 'bob']],
    ['Patient?family:contains=pouloz', []],
    // Longer than what the index holds of a beginning.
    ['Patient?family=papadimitrakopoulou-schwarze', ['ana']],
    ['Patient?family=papadimitrakopoulou-schwarz', ['ana', 'bob']],
    ['Patient?family=papadimitrakopoulou-schwarzx', []],
    ['Patient?family:exact=Papadimitrakopoulou-Schwarzkopf', ['bob']],
    // Further on in a text than the index has pieces of.
    ['Observation?value-string:contains=needle', ['text']],
    ['Observation?value-string:contains=needless', []],
    ['Observation?code:text=blood pres', ['pressure']],
    ['Observation?method:text=strip', ['text']],
    ['Patient?identifier:of-type=urn:types|MR|7', ['bob']],
    ['Patient?identifier:of-type=urn:types|SS|7', []],
    ['Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender', ['ana', 'bob']],
    ['Patient?gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender', []],
    ['Patient?gender=http://hl7.org/fhir/administrative-gender|male', ['bob']],
    ['Patient?gender=http://example.org/other|male', []],
    ['Patient?gender:not=male', ['ana']],
    ['Observation?component-code:missing=false', ['pressure']],
    // Refused, never ignored.
    ['Patient?gender:in=http://example.org/unknown', ['400 invalid']],
    ['Patient?gender:below=male', ['400 invalid']],
    ['Patient?family:contains=po', ['400 invalid']],
    ['Patient?_text=anything', ['400 not-supported']],
    ['Patient?_content=anything', ['400 not-supported']],
    ['Location?near=42.2|-71.0|10|km', ['400 not-supported']],
    ['Observation?component-code-value-quantity=8480-6', ['400 invalid']],
    ['Observation?value-quantity=many', ['400 invalid']],
    ['Patient?_total=perhaps', ['400 invalid']],
  ])('%s', async (url, expected) => {
    expect(await found(url)).toEqual(expected);
  });
});

describe('IOP-03: references are followed', () => {
  it.each([
    ['Observation?subject:Patient.gender=male', ['high']],
    ['Observation?patient.family:contains=schwarzen&value-quantity=gt0', ['glucose', 'glucose-mg']],
    ['Observation?subject.birthdate=1971&code=85354-9', ['pressure']],
    ['Patient?_has:Observation:patient:code=85354-9', ['ana']],
    ['Patient?_has:RiskAssessment:subject:probability=gt0.2', ['bob']],
    ['Patient?_has:Observation:patient:code=85354-9&gender=male', []],
    ['Observation?patient._has:RiskAssessment:subject:probability=gt0.2', ['high']],
    ['Observation?subject:Patient._id=nobody', []],
    ['Patient?_has:Observation:code:status=final', ['400 invalid']],
    ['Observation?subject:Patient.shoesize=9', ['400 invalid']],
    ['Observation?code.name=9', ['400 invalid']],
    ['Observation?has-member.has-member.has-member.has-member.status=final', ['400 invalid']],
  ])('%s', async (url, expected) => {
    expect(await found(url)).toEqual(expected);
  });

  it('includes bring what matches refer to, and what refers to them, each once, beyond the total', async () => {
    const answer = await world.request(
      'GET',
      'Observation?code=85354-9&_include=Observation:subject&_revinclude:iterate=Observation:patient',
    );
    const modes = answer.json.entry.map(
      (entry: { search: { mode: string }; resource: { resourceType: string } }) => [
        entry.search.mode,
        entry.resource.resourceType,
      ],
    );
    expect(answer.json.total).toBe(1);
    expect(modes.filter(([mode]: string[]) => mode === 'match')).toEqual([['match', 'Observation']]);
    expect(modes).toContainEqual(['include', 'Patient']);
    // Ana's other observations come by way of Ana, who was included herself.
    expect(
      modes.filter(([mode, type]: string[]) => mode === 'include' && type === 'Observation'),
    ).toHaveLength(4);
    const all = await world.request('GET', `RiskAssessment?_include=*`);
    expect(all.json.entry.map((entry: { resource: { id: string } }) => entry.resource.id)).toEqual([
      ids.risk,
      ids.bob,
    ]);
    expect((await world.request('GET', 'Observation?_include=Observation:code')).status).toBe(400);
  });
});

describe('IOP-03: order, totals and searches over types', () => {
  const dated = 'Observation?date:missing=false&code=2345-7&value-quantity:missing=false';
  it.each([
    [`${dated}&_sort=date`, ['glucose-mg', 'high', 'glucose']],
    [`${dated}&_sort=-value-quantity`, ['glucose-mg', 'high', 'glucose']],
    [`${dated}&_sort=subject,-date`, undefined],
    ['Patient?_sort=-family', ['bob', 'ana']],
    ['Patient?_sort=given', ['ana', 'bob']],
    ['Patient?_sort=gender,family', ['ana', 'bob']],
    ['Patient?_sort=email', ['bob', 'ana']],
    ['Patient?_sort=-email', ['bob', 'ana']],
  ])('%s', async (url, expected) => {
    const names = await found(url);
    if (expected) expect(names).toEqual(expected);
    else expect([...names].sort()).toEqual(['glucose', 'glucose-mg', 'high']);
  });

  it('a search over types finds each, in one order, page by page; without types it is refused', async () => {
    const route = new SearchRoute({ store: world.store, keystore: world.keystore });
    const page = async (parameters: SearchParameters, caller = systemCaller()) =>
      JSON.parse(fhirText(await route.search({ type: '', parameters, caller, isStrict: false })));
    const types = ['_type', 'Patient,RiskAssessment,ValueSet'] as const;
    const seen: string[] = [];
    let parameters: SearchParameters = [types, ['_count', '2']];
    for (;;) {
      const bundle = await page(parameters);
      expect(bundle.total).toBe(4);
      seen.push(...bundle.entry.map((entry: { resource: { id: string } }) => entry.resource.id));
      const next = bundle.link[1]?.url;
      if (!next) break;
      parameters = [...new URL(next).searchParams];
    }
    expect(seen).toEqual([ids.ana, ids.bob, ids.risk, ids.values]);
    await expect(page([['_lastUpdated', 'gt2020']])).rejects.toMatchObject({ status: 400 });
    await expect(page([types, ['family', 'x']])).rejects.toMatchObject({ status: 400 });
    const few = await page([types], systemCaller({ type: 'ValueSet' }));
    expect(few.total).toBe(1);
  });
});
