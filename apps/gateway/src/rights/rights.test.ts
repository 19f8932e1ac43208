import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_OPERATOR, requestToken } from '../authorization/index.ts';
import type { EventFields } from '../exchange/index.ts';
import { filesBelow, observationText, PATIENT, TestWorld } from '../fhir/testing.ts';
import type { GatewayContext, GatewayPart } from '../gateway.ts';
import { subjectKey } from '../keystore/index.ts';
import { startTestGateway, type TestAnswer, type TestGateway } from '../server/testing.ts';
import { OPEN_CASES_MAX } from './access-rules.ts';
import { rightsPart } from './rights-part.ts';

const DAY_MS = 86_400_000;
const START = Date.parse('2028-02-20T15:30:00Z');
const REASON = 'The paper charts of 2009 are in another building.';

let world: TestWorld;
let gateway: TestGateway;
let part: GatewayPart;
let clock = START;
const journalled: EventFields[] = [];
let append = async (fields: EventFields): Promise<void> => {
  journalled.push(fields);
};
let amber: string;
let basil: string;

async function openPart(): Promise<GatewayPart> {
  const { vault, store, keystore, home } = world;
  const context = { vault, store, keystore, folder: home, now: () => clock } as unknown as GatewayContext;
  return rightsPart(context, (fields) => append(fields));
}

beforeAll(async () => {
  world = await TestWorld.open();
  amber = await world.create(PATIENT);
  basil = await world.create({ ...PATIENT, identifier: [{ system: 'urn:mrn', value: '2' }] });
  for (const id of [amber, amber, basil]) {
    await world.request('POST', 'Observation', { body: observationText(id) });
  }
  part = await openPart();
  gateway = await startTestGateway((app) => part.registerRoutes?.(app));
});
afterAll(async () => {
  await gateway.close();
  await part.stop?.();
  await world.remove();
});
afterEach(() => {
  clock = START;
  journalled.length = 0;
});

type Who = 'amber' | 'basil' | 'staff' | 'reader' | 'officer' | 'system';
const tokens = new Map<Who, Promise<string>>();

async function tokenOf(who: Who): Promise<string> {
  const scopes: Record<Who, [string, object]> = {
    amber: ['patient/*.rs', { patient: amber }],
    basil: ['patient/*.rs', { patient: basil }],
    staff: ['user/Patient.cruds user/Observation.rs', { user: 'records-office-1' }],
    reader: ['user/Patient.rs', { user: 'nurse-3' }],
    officer: ['user/AuditEvent.rs', { user: 'privacy-officer-1' }],
    system: ['system/*.cruds', {}],
  };
  const [scope, extensions] = scopes[who];
  const { accessToken } = await requestToken({
    clientId: LOCAL_OPERATOR,
    privateKey: gateway.keys.operator,
    tokenEndpoint: gateway.authorization.tokenEndpoint,
    agent: gateway.plainAgent,
    ...{ scope, extensions },
  });
  return accessToken;
}

async function call(who: Who, path: string, values?: Record<string, string>): Promise<TestAnswer> {
  if (!tokens.has(who)) tokens.set(who, tokenOf(who));
  const parameter = Object.entries(values ?? {}).map(([name, valueString]) => ({ name, valueString }));
  return gateway.call({
    path: `/fhir/R4/${path}`,
    token: (await tokens.get(who)) ?? '',
    agent: gateway.plainAgent,
    method: values ? 'POST' : 'GET',
    ...(values ? { body: JSON.stringify({ resourceType: 'Parameters', parameter }) } : {}),
    headers: values ? { 'content-type': 'application/fhir+json' } : {},
  });
}

interface Part {
  readonly name: string;
  readonly part?: readonly Part[];
}

function valuesOf(parts: readonly Part[]): Record<string, unknown> {
  return Object.fromEntries(
    parts.map((each) => [each.name, Object.entries(each).find(([key]) => key.startsWith('value'))?.[1]]),
  );
}

function shown(answer: TestAnswer): Record<string, unknown> {
  return valuesOf(JSON.parse(answer.text).parameter);
}

async function opened(who: Who = 'amber', patient = amber, form = 'bundle'): Promise<string> {
  const answer = await call(who, `Patient/${patient}/$request-access`, { form });
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
  return String(shown(answer).case);
}

const stepsOf = () => journalled.map(({ event, ruleIds }) => [event, ruleIds?.[0]]);

describe('PRIV-02: a patient’s request for their own records', () => {
  it('is due in 30 days, extended once by 30 with a reason, and answered by a Bundle of the records', async () => {
    const id = await opened();
    expect(shown(await call('amber', `$access-requests/${id}`))).toMatchObject({
      state: 'open',
      requested: '2028-02-20T15:30:00.000Z',
      due: '2028-03-21T15:30:00.000Z',
      extended: false,
    });
    expect((await call('amber', `$access-requests/${id}/$copy`)).status).toBe(404);
    clock = START + 29 * DAY_MS;
    const extended = await call('staff', `$access-requests/${id}/$extend`, { reason: REASON });
    expect(shown(extended)).toMatchObject({ due: '2028-04-20T15:30:00.000Z', extensionReason: REASON });
    expect((await call('staff', `$access-requests/${id}/$extend`, { reason: REASON })).status).toBe(409);
    const fulfilled = shown(await call('staff', `$access-requests/${id}/$fulfil`, {}));
    expect(fulfilled).toMatchObject({ state: 'fulfilled', answered: '2028-03-20T15:30:00.000Z' });
    expect(stepsOf()).toEqual([
      ['access-request', '45-cfr-164.524/requested'],
      ['access-request', '45-cfr-164.524/extended'],
      ['access-request', '45-cfr-164.524/fulfilled'],
    ]);
    expect(journalled.map(({ purpose }) => purpose)).toEqual(['PATRQT', 'HOPERAT', 'HOPERAT']);
    const copy = await call('amber', new URL(String(fulfilled.copy)).pathname.replace('/fhir/R4/', ''));
    const { type, entry } = JSON.parse(copy.text);
    const types = entry.map(({ resource }: { resource: { resourceType: string } }) => resource.resourceType);
    expect([copy.status, type, types.sort()]).toEqual([
      200,
      'collection',
      ['Observation', 'Observation', 'Patient'],
    ]);
    expect(copy.text).not.toContain(basil);
    expect(copy.text).toContain('"value":1.10');
    expect(journalled.at(-1)).toMatchObject({ event: 'export', subjects: [amber] });
  });

  it('points to Patient/$export where the patient asked for that', async () => {
    const id = await opened('amber', amber, 'export');
    const fulfilled = shown(await call('staff', `$access-requests/${id}/$fulfil`, {}));
    expect(fulfilled.copy).toMatch(/\/fhir\/R4\/Patient\/\$export$/);
    expect((await call('amber', `$access-requests/${id}/$copy`)).status).toBe(409);
  });

  it('is made by a user on the patient’s behalf too, and denied on a ground of the regulation, with its basis', async () => {
    const id = await opened('reader', basil);
    const deny = (ground: string) =>
      call('staff', `$access-requests/${id}/$deny`, { ground, explanation: 'You may have this reviewed.' });
    expect((await deny('unpaid-bill')).status).toBe(400);
    await deny('endangers-a-life');
    expect(shown(await call('basil', `$access-requests/${id}`))).toMatchObject({
      ...{ state: 'denied', ground: 'endangers-a-life', basis: '45 CFR 164.524(a)(3)(i)', reviewable: true },
      explanation: 'You may have this reviewed.',
    });
    expect((await call('staff', `$access-requests/${id}/$fulfil`, {})).status).toBe(409);
    const listed = JSON.parse((await call('basil', `Patient/${basil}/$access-requests`)).text);
    expect(listed.parameter).toHaveLength(1);
  });

  it('stands in the privacy officer’s report from the moment it is overdue until it is answered', async () => {
    const id = await opened();
    const overdue = async (): Promise<readonly Record<string, unknown>[]> => {
      const answer = await call('officer', '$overdue-access-requests');
      return JSON.parse(answer.text).parameter.map((each: Part) => valuesOf(each.part ?? []));
    };
    clock = START + 30 * DAY_MS;
    expect(await overdue()).toEqual([]);
    clock += 1;
    expect(await overdue()).toMatchObject([
      { case: id, daysOverdue: 1, patient: { reference: `Patient/${amber}` } },
    ]);
    expect((await call('staff', `$access-requests/${id}/$extend`, { reason: REASON })).status).toBe(409);
    await call('staff', `$access-requests/${id}/$fulfil`, {});
    expect(await overdue()).toEqual([]);
    for (const who of ['amber', 'staff', 'system'] as const) {
      expect((await call(who, '$overdue-access-requests')).status).not.toBe(200);
    }
  });

  it('shows nothing of itself to another patient or to a system, and cannot be answered by who may only read', async () => {
    const id = await opened();
    for (const who of ['basil', 'system'] as const) {
      expect((await call(who, `$access-requests/${id}`)).status).toBe(404);
      expect((await call(who, `Patient/${amber}/$request-access`, {})).status).toBe(404);
      expect((await call(who, `Patient/${amber}/$access-requests`)).status).toBe(404);
    }
    expect((await call('staff', 'Patient/nobody/$request-access', {})).status).toBe(404);
    expect((await call('amber', `$access-requests/${id}/$fulfil`, {})).status).toBe(404);
    expect((await call('reader', `$access-requests/${id}/$fulfil`, {})).status).toBe(403);
    expect(stepsOf()).toHaveLength(1);
  });

  it('takes no step that cannot be journalled', async () => {
    const before = append;
    const id = await opened();
    append = async () => {
      throw new Error('the disk is full');
    };
    expect((await call('staff', `$access-requests/${id}/$fulfil`, {})).status).toBe(500);
    append = before;
    expect(shown(await call('amber', `$access-requests/${id}`)).state).toBe('open');
    await call('staff', `$access-requests/${id}/$fulfil`, {});
    append = async () => {
      throw new Error('the disk is full');
    };
    expect((await call('amber', `$access-requests/${id}/$copy`)).status).toBe(500);
    append = before;
  });

  it('holds a patient to so many open cases at a time', async () => {
    for (let count = 0; count < OPEN_CASES_MAX; count += 1) await opened('basil', basil);
    expect((await call('basil', `Patient/${basil}/$request-access`, {})).status).toBe(429);
  });
});

describe('PRIV-02: cases on disk', () => {
  it('survive a restart and a rotation of the patient’s key; what they say is sealed', async () => {
    const id = await opened();
    await call('staff', `$access-requests/${id}/$extend`, { reason: REASON });
    await part.stop?.();
    for (const { bytes } of (await filesBelow(`${world.home}/vault`)).filter(({ path }) =>
      path.includes('rights'),
    )) {
      expect(bytes.includes('another building')).toBe(false);
    }
    const store = await openPart();
    await world.keystore.rotate([subjectKey(amber)]);
    const counted = await store.rewrapPatient?.(amber);
    expect(counted?.rewrapped).toBeGreaterThan(0);
    expect(await store.rewrapPatient?.(amber)).toEqual({ rewrapped: 0, altered: 0 });
    await store.stop?.();
    // The routes of the running gateway hold the store that was closed.
    await gateway.close();
    tokens.clear();
    part = await openPart();
    gateway = await startTestGateway((app) => part.registerRoutes?.(app));
    expect(shown(await call('amber', `$access-requests/${id}`))).toMatchObject({ extensionReason: REASON });
  });
});
