import { randomBytes } from 'node:crypto';
import { type ConsentId, toBase64Url, toHex } from '@careledger/primitives';
import { request } from 'undici';
import { fhirBaseOf, requestToken, tokenEndpointOf } from '../../authorization/index.ts';
import { makeGrant } from './patient-app.ts';
import { type Answer, answerOf, CLINIC, type Member, type TwoMembers } from './two-members.ts';

const STAFF = { scope: 'user/*.cruds', user: 'practitioner-7' };

/** A Patient by name and birth date. */
export function person(family: string, birthDate: string): object {
  return { resourceType: 'Patient', name: [{ family, given: ['Ada'] }], gender: 'female', birthDate };
}

/** Creates a record and returns its id. */
export async function create(member: Member, resource: object): Promise<string> {
  const { resourceType } = resource as { resourceType: string };
  const answer = await member.ask({ path: resourceType, body: resource, scope: 'system/*.cruds' });
  if (answer.status !== 201) throw new Error(`not created: ${answer.status} ${answer.text}`);
  return answer.json.id;
}

export function observationOf(patientId: string, value: number): object {
  return {
    resourceType: 'Observation',
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '2345-7' }] },
    subject: { reference: `Patient/${patientId}` },
    effectiveDateTime: '2026-03-01',
    valueQuantity: { value, unit: 'mmol/L' },
  };
}

/** A Parameters resource of texts. */
export function parametersOf(values: Readonly<Record<string, string>>): object {
  const parameter = Object.entries(values).map(([name, valueString]) => ({ name, valueString }));
  return { resourceType: 'Parameters', parameter };
}

export interface Granted {
  readonly consentId: ConsentId;
  readonly resource: string;
}

/** A patient of both members lets the second one see what the first one holds. */
export async function grant(
  world: TwoMembers,
  custodian: Member,
  recipient: Member,
  ids: { readonly atCustodian: string; readonly atRecipient: string; readonly types?: readonly string[] },
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
    ...(ids.types ? { types: ids.types } : {}),
    notBefore: now - 60_000,
    notAfter: now + 86_400_000,
  });
  const posted = { path: 'Consent', body: consent, scope: 'patient/*.cruds', patient: ids.atCustodian };
  const granted = await custodian.ask(posted);
  if (granted.status !== 201) throw new Error(granted.text);
  return { consentId, resource: granted.json.id };
}

/** Asks the hospital as the clinic's gateway does, with anything in the body. */
export async function askAsClinic(
  world: TwoMembers,
  options: {
    readonly path: string;
    readonly body: string;
    readonly contentType?: string;
    readonly purpose?: string;
    readonly scope?: string;
    /** The user of the clinic on whose behalf its gateway asks. */
    readonly user?: string;
  },
): Promise<Answer> {
  const { hospital, clinic } = world;
  const { accessToken } = await requestToken({
    clientId: CLINIC,
    privateKey: clinic.clientKey,
    tokenEndpoint: tokenEndpointOf(hospital.origin),
    scope: options.scope ?? 'system/*.rs',
    agent: clinic.agent,
    extensions: {
      b2b: {
        version: '1',
        organization_id: CLINIC,
        purpose_of_use: [options.purpose ?? 'TREAT'],
        ...(options.user === undefined ? {} : { subject_id: options.user }),
      },
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

/** The body of `$records`. */
export function recordsBody(handle: Uint8Array): string {
  const requestId = toHex(randomBytes(16));
  return JSON.stringify(parametersOf({ handle: toBase64Url(handle), requestId }));
}

/** The handle that the clinic holds for its patient. */
export async function handleFor(world: TwoMembers, patientId: string): Promise<Uint8Array> {
  const [located] = await world.clinic.exchange.context.recipient.locationsOf(patientId);
  if (!located) throw new Error('not located');
  return located.handle;
}
