import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import chromium from '@sparticuz/chromium';
import { Client } from 'fhir-kit-client';
import { type Browser, type BrowserContext, type Page, chromium as playwright } from 'playwright-core';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { observationText } from '../fhir/testing.ts';
import { PASSWORD, type SignInWorld, startSignInWorld } from './testing.ts';

/** fhirclient as a page loads it. */
const FHIRCLIENT = readFileSync(
  createRequire(import.meta.url).resolve('fhirclient/build/fhir-client.js'),
  'utf8',
);
const CLIENT_ID = 'browser-app';

/** The smallest SMART app: it starts, comes back, and shows what it got. */
const LAUNCH_PAGE = `<!doctype html><title>launch</title><script src="/fhir-client.js"></script><script>
const query = new URLSearchParams(location.search);
FHIR.oauth2.authorize({
  clientId: '${CLIENT_ID}', redirectUri: '/app', pkceMode: 'required',
  scope: query.get('scope'), iss: query.get('iss'), launch: query.get('launch') ?? undefined,
});
</script>`;
const APP_PAGE = `<!doctype html><title>app</title><pre id="out"></pre><script src="/fhir-client.js"></script><script>
FHIR.oauth2.settings.refreshTokenWithClientId = true;
FHIR.oauth2.ready().then(async (client) => {
  const patient = await client.patient.read();
  const found = await client.request('Observation?patient=' + patient.id);
  const before = client.state.tokenResponse.access_token;
  const refreshed = client.state.tokenResponse.refresh_token ? await client.refresh() : undefined;
  const again = refreshed ? await client.patient.read() : undefined;
  document.getElementById('out').textContent = JSON.stringify({
    patient: patient.id, family: patient.name[0].family, observations: found.entry.length, user: client.getFhirUser(),
    encounter: client.encounter.id, scope: client.state.tokenResponse.scope, banner: client.state.tokenResponse.need_patient_banner,
    isRefreshed: Boolean(refreshed) && refreshed.tokenResponse.access_token !== before, again: again && again.id,
    address: location.href,
  });
}).catch((error) => { document.getElementById('out').textContent = JSON.stringify({ error: String(error) }); });
</script>`;

let world: SignInWorld;
let site: Server;
let appOrigin: string;
let browser: Browser;

function serveApp(): Promise<Server> {
  const pages: Record<string, readonly [string, string]> = {
    '/launch': ['text/html', LAUNCH_PAGE],
    '/app': ['text/html', APP_PAGE],
    '/fhir-client.js': ['text/javascript', FHIRCLIENT],
  };
  const server = createServer((asked, answer) => {
    const [type, text] = pages[(asked.url ?? '').split('?', 1)[0] ?? ''] ?? ['text/plain', ''];
    answer.writeHead(text === '' ? 404 : 200, { 'content-type': `${type}; charset=utf-8` });
    answer.end(text);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

beforeAll(async () => {
  world = await startSignInWorld();
  site = await serveApp();
  appOrigin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  const app = world.clients.get('growth-chart') ?? expect.fail('the app is registered');
  world.clients.set(CLIENT_ID, {
    ...app,
    clientId: CLIENT_ID,
    app: { title: 'Browser app', redirectUris: [`${appOrigin}/app`], origins: [appOrigin] },
  });
  // A machine on which this browser does not start has not shown that apps work: it fails here, and says why.
  browser = await playwright.launch({
    executablePath: await chromium.executablePath(),
    // Not the package's own arguments: they switch the browser's web security off, which is what is tested here.
    args: ['--no-sandbox', '--no-zygote', '--disable-gpu'],
    headless: true,
  });
}, 60_000);
afterAll(async () => {
  await browser?.close();
  site?.close();
  await world?.close();
});

/** A window without anybody's cookies, and what it complained about. */
async function openWindow(): Promise<{ context: BrowserContext; page: Page; complaints: string[] }> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  return { context, page, complaints };
}

async function signIn(page: Page, name: string): Promise<void> {
  await page.getByLabel('User name').fill(name);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function shown(page: Page): Promise<Record<string, unknown>> {
  await page.waitForURL(`${appOrigin}/app**`);
  await page.waitForFunction("document.getElementById('out')?.textContent !== ''");
  return JSON.parse((await page.locator('#out').textContent()) ?? '{}');
}

function launchAddress(fields: Record<string, string>): string {
  return `${appOrigin}/launch?${new URLSearchParams({ iss: world.fhir, ...fields })}`;
}

describe('IOP-03 PRIV-20: fhirclient in a real Chromium', () => {
  it('launches by itself: the clinician signs in, finds the patient, allows; the app reads, searches, refreshes', async () => {
    const { context, page, complaints } = await openWindow();
    await page.goto(launchAddress({ scope: 'launch/patient patient/*.rs openid fhirUser offline_access' }));
    await signIn(page, 'doctor');
    await page.getByLabel('Family name').fill('Zweig');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByLabel('Otto Zweig, born 1949-02-03').check();
    await page.getByRole('button', { name: 'Choose this patient' }).click();
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
    const result = await shown(page);
    expect(result).toMatchObject({
      patient: world.patients[1],
      family: 'Zweig',
      observations: 1,
      user: 'Practitioner/d1',
      banner: true,
      isRefreshed: true,
      again: world.patients[1],
    });
    expect(result.address).not.toContain('token');
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('is launched by an EHR for the patient in its window, without a picker', async () => {
    const token = await world.operatorToken('user/*.rs', { user: 'subject-doctor-1' });
    const answer = await request(`${world.origin}/oauth/launch`, {
      method: 'POST',
      dispatcher: world.agent,
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ patient: world.patients[0], encounter: 'e7', need_patient_banner: false }),
    });
    const { launch } = (await answer.body.json()) as { readonly launch: string };
    const { context, page } = await openWindow();
    await page.goto(
      launchAddress({ launch, scope: 'launch patient/Patient.rs patient/Observation.rs openid fhirUser' }),
    );
    await signIn(page, 'doctor');
    await page.getByLabel('Know which entry in the directory is yours').uncheck();
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
    const result = await shown(page);
    expect(result).toMatchObject({ patient: world.patients[0], encounter: 'e7', banner: false });
    expect(result).not.toHaveProperty('user');
    await context.close();
  });

  it('shows the patient their own records, and no page runs a script or stands in a frame', async () => {
    const { context, page } = await openWindow();
    await page.goto(launchAddress({ scope: 'launch/patient patient/*.rs' }));
    await page.waitForURL(`${world.origin}/oauth/interaction/**`);
    const isBlocked = await page.evaluate(
      `const script = document.createElement('script');
      script.textContent = 'document.title = "run"';
      document.body.append(script);
      document.title !== 'run'`,
    );
    expect(isBlocked).toBe(true);
    await signIn(page, 'patient');
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
    expect(await shown(page)).toMatchObject({ patient: world.patients[0], observations: 1 });
    await context.close();
  });
});

describe('IOP-03: fhir-kit-client', () => {
  /** The library speaks through `fetch`, which does not know our authority: its requests go through our agent. */
  async function viaAgent<T>(work: () => Promise<T>): Promise<T> {
    const original = globalThis.fetch;
    globalThis.fetch = (async (input: string | URL | Request, init: RequestInit = {}) => {
      const asked = new Request(input, init);
      const body = asked.method === 'GET' ? undefined : await asked.text();
      const answer = await request(asked.url, {
        method: asked.method as 'GET',
        dispatcher: world.agent,
        headers: Object.fromEntries(asked.headers),
        ...(body === undefined ? {} : { body }),
      });
      const headers = Object.entries(answer.headers).map(
        ([name, value]) => [name, String(value)] as [string, string],
      );
      return new Response(await answer.body.text(), { status: answer.statusCode, headers });
    }) as typeof fetch;
    try {
      return await work();
    } finally {
      globalThis.fetch = original;
    }
  }

  it('discovers, reads, searches, creates and sends a transaction with a token of ours', async () => {
    await viaAgent(async () => {
      const client = new Client({ baseUrl: world.fhir });
      const metadata = await client.smartAuthMetadata();
      expect(String(metadata.tokenUrl)).toBe(`${world.origin}/oauth/token`);
      expect(String(metadata.authorizeUrl)).toBe(`${world.origin}/oauth/authorize`);
      client.bearerToken = await world.operatorToken('system/*.cruds');
      const [id] = world.patients;
      expect(await client.read({ resourceType: 'Patient', id })).toMatchObject({ id });
      const found = await client.search({ resourceType: 'Observation', searchParams: { patient: id } });
      expect(found).toMatchObject({ resourceType: 'Bundle', type: 'searchset' });
      const created = await client.create({
        resourceType: 'Observation',
        body: JSON.parse(observationText(id)),
      });
      expect(created).toMatchObject({ resourceType: 'Observation' });
      const entry = [1, 2].map(() => ({
        resource: JSON.parse(observationText(id)),
        request: { method: 'POST', url: 'Observation' },
      }));
      const answered = await client.transaction({
        body: { resourceType: 'Bundle', type: 'transaction', entry } as never,
      });
      expect(answered).toMatchObject({ type: 'transaction-response' });
    });
  });
});
