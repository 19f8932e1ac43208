import { consentKey } from '@careledger/capabilities';
import {
  openDisclosureLeaf,
  type ReleaseExpectation,
  type ReleasePage,
  signDisclosureLeaf,
  type VerdictName,
  verifyRelease,
} from '@careledger/custody';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExchangeContext, MemberAnswer } from './exchange-context.ts';
import { RecordFetcher } from './recipient/fetch-records.ts';
import { decodeReleaseBundle, type IncomingPage } from './release-bundle.ts';
import { makeGrant } from './testing/patient-app.ts';
import { CLINIC, HOSPITAL, openTwoMembers, type TwoMembers } from './testing/two-members.ts';

const PERSON = {
  resourceType: 'Patient',
  name: [{ family: 'Sørensen', given: ['Ida'] }],
  gender: 'female',
  birthDate: '1990-10-10',
};
let world: TwoMembers;
let hospitalPatient: string;
let clinicPatient: string;
let observation: string;

interface Captured {
  readonly page: IncomingPage;
  readonly expected: ReleaseExpectation;
}
let captured: Captured;

function observationOf(value: number, id?: string): object {
  return {
    resourceType: 'Observation',
    ...(id === undefined ? {} : { id }),
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '2345-7' }] },
    subject: { reference: `Patient/${hospitalPatient}` },
    valueQuantity: { value, unit: 'mmol/L' },
  };
}

/** The clinic's exchange with something done to the hospital's answers. */
function tamperedFetcher(tamper: (answer: MemberAnswer) => MemberAnswer): RecordFetcher {
  const { context } = world.clinic.exchange;
  const members: ExchangeContext['members'] = {
    baseOf: (organization) => context.members.baseOf(organization),
    post: async (organization, asked) => {
      const answer = await context.members.post(organization, asked);
      return asked.operation === '$records' ? tamper(answer) : answer;
    },
  };
  return new RecordFetcher({ ...context, members });
}

const request = () => ({ patientId: clinicPatient, purpose: 'TREAT', requestingUser: 'practitioner-7' });

async function capture(): Promise<Captured> {
  let answer: MemberAnswer | undefined;
  await tamperedFetcher((one) => {
    answer = one;
    return one;
  }).fetch(request());
  const page = answer && decodeReleaseBundle(answer.body);
  const [located] = await world.clinic.exchange.context.recipient.locationsOf(clinicPatient);
  if (!page || !answer || !located) throw new Error('nothing was captured');
  const expected = {
    chain: world.ledger.chain,
    custodian: HOSPITAL,
    recipient: CLINIC,
    requestId: requestIdOf(page),
    purpose: 'TREAT',
    consentId: located.consentId,
    receivedAt: answer.receivedAt,
  };
  return { page, expected };
}

/** The request id out of the signed leaf: the fetcher keeps its own to itself. */
function requestIdOf(page: IncomingPage): Uint8Array {
  const text = Buffer.from(page.leaf);
  const at = text.indexOf('requestId');
  return new Uint8Array(text.subarray(at + 'requestId'.length + 1, at + 'requestId'.length + 17));
}

function verify(page: ReleasePage, changes: Partial<ReleaseExpectation> = {}) {
  const { trusted, verifySignature } = world.clinic.exchange.context;
  return verifyRelease({
    page,
    expected: { ...captured.expected, ...changes },
    tools: { trusted, verifySignature },
  });
}

/** Names of the verdicts that fail on the first record. */
function failing(page: ReleasePage, changes: Partial<ReleaseExpectation> = {}): readonly VerdictName[] {
  const verdicts = verify(page, changes).records[0]?.verdicts ?? [];
  return verdicts.filter(({ holds }) => !holds).map(({ name }) => name);
}

function flipped(bytes: Uint8Array, place = 0): Uint8Array {
  const copy = bytes.slice();
  copy[place] = (copy[place] ?? 0) ^ 1;
  return copy;
}

beforeAll(async () => {
  world = await openTwoMembers();
  const { hospital, clinic } = world;
  const system = 'system/*.cruds';
  hospitalPatient = (await hospital.ask({ path: 'Patient', body: PERSON, scope: system })).json.id;
  clinicPatient = (await clinic.ask({ path: 'Patient', body: PERSON, scope: system })).json.id;
  observation = (await hospital.ask({ path: 'Observation', body: observationOf(1), scope: system })).json.id;
  const body = observationOf(2, observation);
  await hospital.ask({ method: 'PUT', path: `Observation/${observation}`, body, scope: system });
  await hospital.gateway.context.outbox.settled();
  const { sealed } = await clinic.exchange.introduce({ ...request(), custodian: HOSPITAL });
  const now = Date.now();
  const { consent } = makeGrant({
    chain: world.ledger.chain,
    ...{ custodian: HOSPITAL, recipient: CLINIC, patientId: hospitalPatient },
    introduction: Buffer.from(sealed).toString('base64'),
    notBefore: now - 60_000,
    notAfter: now + 86_400_000,
  });
  const posted = { path: 'Consent', body: consent, scope: 'patient/*.cruds', patient: hospitalPatient };
  await hospital.ask(posted);
  await clinic.exchange.locate(clinicPatient);
  captured = await capture();
});
afterAll(async () => {
  await world.close();
});

describe('what a recipient checks of every record', () => {
  test('IOP-08: an honest page holds, verdict by verdict', () => {
    const checked = verify(captured.page);
    expect(checked.accepted).toBe(true);
    expect(checked.records).toHaveLength(2);
    expect(checked.records[0]?.verdicts.map(({ name }) => name)).toEqual([
      'commitment',
      'inclusion-proof',
      'header',
      'quorum',
      'anchor-signer',
      'not-superseded',
      'consent-active',
      'disclosure-leaf',
      'release-time',
    ]);
  });

  test('each fault is named by the verdict that it breaks', () => {
    const { page } = captured;
    const [first, ...rest] = page.records;
    if (!first) throw new Error('no record');
    const withRecord = (record: typeof first): ReleasePage => ({ ...page, records: [record, ...rest] });
    const withEvidence = (changes: Partial<typeof first.evidence>): ReleasePage =>
      withRecord({ ...first, evidence: { ...first.evidence, ...changes } });
    const { leafProof, anchor, retired } = first.evidence;
    const { head } = page.evidence;

    expect(failing(withRecord({ ...first, bytes: flipped(first.bytes, 9) }))).toEqual(['commitment']);
    expect(failing(withEvidence({ salt: flipped(first.evidence.salt) }))).toEqual(['commitment']);
    const path = [flipped(leafProof.path[0] ?? new Uint8Array(32)), ...leafProof.path.slice(1)];
    expect(failing(withEvidence({ leafProof: { ...leafProof, path } }))).toEqual(['inclusion-proof']);
    const header = { ...anchor.header, stateRoot: flipped(anchor.header.stateRoot) };
    expect(failing(withEvidence({ anchor: { ...anchor, header } }))).toContain('inclusion-proof');
    const signatures = anchor.certificate.signatures.map((one) => ({
      ...one,
      signature: flipped(one.signature),
    }));
    const certificate = { ...anchor.certificate, signatures };
    expect(failing(withEvidence({ anchor: { ...anchor, certificate } }))).toEqual(
      expect.arrayContaining(['quorum', 'anchor-signer']),
    );
    const siblings = retired.proof.siblings.map((sibling) => flipped(sibling));
    expect(failing(withEvidence({ retired: { proof: { ...retired.proof, siblings } } }))).toEqual([
      'not-superseded',
    ]);

    const evidence = (changes: Partial<typeof page.evidence>): ReleasePage => ({
      ...page,
      evidence: { ...page.evidence, ...changes },
    });
    expect(failing(evidence({ keys: [] }))).toEqual(['anchor-signer', 'disclosure-leaf']);
    const { consent: _, ...withoutConsent } = page.evidence;
    expect(failing({ ...page, evidence: withoutConsent })).toEqual(['consent-active']);
    const foreign = { ...head.header, chain: flipped(head.header.chain) as typeof head.header.chain };
    expect(failing(evidence({ head: { ...head, header: foreign } }))).toContain('header');
  });

  test('OFF-09: a custodian that claims an emergency nobody named cannot go on after a revocation', () => {
    const { page, expected } = captured;
    const opened = openDisclosureLeaf(page.leaf, world.clinic.exchange.context.verifySignature);
    if (!opened.ok) throw new Error(opened.error);
    const year = 365 * 86_400_000;
    const claimed = { ground: 'emergency', releaseBefore: expected.receivedAt + year };
    const { disclosureSigner } = world.hospital.exchange.context;
    const leaf = signDisclosureLeaf({ ...opened.value.content, ...claimed }, disclosureSigner);
    const receivedAt = expected.receivedAt + year / 2;
    expect(failing({ ...page, leaf }, { receivedAt })).toEqual(['disclosure-leaf']);
  });

  test('an answer to another request, another recipient or another purpose is no answer', () => {
    const { page } = captured;
    expect(failing(page, { requestId: new Uint8Array(16) })).toEqual(['disclosure-leaf']);
    expect(failing(page, { recipient: HOSPITAL })).toEqual(['disclosure-leaf']);
    expect(failing(page, { purpose: 'HPAYMT' })).toEqual(['disclosure-leaf']);
    expect(failing({ ...page, records: page.records.slice(0, 1) })).toEqual(['disclosure-leaf']);
    expect(failing({ ...page, leaf: flipped(page.leaf, page.leaf.length - 1) })).toEqual([
      'consent-active',
      'disclosure-leaf',
      'release-time',
    ]);
  });

  test('what arrives after releaseBefore and the skew is discarded', () => {
    const { page, expected } = captured;
    expect(failing(page, { receivedAt: expected.receivedAt + 6_001 })).toEqual(['release-time']);
    expect(failing(page, { receivedAt: page.evidence.head.certificate.time - 1_001 })).toEqual([
      'release-time',
    ]);
  });

  test('the state of today shows that yesterday’s version was superseded', async () => {
    const earlier = captured.page;
    const body = observationOf(3, observation);
    const { hospital } = world;
    await hospital.ask({ method: 'PUT', path: `Observation/${observation}`, body, scope: 'system/*.cruds' });
    await hospital.gateway.context.outbox.settled();
    const now = await capture();
    const index = earlier.resources.findIndex(({ resourceType }) => resourceType === 'Observation');
    const newIndex = now.page.resources.findIndex(({ resourceType }) => resourceType === 'Observation');
    const [old, current] = [earlier.records[index], now.page.records[newIndex]];
    if (!old || !current?.evidence.previous) throw new Error('no versions');
    // A custodian that hands out the old version can only show that it was retired.
    const retired = current.evidence.previous.retired;
    const page: ReleasePage = {
      ...now.page,
      records: [{ ...old, evidence: { ...old.evidence, retired } }],
    };
    const verdicts = verify(page).records[0]?.verdicts ?? [];
    expect(verdicts.find(({ name }) => name === 'not-superseded')).toMatchObject({
      holds: false,
      detail: 'it was superseded or retracted',
    });
    const unproven: ReleasePage = { ...now.page, records: [old] };
    expect(failing(unproven)).toContain('not-superseded');
    // And a successor that shows nothing of what it replaces is not believed.
    const { previous: _, ...alone } = current.evidence;
    expect(failing({ ...now.page, records: [{ ...current, evidence: alone }] })).toContain('not-superseded');
  });
});

describe('what a recipient does with an answer that does not hold', () => {
  test('without a signed leaf, or late, nothing is taken, filed or acknowledged', async () => {
    const { journal } = world.clinic.exchange.context;
    const before = journal.length;
    const unsigned = tamperedFetcher((answer) => ({
      ...answer,
      body: answer.body.replace('disclosure-leaf', 'something-else'),
    }));
    expect((await unsigned.fetch(request()))[0]).toMatchObject({
      refusal: 'exchange/custodian-not-believed',
      received: 0,
    });
    const late = tamperedFetcher((answer) => ({ ...answer, receivedAt: answer.receivedAt + 7_000 }));
    expect((await late.fetch(request()))[0]).toMatchObject({ refusal: 'exchange/custodian-not-believed' });
    expect(journal.length).toBe(before);
  });

  test('one altered record is left out and named, the others are filed', async () => {
    const altered = tamperedFetcher((answer) => ({
      ...answer,
      body: answer.body.replace('"value":3', '"value":4'),
    }));
    const [outcome] = await altered.fetch(request());
    expect(outcome).toMatchObject({ received: 2, verified: 1 });
    expect([...(outcome?.failures ?? [])]).toEqual([['commitment', 1]]);
  });

  test('OFF-09: under a head after the revocation the consent is proven to be over', async () => {
    const { exchange } = world.hospital;
    const { consentId } = captured.expected;
    if (!consentId) throw new Error('no consent');
    await exchange.context.custodian.markRevoked(consentId, Date.now());
    await exchange.consents.finishAll();
    const { header, certificate } = world.ledger.head();
    const prove = (key: Uint8Array) => {
      const { value, proof } = world.ledger.proveState(key);
      return value === undefined ? { proof } : { value, proof };
    };
    const evidence = {
      head: { header, certificate },
      keys: [],
      consent: { consentId, proven: prove(consentKey(consentId)) },
    };
    const verdicts = verify({ ...captured.page, evidence }).records[0]?.verdicts ?? [];
    expect(verdicts.find(({ name }) => name === 'consent-active')).toMatchObject({
      holds: false,
      detail: 'the consent is not active',
    });
  });
});
