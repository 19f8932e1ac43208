import { randomBytes } from 'node:crypto';
import { connect } from 'node:tls';
import { keyInForce, listEntries, readConsent } from '@careledger/capabilities';
import { openLocation } from '@careledger/custody';
import { decodeTransaction } from '@careledger/ledger';
import { toHex } from '@careledger/primitives';
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
import {
  askAsClinic,
  create,
  grant,
  handleFor,
  observationOf,
  person,
  recordsBody,
} from './testing/exchange-story.ts';
import { CLINIC, HOSPITAL, openTwoMembers, type TwoMembers } from './testing/two-members.ts';

let world: TwoMembers;

beforeAll(async () => {
  world = await openTwoMembers();
});
afterAll(async () => {
  await world.close();
});

describe('pairs, persons and the ledger', () => {
  test('CRY-08: one patient at two organizations leaves nothing on the ledger that links them', async () => {
    const { hospital, clinic, ledger } = world;
    const atHospital = await create(hospital, person('Tavernier', '1969-09-09'));
    const atClinic = await create(clinic, person('Tavernier', '1969-09-09'));
    const first = await grant(world, hospital, clinic, { atCustodian: atHospital, atRecipient: atClinic });
    const second = await grant(world, clinic, hospital, { atCustodian: atClinic, atRecipient: atHospital });
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
    const handle = await handleFor(world, atClinic);
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
    await grant(world, hospital, clinic, { atCustodian: atHospital, atRecipient: somebodyElse });
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
    await grant(world, hospital, clinic, { atCustodian: atHospital, atRecipient: atClinic });
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
    const { consentId } = await grant(world, hospital, clinic, {
      atCustodian: atHospital,
      atRecipient: atClinic,
    });
    await hospital.gateway.context.keystore.erase([subjectKey(atHospital)]);
    expect(readConsent(ledger, consentId)).toBeDefined();
    expect(await hospital.exchange.context.custodian.consent(consentId)).toBeUndefined();
    await clinic.exchange.locate(atClinic);
    const refused = await askAsClinic(world, {
      path: '$records',
      body: recordsBody(await handleFor(world, atClinic)),
    });
    expect(refused.status).toBe(404);
  });
});

describe('what the exchange writes on the ledger', () => {
  test('LED-08: every event of an exchange is a transaction: what happened, who signed, when', async () => {
    const { hospital, clinic, ledger } = world;
    await hospital.exchange.context.anchoring.flush();
    await clinic.exchange.context.anchoring.flush();
    const written = new Set<string>();
    for (let height = 2; height <= ledger.head().header.height; height += 1) {
      const block = ledger.block(height);
      for (const bytes of block?.transactions ?? []) {
        const decoded = decodeTransaction(bytes);
        if (!decoded.ok) throw new Error(decoded.error);
        const who = keyInForce(ledger, decoded.value.signer)?.organization;
        expect(block?.header.time).toBeGreaterThan(0);
        written.add(`${who} ${decoded.value.payload.type}`);
      }
    }
    expect([...written]).toEqual(
      expect.arrayContaining([
        `${HOSPITAL} records/anchor`,
        `${HOSPITAL} consent/grant`,
        `${HOSPITAL} locator/publish`,
        `${HOSPITAL} disclosures/anchor`,
        `${CLINIC} disclosures/anchor`,
        `${CLINIC} disclosures/acknowledge`,
      ]),
    );
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
