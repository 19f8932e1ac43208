import { randomBytes } from 'node:crypto';
import { signAcknowledgement } from '@careledger/custody';
import { toBase64Url, toHex } from '@careledger/primitives';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeAcknowledgement } from './custodian/take-acknowledgement.ts';
import type { ExchangeContext, MemberAnswer } from './exchange-context.ts';
import { RecordFetcher } from './recipient/fetch-records.ts';
import {
  askAsClinic,
  create,
  grant,
  handleFor,
  observationOf,
  parametersOf,
  person,
  recordsBody,
} from './testing/exchange-story.ts';
import { type Answer, HOSPITAL, openTwoMembers, type TwoMembers } from './testing/two-members.ts';

const FORM = 'application/x-www-form-urlencoded';
let world: TwoMembers;
let hospitalPatient: string;
let clinicPatient: string;
let handle: Uint8Array;

function conditionOf(patientId: string, text: string): object {
  return { resourceType: 'Condition', code: { text }, subject: { reference: `Patient/${patientId}` } };
}

function search(type: string, terms: Readonly<Record<string, string>>, scope?: string): Promise<Answer> {
  const body = new URLSearchParams({
    handle: toBase64Url(handle),
    requestId: toHex(randomBytes(16)),
    ...terms,
  }).toString();
  return askAsClinic(world, {
    path: `${type}/_search`,
    body,
    contentType: FORM,
    ...(scope === undefined ? {} : { scope }),
  });
}

const NEXT = 'https://careledger.example/fhir/next-page';

interface Extension {
  readonly url: string;
  readonly valueString?: string;
}

function nextOf(answer: Answer): string | undefined {
  const extensions: readonly Extension[] = answer.json.meta.extension;
  return extensions.find(({ url }) => url === NEXT)?.valueString;
}

/** The question for a type that is withheld. */
function aboutConditions(body: string): string {
  const { parameter } = JSON.parse(body);
  const type = { name: 'type', valueCode: 'Condition' };
  return JSON.stringify({ resourceType: 'Parameters', parameter: [...parameter, type] });
}

/** The same answer with a link to one more page. */
function withNext(answer: MemberAnswer): MemberAnswer {
  const bundle = JSON.parse(answer.body);
  bundle.meta.extension.push({ url: NEXT, valueString: 'ggAA' });
  return { ...answer, body: JSON.stringify(bundle) };
}

beforeAll(async () => {
  world = await openTwoMembers();
  const { hospital, clinic } = world;
  hospitalPatient = await create(hospital, person('Lindqvist', '1975-06-07'));
  clinicPatient = await create(clinic, person('Lindqvist', '1975-06-07'));
  // Withheld and permitted records by turns: the consent opens observations alone.
  for (let number = 0; number < 3; number += 1) {
    await create(hospital, conditionOf(hospitalPatient, `finding ${number}`));
    await create(hospital, observationOf(hospitalPatient, number));
  }
  for (let number = 3; number < 5; number += 1) {
    await create(hospital, conditionOf(hospitalPatient, `finding ${number}`));
  }
  await hospital.gateway.context.outbox.settled();
  await grant(world, hospital, clinic, {
    atCustodian: hospitalPatient,
    atRecipient: clinicPatient,
    types: ['Observation'],
  });
  await clinic.exchange.locate(clinicPatient);
  handle = await handleFor(world, clinicPatient);
});
afterAll(async () => {
  await world.close();
});

test('neither page nor link tells of records that are withheld', async () => {
  const some = await search('Condition', { _count: '1' });
  const none = await search('Condition', { _count: '1', 'recorded-date': '1900' });
  expect(some.status).toBe(200);
  expect(some.text).not.toContain('finding');
  expect(Object.keys(some.json).sort()).toEqual(Object.keys(none.json).sort());
  expect(some.json.meta.extension).toHaveLength(none.json.meta.extension.length);
  expect(nextOf(some)).toBeUndefined();
});

test('what may leave comes page by page, each of them full, and all of it', async () => {
  const numbers: number[] = [];
  let after: string | undefined;
  for (let page = 0; page < 3; page += 1) {
    const found = await search('Observation', {
      _count: '1',
      ...(after === undefined ? {} : { after }),
    });
    expect(found.json.entry).toHaveLength(1);
    numbers.push(Number(found.json.entry[0].resource.valueQuantity.value));
    after = nextOf(found);
    expect(after === undefined).toBe(page === 2);
  }
  expect(numbers.sort()).toEqual([0, 1, 2]);
  const all = await askAsClinic(world, { path: '$records', body: recordsBody(handle) });
  expect(all.json.entry).toHaveLength(3);
  expect(nextOf(all)).toBeUndefined();
  const { journal } = world.hospital.exchange.context;
  const [last] = journal.entriesOf(hospitalPatient).slice(-1);
  const { entry } = await journal.read(last?.sequence ?? 0);
  expect(entry).toMatchObject({ event: 'disclosure', withheld: 6 });
});

test('a token reads the types that its scopes name, and no others', async () => {
  const narrow = { scope: 'system/Patient.rs' };
  const listed = await askAsClinic(world, { path: '$records', body: recordsBody(handle), ...narrow });
  expect(listed.status).toBe(403);
  expect((await search('Observation', {}, narrow.scope)).status).toBe(403);
  const wide = 'system/Observation.rs system/Patient.rs';
  expect((await search('Observation', {}, wide)).status).toBe(200);
  const body = JSON.stringify(
    parametersOf({ handle: toBase64Url(handle), requestId: toHex(randomBytes(16)), type: 'Observation' }),
  );
  expect((await askAsClinic(world, { path: '$records', body, scope: wide })).status).toBe(200);
});

test('a user whom no journal entry could name is refused before anything is asked', async () => {
  const body = recordsBody(handle);
  await expect(askAsClinic(world, { path: '$records', body, user: 'u'.repeat(97) })).rejects.toThrow();
  const named = await askAsClinic(world, { path: '$records', body, user: 'u'.repeat(96) });
  expect(named.status).toBe(200);
});

test('nobody but the recipient of a disclosure acknowledges it', async () => {
  const { hospital, clinic, ledger } = world;
  const { context } = hospital.exchange;
  const [disclosure] = context.journal
    .entriesOf(hospitalPatient)
    .filter(({ event }) => event === 'disclosure');
  if (!disclosure) throw new Error('nothing was disclosed');
  const signedBy = (member: typeof hospital) =>
    signAcknowledgement(
      {
        kind: 'careledger/acknowledgement/1',
        ...{ chain: ledger.chain, custodian: HOSPITAL, recipient: member.organization, chunk: 0 },
        ...{ requestId: new Uint8Array(16), entry: disclosure.commitment, ownEntry: new Uint8Array(32) },
        ...{ receivedAt: Date.now(), accepted: 0, rejected: 0 },
      },
      member.ledgerSigner,
    );
  const take = (member: typeof hospital): Promise<void> =>
    takeAcknowledgement(context, signedBy(member), { organization: member.organization, purpose: 'TREAT' });
  await expect(take(hospital)).rejects.toThrow(/names no disclosure to this recipient/);
  await take(clinic);
});

test('a custodian whose pages never end is left after its first empty one', async () => {
  const { context } = world.clinic.exchange;
  let asked = 0;
  const members: ExchangeContext['members'] = {
    baseOf: (organization) => context.members.baseOf(organization),
    post: async (organization, request) => {
      // The honest answer to a question about a type that is withheld, with a link that leads to itself.
      const body = request.operation === '$records' ? aboutConditions(request.body) : request.body;
      const answer = await context.members.post(organization, { ...request, body });
      if (request.operation !== '$records') return answer;
      asked += 1;
      if (asked > 5) throw new Error('asked again and again');
      return withNext(answer);
    },
  };
  const fetcher = new RecordFetcher({ ...context, members });
  const [outcome] = await fetcher.fetch({
    patientId: clinicPatient,
    purpose: 'TREAT',
    requestingUser: 'practitioner-7',
  });
  expect(asked).toBe(1);
  expect(outcome).toMatchObject({ custodian: HOSPITAL, received: 0 });
});

test('a page that withholds is filled up from the next one, and nothing is left out between them', async () => {
  const { hospital } = world;
  const resources = Array.from({ length: 120 }, (_, number) =>
    number % 2 === 0
      ? conditionOf(hospitalPatient, `later ${number}`)
      : observationOf(hospitalPatient, 100 + number),
  );
  const entry = resources.map((resource) => ({
    resource,
    request: { method: 'POST', url: (resource as { resourceType: string }).resourceType },
  }));
  const body = { resourceType: 'Bundle', type: 'transaction', entry };
  expect((await hospital.ask({ path: '', body, scope: 'system/*.cruds' })).status).toBe(200);
  await hospital.gateway.context.outbox.settled();
  const ask = (after?: string): Promise<Answer> => {
    const requestId = toHex(randomBytes(16));
    const parameters = { handle: toBase64Url(handle), requestId, ...(after === undefined ? {} : { after }) };
    return askAsClinic(world, { path: '$records', body: JSON.stringify(parametersOf(parameters)) });
  };
  const first = await ask();
  const second = await ask(nextOf(first));
  expect([first.json.entry.length, second.json.entry.length]).toEqual([50, 13]);
  expect(nextOf(second)).toBeUndefined();
  const seen = [...first.json.entry, ...second.json.entry].map(({ resource }) => resource.id);
  expect(new Set(seen).size).toBe(63);
});
