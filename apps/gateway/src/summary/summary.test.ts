import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_OPERATOR, requestToken } from '../authorization/index.ts';
import { filesBelow, observationText, PATIENT, TestWorld } from '../fhir/testing.ts';
import { startTestGateway, type TestGateway } from '../server/testing.ts';
import { validateResource } from '../validation/index.ts';
import { SUMMARY_BYTES_MAX, summarize } from './summarize.ts';
import { LEFT_OUT_EXTENSION, summaryDocument } from './summary-document.ts';
import { summaryRoutes } from './summary-routes.ts';

let world: TestWorld;
let gateway: TestGateway;
let patient: string;
const ids: Record<string, string> = {};

const coded = (system: string, code: string) => ({ coding: [{ system, code }] });
const clinical = (code: string) =>
  coded('http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code);

beforeAll(async () => {
  world = await TestWorld.open();
  const { vault, store, service } = world;
  gateway = await startTestGateway((app) =>
    summaryRoutes(app, { vault, store, service, organization: vault.organization, now: Date.now }),
  );
  patient = await world.create(PATIENT);
  const subject = { reference: `Patient/${patient}` };
  const allergy = { resourceType: 'AllergyIntolerance', patient: subject, code: { text: 'Penicillin' } };
  ids.allergy = await world.create({ ...allergy, clinicalStatus: clinical('active') });
  ids.outgrown = await world.create({ ...allergy, clinicalStatus: clinical('resolved') });
  const { json } = await world.request('POST', 'Observation', { body: observationText(patient) });
  ids.observation = json.id;
});
afterAll(async () => {
  await gateway.close();
  await world.remove();
});

async function ask(method: 'GET' | 'POST', scope = 'system/*.cruds', extensions: object = {}) {
  const { accessToken } = await requestToken({
    ...{ clientId: LOCAL_OPERATOR, scope, extensions },
    privateKey: gateway.keys.operator,
    tokenEndpoint: gateway.authorization.tokenEndpoint,
    agent: gateway.plainAgent,
  });
  const path = `/fhir/R4/Patient/${patient}/$summary`;
  return gateway.call({ method, path, token: accessToken, agent: gateway.plainAgent });
}

interface Document {
  readonly id: string;
  readonly entry: readonly { readonly resource: { readonly resourceType: string; readonly id?: string } }[];
}
const idsOf = ({ entry }: Document) => entry.map(({ resource }) => resource.id);

describe('OFF-18: the minimal summary', () => {
  it('is a valid document of demographics, what is so now, and results, as they were committed', async () => {
    const { text, status } = await ask('GET');
    expect(status).toBe(200);
    const document = JSON.parse(text) as Document;
    expect(validateResource(document).filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(document.entry[0]?.resource.resourceType).toBe('Composition');
    expect(idsOf(document).slice(1)).toEqual([patient, ids.allergy, ids.observation]);
    expect(text).toContain('"value":1.10');
  });

  it('stays within its bytes: allergies before results, what has no room is counted', async () => {
    const key = { type: 'Patient', id: patient };
    const stored = await world.vault.current(key);
    const allergy = await world.vault.current({ type: 'AllergyIntolerance', id: ids.allergy ?? '' });
    const observation = await world.vault.current({ type: 'Observation', id: ids.observation ?? '' });
    if (!stored || !allergy || !observation) throw new Error('not stored');
    const room = Buffer.byteLength(stored.text) + Buffer.byteLength(allergy.text);
    const sections = summarize(stored, [observation, allergy, stored], room);
    const chosen = sections.flatMap(({ versions }) => versions.map(({ id }) => id));
    expect(chosen).toEqual([ids.allergy]);
    const document = summaryDocument({
      ...{ patient: stored, sections, organization: 'general-hospital', now: 0 },
      baseUrl: 'https://localhost:7400/fhir/R4',
    });
    expect(JSON.stringify(document)).toContain(`{"url":"${LEFT_OUT_EXTENSION}","valueUnsignedInt":1}`);
    const many = Array.from({ length: 1_000 }, () => observation);
    const bytes = summarize(stored, many).flatMap(({ versions }) => versions);
    expect(bytes.length * Buffer.byteLength(observation.text)).toBeLessThanOrEqual(SUMMARY_BYTES_MAX);
  });

  it('is stored encrypted and found by the patient’s own search', async () => {
    const { status, text } = await ask('POST');
    expect(status).toBe(201);
    const { id } = JSON.parse(text) as Document;
    const found = await world.request('GET', `Bundle?_id=${id}&type=document`);
    expect(found.json.total).toBe(1);
    for (const { path, bytes } of await filesBelow(world.home)) {
      expect(bytes.includes('Zvonimirovich'), path).toBe(false);
    }
  });

  it('holds nothing that the caller may not read, and tells a stranger nothing', async () => {
    const narrow = JSON.parse((await ask('GET', 'system/Patient.rs')).text) as Document;
    expect(idsOf(narrow).slice(1)).toEqual([patient]);
    expect((await ask('GET', 'patient/*.rs', { patient: '1' })).status).toBe(404);
    expect((await ask('POST', 'system/*.rs')).status).toBe(403);
  });
});
