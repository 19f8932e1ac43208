import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PUBLIC_ROUTE } from './gateway-server.ts';
import { RATE_LIMITS } from './rate-limits.ts';
import { startTestGateway, type TestGateway } from './testing.ts';

const CALLER_MAX = 20;
const REFUSED_MAX = 10;
const IN_FLIGHT_MAX = 8;

let gateway: TestGateway;
let token: string;
let release: () => void = () => undefined;

beforeAll(async () => {
  gateway = await startTestGateway(
    (app) => {
      app.get('/fhir/R4/Patient', async () => ({ ok: true }));
      app.get('/open', { config: PUBLIC_ROUTE }, async () => ({ ok: true }));
      app.get('/slow', { config: PUBLIC_ROUTE }, async () => {
        await new Promise<void>((resolve) => {
          const before = release;
          release = () => {
            before();
            resolve();
          };
        });
        return { ok: true };
      });
    },
    {
      rateLimits: {
        callerRequestsPerSecondMax: CALLER_MAX,
        refusedPerMinuteMax: REFUSED_MAX,
        inFlightMax: IN_FLIGHT_MAX,
      },
    },
  );
  token = await gateway.clinicToken();
});
afterAll(() => gateway.close());

async function statuses(count: number, ask: () => Promise<{ readonly status: number }>): Promise<number[]> {
  const found: number[] = [];
  for (let index = 0; index < count; index += 1) found.push((await ask()).status);
  return found;
}

const patient = (bearer: string) => gateway.call({ path: '/fhir/R4/Patient', token: bearer });

describe('SEC-15: a gateway under a flood', () => {
  it('answers a caller who asks too often with 429 and Retry-After, and others go on', async () => {
    const found = await statuses(CALLER_MAX * 2, () => patient(token));
    expect(found.slice(0, CALLER_MAX)).toEqual(Array(CALLER_MAX).fill(200));
    expect(found).toContain(429);
    const refused = await patient(token);
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '1']);
    expect(JSON.parse(refused.text)).toMatchObject({
      resourceType: 'OperationOutcome',
      issue: [{ code: 'throttled', details: { coding: [{ code: 'request/too-many' }] } }],
    });
    expect((await gateway.call({ path: '/open' })).status).toBe(200);
    await delay(1_100);
    expect((await patient(token)).status).toBe(200);
  });

  it('tells an address that sends no valid token to wait, and goes on answering who has one', async () => {
    const found = await statuses(REFUSED_MAX + 3, () => patient('a.b.c'));
    expect(found).toEqual([...Array(REFUSED_MAX).fill(401), 429, 429, 429]);
    expect((await patient(token)).status).toBe(200);
  });

  it('answers no more requests at a time than it can', async () => {
    const held = Array.from({ length: IN_FLIGHT_MAX }, () => gateway.call({ path: '/slow' }));
    await delay(200);
    const busy = await gateway.call({ path: '/open' });
    expect([busy.status, busy.headers['retry-after']]).toEqual([503, '1']);
    release();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual(Array(IN_FLIGHT_MAX).fill(200));
    await delay(20);
    expect((await gateway.call({ path: '/open' })).status).toBe(200);
  });

  it('PERF-11: by default leaves room for an interface engine', () => {
    expect(RATE_LIMITS.callerRequestsPerSecondMax).toBeGreaterThanOrEqual(1_000);
    expect(RATE_LIMITS.inFlightMax).toBeLessThan(1_024);
  });
});
