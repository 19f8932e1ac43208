import { randomBytes } from 'node:crypto';
import { connect } from 'node:tls';
import { listEntries, readConsent } from '@careledger/capabilities';
import { openLocation } from '@careledger/custody';
import { type ConsentId, toBase64Url, toHex } from '@careledger/primitives';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  fhirBaseOf,
  generatePrivateJwk,
  mutualTlsAgent,
  requestToken,
  tokenEndpointOf,
} from '../authorization/index.ts';
import { subjectKey } from '../keystore/index.ts';
import { makeGrant } from './testing/patient-app.ts';
import {
  type Answer,
  answerOf,
  CLINIC,
  HOSPITAL,
  type Member,
  openTwoMembers,
  type TwoMembers,
} from './testing/two-members.ts';

const STAFF = { scope: 'user/*.cruds', user: 'practitioner-7' };
let world: TwoMembers;

function person(family: string, birthDate: string): object {
  return { resourceType: 'Patient', name: [{ family, given: ['Ada'] }], gender: 'female', birthDate };
}

async function create(member: Member, resource: object): Promise<string> {
  const { resourceType } = resource as { resourceType: string };
  const answer = await member.ask({ path: resourceType, body: resource, scope: 'system/*.cruds' });
  if (answer.status !== 201) throw new Error(`not created: ${answer.status} ${answer.text}`);
  return answer.json.id;
}

function observationOf(patientId: string, value: number): object {
  return {
    resourceType: 'Observation',
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '2345-7' }] },
    subject: { reference: `Patient/${patientId}` },
    effectiveDateTime: '2026-03-01',
    valueQuantity: { value, unit: 'mmol/L' },
  };
}

function parametersOf(values: Readonly<Record<string, string>>): object {
  const parameter = Object.entries(values).map(([name, valueString]) => ({ name, valueString }));
  return { resourceType: 'Parameters', parameter };
}

interface Granted {
  readonly consentId: ConsentId;
  readonly resource: string;
}

/** A patient of both members lets the second one see what the first one holds. */
async function grant(
  custodian: Member,
  recipient: Member,
  ids: { readonly atCustodian: string; readonly atRecipient: string },
): Promise<Granted> {
  const introduced = await recipient.ask({
    ...STAFF,
    path: `Patient/${ids.atRecipient}/$introduce`,
    body: parametersOf({ custodian: custodian.organization, purpose: 'TREAT' }),
  });
  const now = Date.now();
  const { consent, consentId } = makeGrant({
    chain: world.ledger.chain,
    custodian: custodian.organization,
    recipient: recipient.organization,
    patientId: ids.atCustodian,
    introduction: introduced.json.parameter[0].valueBase64Binary,
    notBefore: now - 60_000,
    notAfter: now + 86_400_000,
  });
  const posted = { path: 'Consent', body: consent, scope: 'patient/*.cruds', patient: ids.atCustodian };
  const granted = await custodian.ask(posted);
  if (granted.status !== 201) throw new Error(granted.text);
  return { consentId, resource: granted.json.id };
}

/** Asks the hospital as the clinic's gateway does, with anything in the body. */
async function askAsClinic(options: {
  readonly path: string;
  readonly body: string;
  readonly contentType?: string;
  readonly purpose?: string;
}): Promise<Answer> {
  const { hospital, clinic } = world;
  const { accessToken } = await requestToken({
    clientId: CLINIC,
    privateKey: clinic.clientKey,
    tokenEndpoint: tokenEndpointOf(hospital.origin),
    scope: 'system/*.rs',
    agent: clinic.agent,
    extensions: {
      b2b: { version: '1', organization_id: CLINIC, purpose_of_use: [options.purpose ?? 'TREAT'] },
    },
  });
  const response = await request(`${fhirBaseOf(hospital.origin)}/${options.path}`, {
    method: 'POST',
    dispatcher: clinic.agent,
    headers: {
      authorization: `Bearer ${accessToken}`,
      'content-type': options.contentType ?? 'application/fhir+json',
    },
    body: options.body,
  });
  return answerOf(response.statusCode, new Uint8Array(await response.body.arrayBuffer()));
}

function recordsBody(handle: Uint8Array): string {
  const requestId = toHex(randomBytes(16));
  return JSON.stringify(parametersOf({ handle: toBase64Url(handle), requestId }));
}

function journalLength(): number {
  return world.hospital.exchange.context.journal.length;
}

async function handleFor(patientId: string): Promise<Uint8Array> {
  const [located] = await world.clinic.exchange.context.recipient.locationsOf(patientId);
  if (!located) throw new Error('not located');
  return located.handle;
}

beforeAll(async () => {
  world = await openTwoMembers();
});
afterAll(async () => {
  await world.close();
});

describe('refusals tell nothing', () => {
  let hospitalPatient: string;
  let clinicPatient: string;
  let granted: Granted;
  let handle: Uint8Array;
  let unknownAnswer: Answer;

  beforeAll(async () => {
    const { hospital, clinic } = world;
    hospitalPatient = await create(hospital, person('Perregaux', '1980-01-02'));
    clinicPatient = await create(clinic, person('Perregaux', '1980-01-02'));
    await create(hospital, observationOf(hospitalPatient, 1));
    await hospital.gateway.context.outbox.settled();
    granted = await grant(hospital, clinic, { atCustodian: hospitalPatient, atRecipient: clinicPatient });
    await clinic.exchange.locate(clinicPatient);
    handle = await handleFor(clinicPatient);
  });

  test('PRIV-26: an unknown handle is refused, and the refusal stands in the journal', async () => {
    const before = journalLength();
    unknownAnswer = await askAsClinic({ path: '$records', body: recordsBody(randomBytes(32)) });
    expect(unknownAnswer.status).toBe(404);
    expect(journalLength()).toBe(before + 1);
    const { entry } = await world.hospital.exchange.context.journal.read(before);
    expect(entry).toMatchObject({ event: 'refusal', subjects: [], counterpart: CLINIC });
  });

  test('a purpose that the consent does not cover gets the same bytes', async () => {
    const refused = await askAsClinic({ path: '$records', body: recordsBody(handle), purpose: 'HOPERAT' });
    expect(refused.text).toBe(unknownAnswer.text);
    const [entry] = world.hospital.exchange.context.journal.entriesOf(hospitalPatient).slice(-1);
    expect(entry?.event).toBe('refusal');
  });

  test('a stale ledger gets the same bytes; once it moves again the records come', async () => {
    world.ledger.pause(true);
    world.clock.offset += 6_000;
    const refused = await askAsClinic({ path: '$records', body: recordsBody(handle) });
    world.clock.offset -= 6_000;
    world.ledger.pause(false);
    world.ledger.heartbeat();
    expect(refused.text).toBe(unknownAnswer.text);
    const permitted = await askAsClinic({ path: '$records', body: recordsBody(handle) });
    expect(permitted.status).toBe(200);
  });

  test('OFF-14: another member searches by type and date with the handle in the body', async () => {
    const form = (date: string): string =>
      new URLSearchParams({
        handle: toBase64Url(handle),
        requestId: toHex(randomBytes(16)),
        date,
      }).toString();
    const contentType = 'application/x-www-form-urlencoded';
    const found = await askAsClinic({ path: 'Observation/_search', body: form('2026-03'), contentType });
    expect(found.json.entry).toHaveLength(1);
    expect(found.json.entry[0].resource.subject.reference).toBe(`Patient/${hospitalPatient}`);
    const none = await askAsClinic({ path: 'Observation/_search', body: form('2025'), contentType });
    expect(none.status).toBe(200);
    expect(none.json.entry).toBeUndefined();
  });

  test('$match answers alike for nobody and for not permitted, and both are journalled', async () => {
    const match = (resource: object): Promise<Answer> => {
      const parameter = [{ name: 'resource', resource }];
      return askAsClinic({
        path: 'Patient/$match',
        body: JSON.stringify({ resourceType: 'Parameters', parameter }),
      });
    };
    const before = journalLength();
    const known = await match(person('Perregaux', '1980-01-02'));
    const nobody = await match(person('Niemand', '1990-05-05'));
    expect(known.status).toBe(200);
    expect(known.text).toBe(nobody.text);
    expect(journalLength()).toBe(before + 2);
  });

  test('every other question of another member is answered by a refusal', async () => {
    const refused = await askAsClinic({ path: 'Observation', body: JSON.stringify(observationOf('x', 1)) });
    expect(refused.status).toBe(403);
    const operations = [`Patient/${hospitalPatient}/$fetch`, `Patient/${hospitalPatient}/$introduce`];
    for (const path of operations) {
      expect((await askAsClinic({ path, body: JSON.stringify(parametersOf({})) })).status).toBe(403);
    }
  });

  test('PRIV-26: without a quorum a revocation is applied at once and reads pending until it is final', async () => {
    const { hospital, ledger } = world;
    const revoke = {
      method: 'PUT' as const,
      path: `Consent/${granted.resource}`,
      body: { resourceType: 'Consent', id: granted.resource, status: 'inactive' },
      scope: 'patient/*.cruds',
      patient: hospitalPatient,
    };
    ledger.pause(true);
    const pending = await hospital.ask(revoke);
    expect(pending.status).toBe(202);
    expect(pending.text).toContain('revocation/pending');
    expect((await askAsClinic({ path: '$records', body: recordsBody(handle) })).text).toBe(
      unknownAnswer.text,
    );
    ledger.pause(false);
    ledger.heartbeat();
    expect((await askAsClinic({ path: '$records', body: recordsBody(handle) })).text).toBe(
      unknownAnswer.text,
    );
    const acknowledged = await hospital.ask(revoke);
    expect(acknowledged.text).toContain('revocation/acknowledged');
    expect(readConsent(ledger, granted.consentId)?.revokedAt).toBeGreaterThan(0);
  });
});

describe('pairs, persons and the ledger', () => {
  test('CRY-08: one patient at two organizations leaves nothing on the ledger that links them', async () => {
    const { hospital, clinic, ledger } = world;
    const atHospital = await create(hospital, person('Tavernier', '1969-09-09'));
    const atClinic = await create(clinic, person('Tavernier', '1969-09-09'));
    const first = await grant(hospital, clinic, { atCustodian: atHospital, atRecipient: atClinic });
    const second = await grant(clinic, hospital, { atCustodian: atClinic, atRecipient: atHospital });
    const [one, other] = [readConsent(ledger, first.consentId), readConsent(ledger, second.consentId)];
    if (!one || !other) throw new Error('not granted');
    const values = [
      first.consentId,
      one.commitment,
      one.patientKey,
      second.consentId,
      other.commitment,
      other.patientKey,
    ];
    expect(new Set(values.map(toHex)).size).toBe(values.length);
    await clinic.exchange.locate(atClinic);
    const handle = await handleFor(atClinic);
    const entries = listEntries(ledger, 100);
    for (const { ciphertext } of entries) expect(ciphertext.length).toBe(entries[0]?.ciphertext.length);
    for (let height = 1; height <= ledger.head().header.height; height += 1) {
      for (const transaction of ledger.block(height)?.transactions ?? []) {
        for (const secret of [Buffer.from(handle), Buffer.from(atHospital), Buffer.from(atClinic)]) {
          expect(Buffer.from(transaction).includes(secret)).toBe(false);
        }
      }
    }
  });

  test('CRY-03: what is sealed to one member no other member opens', async () => {
    const { hospital, clinic, ledger } = world;
    const boxes = [hospital, clinic].map(({ exchange }) => exchange.context.box);
    for (const { ciphertext } of listEntries(ledger, 100)) {
      expect(boxes.filter((box) => openLocation(ciphertext, box) !== undefined)).toHaveLength(1);
    }
  });

  test('a code used in the wrong account mixes no charts', async () => {
    const { hospital, clinic } = world;
    const atHospital = await create(hospital, person('Okonkwo', '1955-05-05'));
    await create(hospital, observationOf(atHospital, 9));
    await hospital.gateway.context.outbox.settled();
    const somebodyElse = await create(clinic, person('Lindqvist', '1999-12-31'));
    await grant(hospital, clinic, { atCustodian: atHospital, atRecipient: somebodyElse });
    const [outcome] = await clinic.exchange.fetch({
      patientId: somebodyElse,
      purpose: 'TREAT',
      requestingUser: 'practitioner-7',
    });
    expect(outcome).toMatchObject({ refusal: 'exchange/other-person', filed: { created: [] } });
    const chart = await clinic.ask({
      path: `Observation?subject=Patient/${somebodyElse}`,
      scope: 'system/*.rs',
    });
    expect(chart.json.total).toBe(0);
  });

  test('a correction is fetched as the successor that stands, a retraction is gone', async () => {
    const { hospital, clinic } = world;
    const atHospital = await create(hospital, person('Marchetti', '1971-07-07'));
    const atClinic = await create(clinic, person('Marchetti', '1971-07-07'));
    const corrected = await create(hospital, observationOf(atHospital, 1));
    const retracted = await create(hospital, observationOf(atHospital, 2));
    await hospital.gateway.context.outbox.settled();
    await grant(hospital, clinic, { atCustodian: atHospital, atRecipient: atClinic });
    const fetch = () =>
      clinic.exchange.fetch({ patientId: atClinic, purpose: 'TREAT', requestingUser: 'practitioner-7' });
    expect((await fetch())[0]?.filed.created).toHaveLength(2);
    const system = 'system/*.cruds';
    const body = { ...observationOf(atHospital, 3), id: corrected };
    expect(
      (await hospital.ask({ method: 'PUT', path: `Observation/${corrected}`, body, scope: system })).status,
    ).toBe(200);
    const { store } = hospital.gateway.context;
    await store.transaction(async (transaction) => {
      const before = await transaction.current({ type: 'Observation', id: retracted });
      if (before) await transaction.delete(before, 'test');
    });
    await hospital.gateway.context.outbox.settled();
    const [again] = await fetch();
    expect(again).toMatchObject({ received: 2, verified: 2, filed: { created: [] } });
    expect(again?.filed.updated).toHaveLength(1);
  });

  test('OFF-07: destroying a patient’s key leaves ids on the ledger that belong to nobody', async () => {
    const { hospital, clinic, ledger } = world;
    const atHospital = await create(hospital, person('Halloran', '1944-04-04'));
    const atClinic = await create(clinic, person('Halloran', '1944-04-04'));
    const { consentId } = await grant(hospital, clinic, { atCustodian: atHospital, atRecipient: atClinic });
    await hospital.gateway.context.keystore.erase([subjectKey(atHospital)]);
    expect(readConsent(ledger, consentId)).toBeDefined();
    expect(await hospital.exchange.context.custodian.consent(consentId)).toBeUndefined();
    await clinic.exchange.locate(atClinic);
    const refused = await askAsClinic({ path: '$records', body: recordsBody(await handleFor(atClinic)) });
    expect(refused.status).toBe(404);
  });
});

describe('between two members’ gateways', () => {
  test('CRY-12: nothing below TLS 1.3 is spoken', async () => {
    const { port } = new URL(world.hospital.origin);
    const { certificateAuthority: ca } = world.clinic.tls;
    const failed = await new Promise((resolve) => {
      const socket = connect({ host: 'localhost', port: Number(port), ca, maxVersion: 'TLSv1.2' });
      socket.once('error', () => resolve(true));
      socket.once('secureConnect', () => resolve(false));
    });
    expect(failed).toBe(true);
  });

  test('a member’s token is worth nothing without its certificate, nor another key for its name', async () => {
    const { hospital, clinic } = world;
    const plain = mutualTlsAgent({ certificateAuthority: clinic.tls.certificateAuthority });
    const asked = {
      clientId: CLINIC,
      tokenEndpoint: tokenEndpointOf(hospital.origin),
      scope: 'system/*.rs',
      extensions: { b2b: { version: '1' as const, organization_id: CLINIC, purpose_of_use: ['TREAT'] } },
    };
    const { accessToken } = await requestToken({
      ...asked,
      privateKey: clinic.clientKey,
      agent: clinic.agent,
    });
    const response = await request(`${fhirBaseOf(hospital.origin)}/$records`, {
      method: 'POST',
      dispatcher: plain,
      headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/fhir+json' },
      body: recordsBody(randomBytes(32)),
    });
    await response.body.dump();
    expect(response.statusCode).toBe(401);
    await plain.destroy();
    const privateKey = await generatePrivateJwk('ES384');
    await expect(requestToken({ ...asked, privateKey, agent: clinic.agent })).rejects.toMatchObject({
      code: 'token/refused',
    });
    expect(HOSPITAL).not.toBe(CLINIC);
  });
});
