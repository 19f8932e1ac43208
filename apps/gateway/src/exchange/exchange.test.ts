import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeReport, verifyDisclosureReport } from '@careledger/custody';
import { toHex, verifySignature } from '@careledger/primitives';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeGrant } from './testing/patient-app.ts';
import { CLINIC, HOSPITAL, openTwoMembers, type TwoMembers } from './testing/two-members.ts';

const CANARY = 'Zvonimirovich';
const PERSON = {
  resourceType: 'Patient',
  name: [{ family: CANARY, given: ['Quentina'] }],
  gender: 'female',
  birthDate: '1971-03-29',
};
const STAFF = { scope: 'user/*.cruds', user: 'practitioner-7' };
const OFFICER = { scope: 'user/*.rs', user: 'privacy-officer-1' };

let world: TwoMembers;
let hospitalPatient: string;
let clinicPatient: string;

function observation(patientId: string, value: string): string {
  return `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2345-7"}]},"subject":{"reference":"Patient/${patientId}"},"effectiveDateTime":"2026-03-01T10:00:00Z","valueQuantity":{"value":${value},"unit":"mmol/L"}}`;
}

async function create(member: 'hospital' | 'clinic', resource: object | string): Promise<string> {
  const type = (typeof resource === 'string' ? JSON.parse(resource) : resource).resourceType;
  const answer = await world[member].ask({ path: type, body: resource, scope: 'system/*.cruds' });
  if (answer.status !== 201) throw new Error(`not created: ${answer.status} ${answer.text}`);
  return answer.json.id;
}

// biome-ignore lint/suspicious/noExplicitAny: a Parameters resource of a test.
function partsOf(parameters: any, name: string): Record<string, unknown> {
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  const found = parameters.parameter.find((parameter: any) => parameter.name === name);
  const parts: Record<string, unknown> = {};
  for (const part of found?.part ?? []) {
    parts[part.name] = Object.entries(part).find(([key]) => key.startsWith('value'))?.[1];
  }
  return parts;
}

function parametersOf(values: Readonly<Record<string, string>>): object {
  const parameter = Object.entries(values).map(([name, valueString]) => ({ name, valueString }));
  return { resourceType: 'Parameters', parameter };
}

async function introduce(): Promise<string> {
  const answer = await world.clinic.ask({
    ...STAFF,
    path: `Patient/${clinicPatient}/$introduce`,
    body: parametersOf({ custodian: HOSPITAL, purpose: 'TREAT' }),
  });
  expect(answer.status).toBe(200);
  return answer.json.parameter[0].valueBase64Binary;
}

async function fetchAll() {
  return world.clinic.ask({
    ...STAFF,
    path: `Patient/${clinicPatient}/$fetch`,
    body: parametersOf({ purpose: 'TREAT' }),
  });
}

beforeAll(async () => {
  world = await openTwoMembers();
  hospitalPatient = await create('hospital', PERSON);
  clinicPatient = await create('clinic', PERSON);
  for (const value of ['1.10', '2.5', '3']) await create('hospital', observation(hospitalPatient, value));
  await world.hospital.gateway.context.outbox.settled();
});

afterAll(async () => {
  await world.close();
});

describe('from one hospital to another', () => {
  let introduction: string;
  let consentResource: string;
  let report: Uint8Array;

  test('before any consent nothing is told: not even that the patient is known', async () => {
    const notLocated = await fetchAll();
    expect(notLocated.status).toBe(404);
    const located = await world.clinic.ask({
      ...STAFF,
      path: `Patient/${clinicPatient}/$locate`,
      body: parametersOf({}),
    });
    expect(located.json.parameter).toEqual([]);
  });

  test('PRIV-20: the patient carries an introduction and grants by FHIR, never on the ledger', async () => {
    introduction = await introduce();
    const now = Date.now();
    const { consent, consentId } = makeGrant({
      chain: world.ledger.chain,
      custodian: HOSPITAL,
      recipient: CLINIC,
      patientId: hospitalPatient,
      introduction,
      notBefore: now - 60_000,
      notAfter: now + 86_400_000,
    });
    const posted = { path: 'Consent', body: consent, scope: 'patient/*.cruds' };
    const foreign = await world.hospital.ask({ ...posted, patient: 'somebody-else' });
    expect(foreign.status).toBe(422);
    const granted = await world.hospital.ask({ ...posted, patient: hospitalPatient });
    expect(granted.text).toContain('"status":"active"');
    expect(granted.status).toBe(201);
    expect(granted.text).not.toContain('careledger.example/fhir/grant');
    consentResource = granted.json.id;
    const again = await world.hospital.ask({ ...posted, patient: hospitalPatient });
    expect(again.status).toBe(422);
    expect(toHex(consentId)).toHaveLength(32);
  });

  test('IOP-15: the recipient finds the custodian by a locator entry that names nobody', async () => {
    const started = performance.now();
    const located = await world.clinic.ask({
      ...STAFF,
      path: `Patient/${clinicPatient}/$locate`,
      body: parametersOf({}),
    });
    expect(partsOf(located.json, 'custodian')).toMatchObject({ organization: HOSPITAL, purpose: 'TREAT' });
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test('IOP-08: the records come straight from the custodian, verified one by one, and are filed', async () => {
    const fetched = await fetchAll();
    const parts = partsOf(fetched.json, 'custodian');
    expect(parts).toMatchObject({ received: 4, verified: 4, created: 3, unchanged: 0 });
    const reference = String((parts.filed as { reference: string }).reference);
    const [type = '', id = ''] = reference.split('/');
    const copy = await world.clinic.ask({ path: reference, scope: 'system/*.rs' });
    expect(copy.json.subject.reference).toBe(`Patient/${clinicPatient}`);
    const details = await world.clinic.exchange.context.recipient.copyBehind(type, id);
    const verbatim = Buffer.from(details?.verbatim ?? []).toString('utf8');
    expect(verbatim).toContain(`Patient/${hospitalPatient}`);
    const provenance = await world.clinic.ask({
      path: `Provenance?target=${reference}`,
      scope: 'system/*.rs',
    });
    expect(provenance.json.entry[0].resource.entity[0].what.reference).toMatch(
      /\/Observation\/.+\/_history\/1$/,
    );
  });

  test('a number keeps the text that it was written with, from one vault to the other', async () => {
    const found = await world.clinic.ask({
      path: `Observation?subject=Patient/${clinicPatient}`,
      scope: 'system/*.rs',
    });
    expect(found.text).toContain('"value":1.10');
  });

  test('fetching again changes nothing', async () => {
    const again = await fetchAll();
    const parts = partsOf(again.json, 'custodian');
    expect(parts).toMatchObject({ received: 4, verified: 4, created: 0, updated: 0, unchanged: 3 });
  });

  test('OFF-09: once the revocation is acknowledged the next fetch is refused', async () => {
    const revoked = await world.hospital.ask({
      path: `Consent/${consentResource}/$revoke`,
      body: parametersOf({}),
      scope: 'patient/*.cruds',
      patient: hospitalPatient,
    });
    expect(revoked.status).toBe(200);
    expect(revoked.json.issue[0].details.coding[0].code).toBe('revocation/acknowledged');
    const refused = await fetchAll();
    expect(partsOf(refused.json, 'custodian')).toMatchObject({ received: 0, refusal: 'exchange/nothing' });
    const consent = await world.hospital.ask({ path: `Consent/${consentResource}`, scope: 'system/*.rs' });
    expect(consent.json.status).toBe('inactive');
  });

  test('PRIV-05, PRIV-26: the access history lists who saw what, when, why, and who was refused', async () => {
    const history = await world.hospital.ask({
      path: `Patient/${hospitalPatient}/$access-history`,
      scope: 'patient/*.rs',
      patient: hospitalPatient,
    });
    // biome-ignore lint/suspicious/noExplicitAny: AuditEvents of a test.
    const events = history.json.entry.map((entry: any) => entry.resource.subtype[0].code);
    expect(events.filter((event: string) => event === 'disclosure')).toHaveLength(2);
    expect(events).toEqual(
      expect.arrayContaining(['grant', 'disclosure', 'acknowledgement', 'revocation', 'refusal']),
    );
    expect(history.text).toContain('practitioner-7');
    expect(history.json.entry.at(-1).resource).toMatchObject({ outcome: '4' });
    const foreign = await world.hospital.ask({
      path: `Patient/${hospitalPatient}/$access-history`,
      scope: 'patient/*.rs',
      patient: 'somebody-else',
    });
    expect(foreign.status).toBe(404);
  });

  test('the accounting says what it leaves out and by which rule', async () => {
    const accounting = await world.hospital.ask({
      ...OFFICER,
      path: `Patient/${hospitalPatient}/$accounting-of-disclosures`,
    });
    expect(accounting.json.entry).toEqual([]);
    const text = JSON.stringify(accounting.json.meta);
    expect(text).toContain('accounting.treatment-payment-operations');
    expect(text).toContain('careledger.not-a-disclosure');
  });

  test('PRIV-26: the exported history is verified offline, and a changed byte is found and named', async () => {
    const exported = await world.hospital.ask({
      ...OFFICER,
      path: `Patient/${hospitalPatient}/$access-history?_format=application/cbor`,
    });
    report = exported.bytes;
    const decoded = decodeReport(report);
    if (!decoded.ok) throw new Error(decoded.error.detail);
    const expectedChain = world.ledger.chain;
    const verified = verifyDisclosureReport({ report: decoded.value, expectedChain, verifySignature });
    expect(verified).toMatchObject({ ok: true, value: { organization: HOSPITAL, subject: hospitalPatient } });
    const [first] = decoded.value.entries;
    if (!first) throw new Error('no entry');
    const entry = first.entry.slice();
    entry[40] = (entry[40] ?? 0) ^ 1;
    const altered = { ...decoded.value, entries: [{ ...first, entry }, ...decoded.value.entries.slice(1)] };
    expect(verifyDisclosureReport({ report: altered, expectedChain, verifySignature })).toMatchObject({
      ok: false,
      error: { code: 'report/entry-proof', index: 0 },
    });
    const shortened = { ...decoded.value, anchors: decoded.value.anchors.slice(1) };
    expect(verifyDisclosureReport({ report: shortened, expectedChain, verifySignature })).toMatchObject({
      ok: false,
      error: { code: 'report/anchor-count' },
    });
    const dropped = { ...decoded.value, entries: decoded.value.entries.slice(1) };
    expect(verifyDisclosureReport({ report: dropped, expectedChain, verifySignature })).toMatchObject({
      ok: false,
      error: { code: 'report/signature' },
    });
  });

  test('a restart keeps the journal, and the report says the same', async () => {
    await world.hospital.restart();
    const again = await world.hospital.ask({
      ...OFFICER,
      path: `Patient/${hospitalPatient}/$access-history?_format=application/cbor`,
    });
    const before = decodeReport(report);
    const after = decodeReport(again.bytes);
    if (!before.ok || !after.ok) throw new Error('unreadable');
    expect(after.value.entries.map(({ entry }) => toHex(entry))).toEqual(
      before.value.entries.map(({ entry }) => toHex(entry)),
    );
  });

  test('nothing of the patient stands in a block, a log or the journal file', async () => {
    for (let height = 1; height <= world.ledger.head().header.height; height += 1) {
      for (const transaction of world.ledger.block(height)?.transactions ?? []) {
        const text = Buffer.from(transaction).toString('latin1');
        for (const word of [CANARY, hospitalPatient, clinicPatient, 'practitioner-7']) {
          expect(text.includes(word)).toBe(false);
        }
      }
    }
    const journal = join(world.hospital.home, 'gateway', 'journal');
    for (const file of await readdir(journal)) {
      const text = (await readFile(join(journal, file))).toString('latin1');
      for (const word of [CANARY, hospitalPatient, 'practitioner-7']) expect(text.includes(word)).toBe(false);
    }
    expect(world.logged.join('\n')).not.toContain(CANARY);
  });
});
