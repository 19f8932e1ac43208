import { decodeReceipt, verifyReceipt } from '@careledger/ledger';
import { utf8, verifySignature } from '@careledger/primitives';
import type { Provenance } from '@medplum/fhirtypes';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LOCAL_OPERATOR, requestToken } from '../authorization/index.ts';
import { observationText, PATIENT, TestWorld } from '../fhir/testing.ts';
import { startTestGateway, type TestGateway } from '../server/testing.ts';
import { validateResource } from '../validation/index.ts';
import { SALT_EXTENSION } from './provenance-of.ts';
import { provenanceRoutes } from './provenance-routes.ts';

let world: TestWorld;
let gateway: TestGateway;
let id: string;

beforeAll(async () => {
  world = await TestWorld.open();
  const { store, outbox, vault } = world;
  gateway = await startTestGateway((app) =>
    provenanceRoutes(app, { store, outbox, organization: vault.organization }),
  );
  const patient = await world.create(PATIENT);
  id = (await world.request('POST', 'Observation', { body: observationText(patient) })).json.id;
  await world.outbox.start();
  await world.outbox.settled();
});
afterAll(async () => {
  await gateway.close();
  await world.remove();
});

async function ask(path: string, scope = 'system/*.rs', extensions: object = {}) {
  const { accessToken } = await requestToken({
    ...{ clientId: LOCAL_OPERATOR, scope, extensions },
    privateKey: gateway.keys.operator,
    tokenEndpoint: gateway.authorization.tokenEndpoint,
    agent: gateway.plainAgent,
  });
  return gateway.call({ path: `/fhir/R4/${path}`, token: accessToken, agent: gateway.plainAgent });
}

function verified(provenance: Provenance, text: string) {
  const [signature] = provenance.signature ?? [];
  const salt = signature?.extension?.find(({ url }) => url === SALT_EXTENSION)?.valueBase64Binary ?? '';
  const receipt = decodeReceipt(new Uint8Array(Buffer.from(signature?.data ?? '', 'base64')));
  if (!receipt.ok) throw new Error(receipt.error.detail);
  const opening = { salt: new Uint8Array(Buffer.from(salt, 'base64')), record: utf8(text) };
  const { chain: expectedChain } = world.ledger;
  return verifyReceipt({ receipt: receipt.value, expectedChain, verifySignature, opening });
}

it('IOP-17: an anchored version has a valid Provenance whose signature verifies offline', async () => {
  const { text } = await ask(`Observation/${id}/$provenance`);
  const provenance = JSON.parse(text) as Provenance;
  expect(validateResource(provenance).filter(({ severity }) => severity === 'error')).toEqual([]);
  expect(provenance.target).toEqual([{ reference: `Observation/${id}/_history/1` }]);
  expect(provenance.agent.map(({ type }) => type?.coding?.[0]?.code)).toEqual(['enterer', 'custodian']);
  const { body } = await world.request('GET', `Observation/${id}`);
  expect(verified(provenance, body)).toMatchObject({ ok: true, value: { opened: true } });
  expect(verified(provenance, body.replace('1.10', '1.11'))).not.toMatchObject({ ok: true });
  expect((await ask(`Observation/${id}/_history/1/$provenance`)).text).toBe(text);
});

it('IOP-17: who may not read a version does not learn that it has an origin', async () => {
  const other = await ask(`Observation/${id}/$provenance`, 'patient/*.rs', { patient: '1' });
  const absent = await ask('Observation/0/$provenance', 'patient/*.rs', { patient: '1' });
  expect([other.status, other.text]).toEqual([absent.status, absent.text]);
  expect(other.status).toBe(404);
  expect((await ask(`Observation/${id}/_history/2/$provenance`)).status).toBe(404);
});
