import { consentRecordCodec } from '@careledger/capabilities';
import { getConsent } from '@careledger/client';
import { type ChainId, type ConsentId, fromHex, organizationId, toHex } from '@careledger/primitives';
import { withNode } from '../commands/node-connection.ts';
import { CLINIC, HOSPITAL } from '../consortium/members.ts';
import { type GatewaySession, type JsonObject, openMemberSession, problemOf } from './gateway-session.ts';
import { grantConsent } from './patient-app.ts';
import { resourcesOf, textOf } from './records.ts';
import type { Step, StepLog } from './step.ts';
import { until, type World } from './world.ts';

const DAY = 86_400_000;
const LOCATED_WITHIN_MILLISECONDS = 10_000;
const OBSERVATIONS_LEAST = 3;
const CANDIDATES = 20;

/** Step 2: without consent nothing is told; with it, the clinic finds the patient's records. */
export const askAndConsent: Step<World> = {
  title: 'The clinic asks and is told nothing; the patient consents; the clinic finds the records',
  needs: [1],
  play: async (world, log) => {
    const hospital = world.session({ organization: HOSPITAL, scope: 'user/*.cruds', user: 'front-desk' });
    const clinic = clinicSession(world);
    const patient = await choosePatient(hospital);
    world.story.hospitalPatient = textOf(patient.id);
    world.story.clinicPatient = await enrolAtClinic(clinic, patient);
    await askWithoutConsent(world, patient, log);
    const { clinicPatient } = world.story;
    const nothing = await locate(clinic, clinicPatient);
    log.check('the clinic finds no records of its patient anywhere', nothing.length === 0);
    const introduction = await introduce(clinic, clinicPatient);
    log.check('the clinic’s desk hands the patient a sealed introduction', introduction.length > 0);
    await consent(world, introduction, log);
    const found = await until(
      async () => (await locate(clinic, clinicPatient)).includes(HOSPITAL),
      LOCATED_WITHIN_MILLISECONDS,
    );
    log.check('now the clinic finds that the hospital holds records', found);
    const alike = await until(() => sameEverywhere(world), LOCATED_WITHIN_MILLISECONDS);
    log.check('all four nodes prove the same consent, active', alike);
  },
};

/** Asks each member's node for the consent, believing none: every answer is proven up to the genesis hash. */
async function sameEverywhere(world: World): Promise<boolean> {
  const consentId = fromHex(world.story.ledgerConsentId ?? '') as ConsentId;
  const answers = await Promise.all(
    world.consortium.organizations.map(({ name }) =>
      withNode({ data: world.folder, organization: name }, async ({ client }) =>
        getConsent(client, { consentId }),
      ),
    ),
  );
  const proven = answers.map((consent) => consent && toHex(consentRecordCodec.encode(consent)));
  return proven[0] !== undefined && new Set(proven).size === 1 && answers[0]?.revokedAt === undefined;
}

export function clinicSession(world: World): GatewaySession {
  return world.session({ organization: CLINIC, scope: 'user/*.cruds', user: 'clinician-1' });
}

export function patientSession(world: World): GatewaySession {
  const patient = world.story.hospitalPatient ?? '';
  return world.session({ organization: HOSPITAL, scope: 'patient/*.cruds', patient });
}

/** Somebody with a chart: at least a few observations. */
async function choosePatient(hospital: GatewaySession): Promise<JsonObject> {
  const patients = await hospital.send(`Patient?_count=${CANDIDATES}`);
  for (const patient of resourcesOf(patients.json)) {
    const observations = await hospital.send('Observation/_search', {
      method: 'POST',
      body: new URLSearchParams({ patient: `Patient/${textOf(patient.id)}`, _count: '10' }).toString(),
      contentType: 'application/x-www-form-urlencoded',
    });
    const isNamed = Array.isArray(patient.name) && typeof patient.birthDate === 'string';
    if (isNamed && resourcesOf(observations.json).length >= OBSERVATIONS_LEAST) return patient;
  }
  throw new Error('the hospital has no patient with a chart');
}

/** The clinic looks its patient up, or takes down who it is, as any front desk does. */
async function enrolAtClinic(clinic: GatewaySession, patient: JsonObject): Promise<string> {
  const { name, birthDate, gender } = patient;
  const [first] = (name ?? []) as readonly JsonObject[];
  const known = await clinic.send('Patient/_search', {
    method: 'POST',
    body: new URLSearchParams({
      'family:exact': textOf(first?.family),
      birthdate: textOf(birthDate),
    }).toString(),
    contentType: 'application/x-www-form-urlencoded',
  });
  const [before] = resourcesOf(known.json);
  if (before) return textOf(before.id);
  const body = JSON.stringify({ resourceType: 'Patient', name, birthDate, gender });
  const answer = await clinic.send('Patient', { method: 'POST', body });
  if (answer.status !== 201) throw new Error(`the clinic refused its patient with ${answer.status}`);
  return textOf(answer.json.id);
}

/** The hospital answers alike for somebody it knows and for somebody it never saw. */
async function askWithoutConsent(world: World, patient: JsonObject, log: StepLog): Promise<void> {
  const { folder, consortium } = world;
  const asClinic = openMemberSession({ folder, consortium, from: CLINIC, to: HOSPITAL, purpose: 'TREAT' });
  const ask = async (name: JsonObject[string], birthDate: JsonObject[string]) => {
    const resource = { resourceType: 'Patient', name, birthDate };
    const body = JSON.stringify({ resourceType: 'Parameters', parameter: [{ name: 'resource', resource }] });
    return asClinic.send('Patient/$match', { method: 'POST', body });
  };
  const known = await ask(patient.name, patient.birthDate);
  const stranger = await ask([{ family: 'Nobody', given: ['Never', 'Seen'] }], '1901-01-01');
  log.check(
    'asked for a patient it knows, the hospital tells nothing',
    known.status === 200 && resourcesOf(known.json).length === 0 && known.json.meta === undefined,
  );
  const alike = known.status === stranger.status && known.text === stranger.text;
  log.check('and answers byte for byte as for somebody it never saw', alike);
  const read = await asClinic.send(`Patient/${textOf(patient.id)}`);
  log.check(
    'even the patient’s id at the hospital opens nothing',
    read.status === 404 || read.status === 403,
  );
}

async function locate(clinic: GatewaySession, patient: string): Promise<readonly string[]> {
  const body = '{"resourceType":"Parameters"}';
  const answer = await clinic.send(`Patient/${patient}/$locate`, { method: 'POST', body });
  if (answer.status !== 200) throw new Error(`$locate was refused with ${problemOf(answer)}`);
  const parameters = (answer.json.parameter ?? []) as readonly JsonObject[];
  return parameters.flatMap(({ part }) =>
    ((part ?? []) as readonly JsonObject[])
      .filter(({ name }) => name === 'organization')
      .map(({ valueString }) => textOf(valueString)),
  );
}

async function introduce(clinic: GatewaySession, patient: string): Promise<Uint8Array> {
  const parameter = [
    { name: 'custodian', valueString: HOSPITAL },
    { name: 'purpose', valueCode: 'TREAT' },
  ];
  const body = JSON.stringify({ resourceType: 'Parameters', parameter });
  const answer = await clinic.send(`Patient/${patient}/$introduce`, { method: 'POST', body });
  const parts = (answer.json.parameter ?? []) as readonly JsonObject[];
  const sealed = parts.find(({ name }) => name === 'introduction')?.valueBase64Binary;
  return Uint8Array.from(Buffer.from(textOf(sealed), 'base64'));
}

async function consent(world: World, introduction: Uint8Array, log: StepLog): Promise<void> {
  const now = Date.now();
  const granted = grantConsent({
    chain: fromHex(world.consortium.chain) as ChainId,
    custodian: organizationId(HOSPITAL),
    recipient: organizationId(CLINIC),
    patientId: world.story.hospitalPatient ?? '',
    introduction,
    notBefore: now - 60_000,
    notAfter: now + 30 * DAY,
  });
  const started = performance.now();
  const answer = await patientSession(world).send('Consent', { method: 'POST', body: granted.body });
  log.check('the patient grants at the hospital’s portal; the grant is final', answer.status === 201);
  log.figure('grant final after (ms)', Math.round(performance.now() - started));
  world.story.consentId = textOf(answer.json.id);
  world.story.ledgerConsentId = granted.consentId;
  const again = await patientSession(world).send('Consent', { method: 'POST', body: granted.body });
  log.check('the same introduction does not work twice', again.status >= 400 && again.status < 500);
}
