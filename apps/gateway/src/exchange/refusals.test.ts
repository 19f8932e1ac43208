import { randomBytes } from 'node:crypto';
import { readConsent } from '@careledger/capabilities';
import { toBase64Url, toHex } from '@careledger/primitives';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ExchangeError } from './errors.ts';
import {
  askAsClinic,
  create,
  type Granted,
  grant,
  handleFor,
  observationOf,
  parametersOf,
  person,
  recordsBody,
} from './testing/exchange-story.ts';
import { type Answer, CLINIC, openTwoMembers, type TwoMembers } from './testing/two-members.ts';

let world: TwoMembers;

function journalLength(): number {
  return world.hospital.exchange.context.journal.length;
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
    granted = await grant(world, hospital, clinic, {
      atCustodian: hospitalPatient,
      atRecipient: clinicPatient,
    });
    await clinic.exchange.locate(clinicPatient);
    handle = await handleFor(world, clinicPatient);
  });

  test('PRIV-26: an unknown handle is refused, and the refusal stands in the journal', async () => {
    const before = journalLength();
    unknownAnswer = await askAsClinic(world, { path: '$records', body: recordsBody(randomBytes(32)) });
    expect(unknownAnswer.status).toBe(404);
    expect(journalLength()).toBe(before + 1);
    const { entry } = await world.hospital.exchange.context.journal.read(before);
    expect(entry).toMatchObject({ event: 'refusal', subjects: [], counterpart: CLINIC });
  });

  test('a purpose that the consent does not cover gets the same bytes', async () => {
    const refused = await askAsClinic(world, {
      path: '$records',
      body: recordsBody(handle),
      purpose: 'HOPERAT',
    });
    expect(refused.text).toBe(unknownAnswer.text);
    const [entry] = world.hospital.exchange.context.journal.entriesOf(hospitalPatient).slice(-1);
    expect(entry?.event).toBe('refusal');
  });

  test('a stale ledger gets the same bytes; once it moves again the records come', async () => {
    world.ledger.pause(true);
    world.clock.offset += 6_000;
    const refused = await askAsClinic(world, { path: '$records', body: recordsBody(handle) });
    world.clock.offset -= 6_000;
    world.ledger.pause(false);
    world.ledger.heartbeat();
    expect(refused.text).toBe(unknownAnswer.text);
    const permitted = await askAsClinic(world, { path: '$records', body: recordsBody(handle) });
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
    const found = await askAsClinic(world, {
      path: 'Observation/_search',
      body: form('2026-03'),
      contentType,
    });
    expect(found.json.entry).toHaveLength(1);
    expect(found.json.entry[0].resource.subject.reference).toBe(`Patient/${hospitalPatient}`);
    const none = await askAsClinic(world, { path: 'Observation/_search', body: form('2025'), contentType });
    expect(none.status).toBe(200);
    expect(none.json.entry).toBeUndefined();
  });

  test('$match answers alike for nobody and for not permitted, and both are journalled', async () => {
    const match = (resource: object): Promise<Answer> => {
      const parameter = [{ name: 'resource', resource }];
      return askAsClinic(world, {
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
    const refused = await askAsClinic(world, {
      path: 'Observation',
      body: JSON.stringify(observationOf('x', 1)),
    });
    expect(refused.status).toBe(403);
    const operations = [`Patient/${hospitalPatient}/$fetch`, `Patient/${hospitalPatient}/$introduce`];
    for (const path of operations) {
      expect((await askAsClinic(world, { path, body: JSON.stringify(parametersOf({})) })).status).toBe(403);
    }
  });

  test('NET-07: who fetches must be allowed to read what is fetched: all types, or those that are named', async () => {
    const fetch = async (scope: string, type?: string): Promise<number> => {
      const { status } = await world.clinic.ask({
        ...{ scope, user: 'practitioner-7', path: `Patient/${clinicPatient}/$fetch` },
        body: parametersOf({ purpose: 'TREAT', ...(type === undefined ? {} : { type }) }),
      });
      return status;
    };
    const before = journalLength();
    const narrow = 'user/Patient.cruds user/Observation.rs';
    expect(await fetch(narrow)).toBe(403);
    expect(await fetch(narrow, 'Condition')).toBe(403);
    expect(await fetch(narrow, 'NoSuchType')).toBe(403);
    // What the clinic refused by itself never came to the hospital.
    expect(journalLength()).toBe(before);
    expect(await fetch(narrow, 'Observation')).toBe(200);
    expect(journalLength()).toBeGreaterThan(before);
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
    expect((await askAsClinic(world, { path: '$records', body: recordsBody(handle) })).text).toBe(
      unknownAnswer.text,
    );
    ledger.pause(false);
    ledger.heartbeat();
    expect((await askAsClinic(world, { path: '$records', body: recordsBody(handle) })).text).toBe(
      unknownAnswer.text,
    );
    const acknowledged = await hospital.ask(revoke);
    expect(acknowledged.text).toContain('revocation/acknowledged');
    expect(readConsent(ledger, granted.consentId)?.revokedAt).toBeGreaterThan(0);
  });

  test('OFF-09: a revocation whose location still stands reads pending, and is finished when that is withdrawn', async () => {
    const { hospital, clinic, ledger } = world;
    const ids = { atCustodian: hospitalPatient, atRecipient: clinicPatient };
    const { resource, consentId } = await grant(world, hospital, clinic, ids);
    const { writer, custodian } = hospital.exchange.context;
    const submit = writer.submit;
    const without = vi.spyOn(writer, 'submit').mockImplementation(async (type, body) => {
      if (type !== 'locator/withdraw') return submit(type, body);
      throw new ExchangeError('exchange/ledger-unavailable', 'The ledger does not take this now.');
    });
    const revoke = () =>
      hospital.ask({
        ...{ method: 'PUT', path: `Consent/${resource}`, scope: 'patient/*.cruds', patient: hospitalPatient },
        body: { resourceType: 'Consent', id: resource, status: 'inactive' },
      });
    const pending = await revoke();
    expect([pending.status, pending.text.includes('revocation/pending')]).toEqual([202, true]);
    expect(readConsent(ledger, consentId)?.revokedAt).toBeGreaterThan(0);
    expect((await custodian.consent(consentId))?.state).toBe('granted');
    without.mockRestore();
    expect((await revoke()).text).toContain('revocation/acknowledged');
    expect((await custodian.consent(consentId))?.state).toBe('revoked');
  });
});
