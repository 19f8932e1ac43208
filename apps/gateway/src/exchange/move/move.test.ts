import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { subjectKey } from '../../keystore/index.ts';
import { create, grant, observationOf, parametersOf, person } from '../testing/exchange-story.ts';
import { openTwoMembers, type TwoMembers } from '../testing/two-members.ts';
import { versionsOf } from './move-record.ts';
import { RetractionDesk } from './retraction-notices.ts';
import { WITHDRAWN_TAG } from './take-retraction.ts';

const STAFF = { scope: 'user/*.cruds', user: 'practitioner-7' };

let world: TwoMembers;
beforeAll(async () => {
  world = await openTwoMembers();
});
afterAll(() => world.close());

function moveBody(from: string, to: string, reason = 'Filed under a namesake'): object {
  const parameter = [
    { name: 'from', valueReference: { reference: `Patient/${from}` } },
    { name: 'to', valueReference: { reference: `Patient/${to}` } },
    { name: 'reason', valueString: reason },
  ];
  return { resourceType: 'Parameters', parameter };
}

/** Two namesakes at the hospital; a record of the second stands in the chart of the first, and the clinic has it. */
async function misfiled() {
  const { hospital, clinic } = world;
  const [wrong, right] = [
    await create(hospital, person('Lovelace', '1980-01-01')),
    await create(hospital, person('Lovelace', '1985-05-05')),
  ];
  const observation = await create(hospital, observationOf(wrong, 7));
  const atRecipient = await create(clinic, person('Lovelace', '1980-01-01'));
  await hospital.gateway.context.outbox.settled();
  await grant(world, hospital, clinic, { atCustodian: wrong, atRecipient });
  const body = parametersOf({ purpose: 'TREAT' });
  const fetched = await clinic.ask({ ...STAFF, path: `Patient/${atRecipient}/$fetch`, body });
  expect(fetched.status).toBe(200);
  const copy = await clinic.exchange.context.recipient.copyOf(
    hospital.organization,
    `Observation/${observation}`,
  );
  if (!copy) throw new Error(`no copy: ${fetched.text}`);
  return { wrong, right, observation, copy };
}

describe('a record filed under the wrong patient', () => {
  it('is moved: retracted there, anchored anew here with a Provenance, and whoever had it is told and confirms', async () => {
    const { hospital, clinic } = world;
    const { wrong, right, observation, copy } = await misfiled();
    const path = `Observation/${observation}/$move`;
    const moved = await hospital.ask({ ...STAFF, path, body: moveBody(wrong, right) });
    expect(moved.json.parameter[1]).toEqual({ name: 'notified', valueString: clinic.organization });
    const reference: string = moved.json.parameter[0].valueReference.reference;
    const now = await hospital.ask({ ...STAFF, path: reference });
    expect(now.json).toMatchObject({
      subject: { reference: `Patient/${right}` },
      valueQuantity: { value: 7 },
    });
    expect((await hospital.ask({ ...STAFF, path: `Observation/${observation}` })).status).toBe(410);
    const told = await hospital.ask({ ...STAFF, path: `Provenance?target=${reference}` });
    expect(told.json.entry.some((entry: { resource: object }) => 'reason' in entry.resource)).toBe(true);

    const { vault, outbox, keystore } = hospital.gateway.context;
    await outbox.settled();
    expect(
      await outbox.receiptOf({ type: 'Observation', id: reference.slice(12), version: 1 }),
    ).toBeDefined();
    expect((await hospital.gateway.verifyVault()).faults).toEqual([]);
    await keystore.erase([subjectKey(wrong)]);
    const old = await vault.history({ type: 'Observation', id: observation, countMax: 10 });
    expect(old.map(({ subjects }) => subjects)).toEqual([[right], [right]]);

    // The recipient believes its own node alone, which may be a block behind.
    const open = async () => {
      await hospital.exchange.retractions.deliver();
      return hospital.exchange.context.custodian.openRetractions();
    };
    await expect.poll(open, { timeout: 10_000 }).toEqual([]);
    const held = await clinic.exchange.context.recipient.copyWith(hospital.organization, copy.commitment);
    expect(held?.isWithdrawn).toBe(true);
    const local = await clinic.ask({ ...STAFF, path: `${copy.type}/${copy.id}` });
    expect(local.json.meta.tag).toContainEqual(WITHDRAWN_TAG);
  });

  it('waits for a recipient that is away, and is delivered when it is back', async () => {
    const { hospital, clinic } = world;
    const { wrong, right, observation, copy } = await misfiled();
    const { context } = hospital.exchange;
    await hospital.ask({ ...STAFF, path: `Observation/${observation}/$move`, body: moveBody(wrong, right) });
    const members = { ...context.members, post: () => Promise.reject(new Error('away')) };
    await hospital.gateway.context.outbox.settled();
    await new RetractionDesk({ ...context, members }, hospital.gateway.context.store).deliver();
    expect(await context.custodian.openRetractions()).toHaveLength(1);
    await hospital.restart();
    const { recipient } = clinic.exchange.context;
    const isWithdrawn = async () =>
      (await recipient.copyWith(hospital.organization, copy.commitment))?.isWithdrawn;
    await expect.poll(isWithdrawn, { timeout: 10_000 }).toBe(true);
  });

  it('a notice of a move that broke off is not sent for an ordinary correction', async () => {
    const { hospital, clinic } = world;
    const { wrong, observation, copy } = await misfiled();
    const { context } = hospital.exchange;
    const { vault, store, outbox } = hospital.gateway.context;
    const key = { type: 'Observation', id: observation };
    const { commitments, retireKeys } = await versionsOf(store, key);
    const id = context.random(16);
    const notice = { id, recipient: clinic.organization, patient: wrong, madeAt: 0, commitments, retireKeys };
    await context.custodian.addRetractions([notice]);
    const path = `Observation/${observation}`;
    const { json } = await hospital.ask({ ...STAFF, path });
    const body = { ...json, valueQuantity: { ...json.valueQuantity, value: 8 } };
    const put = await hospital.ask({ ...STAFF, method: 'PUT', path, body });
    expect(put.status).toBe(200);
    await outbox.settled();
    await new RetractionDesk(context, store).deliver();
    expect(await context.custodian.openRetractions()).toEqual([]);
    expect(
      (await clinic.exchange.context.recipient.copyWith(hospital.organization, copy.commitment))?.isWithdrawn,
    ).toBe(false);
    expect((await vault.current(key))?.deleted).toBe(false);
  });

  it('is moved by who may update it alone, out of the chart that it is in, into one that exists', async () => {
    const { hospital } = world;
    const wrong = await create(hospital, person('Byron', '1980-01-01'));
    const right = await create(hospital, person('Byron', '1985-05-05'));
    const observation = await create(hospital, observationOf(wrong, 7));
    const path = `Observation/${observation}/$move`;
    const ask = async (asked: object, body: object, scope = STAFF.scope): Promise<number> =>
      (await hospital.ask({ ...STAFF, path, body, scope, ...asked })).status;
    expect(await ask({}, moveBody(wrong, right), 'user/*.rs')).toBe(403);
    expect(await ask({ patient: wrong }, moveBody(wrong, right), 'patient/*.cruds')).toBe(403);
    expect(await ask({}, moveBody(right, wrong))).toBe(422);
    expect(await ask({}, moveBody(wrong, crypto.randomUUID()))).toBe(422);
    expect(await ask({}, moveBody(wrong, right, ' '))).toBe(400);
    expect(await ask({ path: `Observation/${crypto.randomUUID()}/$move` }, moveBody(wrong, right))).toBe(404);
    expect((await hospital.ask({ ...STAFF, path: `Observation/${observation}` })).status).toBe(200);
    expect(await hospital.exchange.context.custodian.openRetractions()).toEqual([]);
  });
});
