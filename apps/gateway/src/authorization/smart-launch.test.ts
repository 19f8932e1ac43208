import { decodeJwt, decodeProtectedHeader } from 'jose';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signAssertion } from './index.ts';
import {
  APP_REDIRECT,
  answerIn,
  appRequest,
  approve,
  exchangeCode,
  offeredScopes,
  PASSWORD,
  postForm,
  readFhir,
  type SignInWorld,
  startSignInWorld,
  Visitor,
} from './testing.ts';

let world: SignInWorld;

beforeAll(async () => {
  world = await startSignInWorld();
});
afterAll(() => world.close());

/** A whole launch, to the token answer. */
async function launched(options: { name: string; patient?: string; fields?: Record<string, string> }) {
  const asked = appRequest(world, options.fields);
  const page = await approve(new Visitor(world), asked, options);
  const { code = '' } = answerIn(page);
  return { asked, code, ...(await exchangeCode(world, asked, code)) };
}

const refresh = (refreshToken: string) =>
  postForm(world, 'token', {
    grant_type: 'refresh_token',
    client_id: 'growth-chart',
    refresh_token: refreshToken,
  });

describe('IOP-03 PRIV-20: an app is launched by itself', () => {
  it('for the patient who signs in, without keys or chain terms', async () => {
    const { asked, json, status } = await launched({ name: 'patient' });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      token_type: 'Bearer',
      expires_in: 300,
      patient: world.patients[0],
      need_patient_banner: true,
      scope: 'openid fhirUser launch/patient offline_access patient/*.rs',
    });
    expect(asked.url).not.toContain(json.access_token);
    const identity = decodeJwt(json.id_token);
    expect(identity).toMatchObject({
      sub: 'subject-patient-1',
      aud: 'growth-chart',
      fhirUser: `${world.fhir}/Patient/${world.patients[0]}`,
    });
    expect(decodeProtectedHeader(json.id_token).alg).toBe('RS256');
    const own = await readFhir(world, json.access_token, `Patient/${world.patients[0]}`);
    expect([own.status, own.json.id]).toEqual([200, world.patients[0]]);
    const found = await readFhir(world, json.access_token, 'Observation');
    expect(found.json.entry).toHaveLength(1);
    expect((await readFhir(world, json.access_token, `Patient/${world.patients[1]}`)).status).toBe(404);
  });

  it('for the patient whom a clinician finds, by names that stand in no address and no log', async () => {
    const visitor = new Visitor(world);
    const asked = appRequest(world);
    let page = await visitor.open(asked.url);
    page = await visitor.send(page, { action: 'sign-in', name: 'Doctor', password: PASSWORD });
    expect(page.text).toContain('Choose a patient');
    page = await visitor.send(page, { action: 'search-patient', family: 'Zweig' });
    expect(page.text).toContain('Otto Zweig, born 1949-02-03');
    expect(page.text).not.toContain(world.patients[0]);
    expect(visitor.at).not.toContain('Zweig');
    page = await visitor.send(page, { action: 'choose-patient', patient: world.patients[1] });
    expect(page.text).toContain('Otto Zweig');
    page = await visitor.send(page, {
      action: 'approve',
      scope: offeredScopes(page),
      patient: world.patients[1],
    });
    const answer = answerIn(page);
    expect(answer).toMatchObject({ state: asked.state, iss: `${world.origin}/oauth` });
    const { json } = await exchangeCode(world, asked, answer.code ?? '');
    expect(json.patient).toBe(world.patients[1]);
    expect((await readFhir(world, json.access_token, `Patient/${world.patients[0]}`)).status).toBe(404);
    expect(world.logged.join('\n')).not.toContain('Zweig');
  });

  it('but not for a patient who is not there, nor by a role that sees none', async () => {
    const visitor = new Visitor(world);
    let page = await visitor.open(appRequest(world).url);
    page = await visitor.send(page, { action: 'sign-in', name: 'doctor', password: PASSWORD });
    // The last two are addresses of the FHIR API that answer with something else than a patient.
    for (const patient of ['nobody', '', '_history']) {
      const unknown = await visitor.send(page, { action: 'choose-patient', patient });
      expect([unknown.status, unknown.text]).toEqual([400, expect.stringContaining('cannot be chosen')]);
    }
    const auditor = await approve(new Visitor(world), appRequest(world), {
      name: 'auditor',
      patient: world.patients[0],
    });
    expect(auditor.status).toBe(400);
    expect(auditor.text).not.toContain('Zweig');
  });

  it('NET-07: with no more than the role permits and the person leaves in', async () => {
    const scope = 'launch/patient patient/Observation.cruds patient/AuditEvent.rs patient/Coverage.cruds';
    const visitor = new Visitor(world);
    const asked = appRequest(world, { scope });
    let page = await visitor.open(asked.url);
    page = await visitor.send(page, { action: 'sign-in', name: 'doctor', password: PASSWORD });
    page = await visitor.send(page, { action: 'choose-patient', patient: world.patients[0] });
    expect(offeredScopes(page)).toEqual([
      'launch/patient',
      'patient/Observation.cruds',
      'patient/Coverage.crs',
    ]);
    expect(page.text).toContain('See, search, add, change and delete observation records of this patient');
    page = await visitor.send(page, {
      action: 'approve',
      scope: ['launch/patient', 'patient/Observation.cruds', 'system/*.cruds', 'patient/Condition.rs'],
      patient: world.patients[0],
    });
    const { json } = await exchangeCode(world, asked, answerIn(page).code ?? '');
    expect(json.scope).toBe('launch/patient patient/Observation.cruds');
    expect(json).not.toHaveProperty('refresh_token');
    expect((await readFhir(world, json.access_token, 'Coverage')).status).toBe(403);
  });

  it('with granular scopes, which come back as they were asked and hold', async () => {
    const scope = 'launch/patient patient/Observation.rs?category=laboratory';
    const { json } = await launched({ name: 'patient', fields: { scope } });
    expect(json.scope).toBe(scope);
    const all = await launched({
      name: 'patient',
      fields: { scope: 'launch/patient patient/Observation.rs' },
    });
    expect((await readFhir(world, all.json.access_token, 'Observation')).json.entry).toHaveLength(1);
    expect((await readFhir(world, json.access_token, 'Observation')).json.entry ?? []).toEqual([]);
  });
});

describe('IOP-03: an EHR launches an app', () => {
  async function makeLaunch(token: string, body: object) {
    const answer = await request(`${world.origin}/oauth/launch`, {
      method: 'POST',
      dispatcher: world.agent,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    // biome-ignore lint/suspicious/noExplicitAny: a test looks at single fields.
    return { status: answer.statusCode, json: (await answer.body.json()) as any };
  }
  const scope = 'launch launch/encounter patient/*.rs';

  it('for the patient and the encounter in its window, once', async () => {
    const token = await world.operatorToken('system/*.rs');
    const body = { patient: world.patients[1], encounter: 'e1', need_patient_banner: false };
    const made = await makeLaunch(token, body);
    expect([made.status, made.json.iss, made.json.expires_in]).toEqual([201, world.fhir, 300]);
    const { json } = await launched({ name: 'doctor', fields: { scope, launch: made.json.launch } });
    expect(json).toMatchObject({ patient: world.patients[1], encounter: 'e1', need_patient_banner: false });
    const again = await new Visitor(world).open(appRequest(world, { scope, launch: made.json.launch }).url);
    expect(answerIn(again)).toMatchObject({ error: 'invalid_request' });
  });

  it('for a user who launches for themselves, and nobody else takes it up', async () => {
    const token = await world.operatorToken('user/*.rs', { user: 'subject-doctor-1' });
    const { json } = await makeLaunch(token, { patient: world.patients[1] });
    const asked = appRequest(world, { scope, launch: json.launch });
    const stolen = await approve(new Visitor(world), asked, { name: 'auditor' });
    expect(stolen.headers.location).toBeUndefined();
    expect((await launched({ name: 'doctor', fields: { scope, launch: json.launch } })).json.patient).toBe(
      world.patients[1],
    );
  });

  it.each([
    ['a patient', 'patient/*.rs', { patient: 'p' }, 403],
    ['a system that may not read patients', 'system/Observation.rs', {}, 403],
  ])('but not as %s', async (_who, asked, extensions, status) => {
    const token = await world.operatorToken(asked, extensions);
    expect((await makeLaunch(token, { patient: world.patients[0] })).status).toBe(status);
  });

  it('answers alike for a patient who is not there and a body that makes no sense', async () => {
    const token = await world.operatorToken('system/*.rs');
    const unknown = await makeLaunch(token, { patient: 'nobody' });
    expect(unknown.status).toBe(422);
    expect(await makeLaunch(token, { patient: world.patients[0], extra: 1 })).toEqual(unknown);
    expect((await makeLaunch('x', {})).status).toBe(401);
  });

  it('needs launch value and launch scope together', async () => {
    for (const fields of [{ scope }, { launch: 'unknown' }, { scope, launch: 'unknown' }]) {
      expect(answerIn(await new Visitor(world).open(appRequest(world, fields).url)).error).toBe(
        'invalid_request',
      );
    }
  });
});

describe('authorization requests', () => {
  it.each([
    ['without PKCE', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['with PKCE’s plain method', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['for another FHIR server', { aud: 'https://localhost:7410/fhir/R4' }, 'invalid_request'],
    ['without an audience', { aud: undefined }, 'invalid_request'],
    ['for scopes that the app is not registered for', { scope: 'nothing/here' }, 'invalid_scope'],
    ['for a system’s scopes', { scope: 'system/*.rs' }, 'invalid_scope'],
    ['for a token in the address', { response_type: 'token' }, 'unsupported_response_type'],
    ['for an answer by form', { response_mode: 'form_post' }, 'invalid_request'],
  ])('%s go back to the app with an error, state and issuer', async (_what, fields, error) => {
    const asked = appRequest(world, fields);
    const page = await new Visitor(world).open(asked.url);
    if (page.headers.location === undefined) expect(page.text).toContain(error);
    else expect(answerIn(page)).toMatchObject({ error, state: asked.state, iss: `${world.origin}/oauth` });
  });

  it.each([
    ['of an unknown app', { client_id: 'nobody' }],
    ['to an address that is longer', { redirect_uri: `${APP_REDIRECT}/more` }],
    ['to another port', { redirect_uri: 'http://127.0.0.1:18801/app' }],
    ['to another host', { redirect_uri: 'https://evil.example/app' }],
  ])('%s go nowhere', async (_what, fields) => {
    const page = await new Visitor(world).open(appRequest(world, fields).url);
    expect([page.status, page.headers.location]).toEqual([400, undefined]);
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.text).not.toContain('evil.example');
  });

  it('that are refused by the person go back with access_denied', async () => {
    const visitor = new Visitor(world);
    const page = await visitor.open(appRequest(world).url);
    expect(answerIn(await visitor.send(page, { action: 'cancel' })).error).toBe('access_denied');
  });
});

describe('codes and tokens', () => {
  it('a code is used once: the second use takes back what the first one gave', async () => {
    const first = await launched({ name: 'patient' });
    const second = await exchangeCode(world, first.asked, first.code);
    expect([second.status, second.json.error]).toEqual([400, 'invalid_grant']);
    expect((await readFhir(world, first.json.access_token, 'Observation')).status).toBe(401);
    expect((await refresh(first.json.refresh_token)).json.error).toBe('invalid_grant');
  });

  it.each([
    ['another verifier', { code_verifier: 'x'.repeat(43) }],
    ['no verifier', { code_verifier: '' }],
    ['another address', { redirect_uri: 'http://127.0.0.1:18801/app' }],
  ])('a code is not exchanged with %s', async (_what, change) => {
    const asked = appRequest(world);
    const { code = '' } = answerIn(await approve(new Visitor(world), asked, { name: 'patient' }));
    const answer = await exchangeCode(world, asked, code, change);
    expect([answer.status, ['invalid_grant', 'invalid_request']]).toEqual([
      400,
      expect.arrayContaining([answer.json.error]),
    ]);
  });

  it('a refresh token rotates; who uses an old one ends them all', async () => {
    const { json } = await launched({ name: 'patient' });
    const next = await refresh(json.refresh_token);
    expect(next.json).toMatchObject({
      patient: world.patients[0],
      scope: expect.stringContaining('offline_access'),
    });
    expect(next.json.refresh_token).not.toBe(json.refresh_token);
    expect((await refresh(json.refresh_token)).json.error).toBe('invalid_grant');
    expect((await refresh(next.json.refresh_token)).json.error).toBe('invalid_grant');
    expect((await readFhir(world, next.json.access_token, 'Observation')).status).toBe(401);
  });

  it('PRIV-20: an app that is bound to one patient stays so, whatever scopes it refreshes with or loses', async () => {
    const fields = { scope: 'launch/patient offline_access patient/Observation.rs user/Patient.rs' };
    const { json } = await launched({ name: 'doctor', patient: world.patients[1], fields });
    const patientsOf = async (token: string) =>
      (await readFhir(world, token, 'Patient')).json.entry.map(
        ({ resource }: { resource: { id: string } }) => resource.id,
      );
    expect(await patientsOf(json.access_token)).toEqual([world.patients[1]]);
    const fewer = await postForm(world, 'token', {
      ...{ grant_type: 'refresh_token', client_id: 'growth-chart', refresh_token: json.refresh_token },
      scope: 'user/Patient.rs',
    });
    expect(fewer.json).not.toHaveProperty('isBound');
    expect(await patientsOf(fewer.json.access_token)).toEqual([world.patients[1]]);
    const app = world.clients.get('growth-chart') ?? expect.fail('the app is registered');
    world.clients.set('growth-chart', { ...app, scopes: ['user/Patient.rs'] });
    expect(await patientsOf(json.access_token)).toEqual([world.patients[1]]);
    world.clients.set('growth-chart', app);
  });

  it('an access token expires after five minutes', async () => {
    const { json } = await launched({ name: 'patient' });
    world.clock.offset = 301_000;
    const answer = await readFhir(world, json.access_token, 'Observation');
    world.clock.offset = 0;
    expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([401, 'token/invalid']);
  });

  it('SEC-12: a user who is taken out is out at once, and so is an app', async () => {
    const { json } = await launched({ name: 'patient' });
    await world.writeUsers((users) => users.map((user) => ({ ...user, disabled: user.name === 'patient' })));
    const out = await readFhir(world, json.access_token, 'Observation');
    expect([out.status, out.json.issue[0].details.coding[0].code]).toEqual([401, 'token/user-not-in-force']);
    expect((await refresh(json.refresh_token)).json.error).toBe('invalid_grant');
    await world.writeUsers();
    expect((await readFhir(world, json.access_token, 'Observation')).status).toBe(200);
    const app = world.clients.get('growth-chart') ?? expect.fail('the app is registered');
    world.clients.set('growth-chart', { ...app, scopes: ['patient/Condition.rs'] });
    expect((await readFhir(world, json.access_token, 'Observation')).status).toBe(403);
    world.clients.delete('growth-chart');
    expect((await readFhir(world, json.access_token, 'Observation')).status).toBe(401);
    world.clients.set('growth-chart', app);
  });

  it('are introspected and revoked by their own app, and outlive a restart', async () => {
    const { json } = await launched({ name: 'doctor', patient: world.patients[1] });
    const own = { client_id: 'growth-chart', token: json.access_token };
    const seen = await postForm(world, 'introspect', own);
    expect(seen.json).toMatchObject({
      active: true,
      client_id: 'growth-chart',
      sub: 'subject-doctor-1',
      patient: world.patients[1],
      scope: 'patient/*.rs',
      iss: `${world.origin}/oauth`,
    });
    const basic = `Basic ${Buffer.from('secret-app:app-secret').toString('base64')}`;
    const stranger = { token: json.access_token };
    expect((await postForm(world, 'introspect', stranger, { authorization: basic })).json).toEqual({
      active: false,
    });
    await postForm(world, 'revoke', stranger, { authorization: basic });
    await world.restart();
    expect((await readFhir(world, json.access_token, 'Observation')).status).toBe(200);
    const next = await refresh(json.refresh_token);
    expect(next.status).toBe(200);
    expect((await postForm(world, 'revoke', { ...own, token: next.json.refresh_token })).status).toBe(200);
    await world.restart();
    for (const token of [json.access_token, next.json.access_token]) {
      expect((await readFhir(world, token, 'Observation')).status).toBe(401);
    }
    expect((await postForm(world, 'introspect', own)).json).toEqual({ active: false });
  });

  it('of a confidential app need its key or its secret', async () => {
    const fields = { client_id: 'signed-app', scope: 'openid' };
    const signed = appRequest(world, fields);
    const { code = '' } = answerIn(await approve(new Visitor(world), signed, { name: 'doctor' }));
    const form = {
      code,
      grant_type: 'authorization_code',
      redirect_uri: APP_REDIRECT,
      code_verifier: signed.verifier,
    };
    expect((await postForm(world, 'token', { ...form, client_id: 'signed-app' })).status).toBe(401);
    const assertion = await signAssertion({
      clientId: 'signed-app',
      privateKey: world.appKey,
      tokenEndpoint: `${world.origin}/oauth/token`,
    });
    const proof = {
      client_assertion: assertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    };
    expect((await postForm(world, 'token', { ...form, ...proof })).status).toBe(200);
    const wrong = `Basic ${Buffer.from('secret-app:wrong').toString('base64')}`;
    expect((await postForm(world, 'introspect', { token: 'x' }, { authorization: wrong })).status).toBe(401);
  });
});

describe('SEC-15: the browser’s side', () => {
  it('lets scripts of registered origins in, and no others', async () => {
    const preflight = (origin: string, path: string) =>
      request(`${world.origin}${path}`, {
        method: 'OPTIONS',
        dispatcher: world.agent,
        headers: {
          origin,
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'authorization',
        },
      });
    for (const path of ['/fhir/R4/Patient', '/fhir/R4/.well-known/smart-configuration', '/oauth/token']) {
      const good = await preflight('http://127.0.0.1:18800', path);
      expect([path, good.statusCode, good.headers['access-control-allow-origin']]).toEqual([
        path,
        204,
        'http://127.0.0.1:18800',
      ]);
      const bad = await preflight('https://evil.example', path);
      expect([path, bad.headers['access-control-allow-origin']]).toEqual([path, undefined]);
      expect(good.headers).not.toHaveProperty('access-control-allow-credentials');
    }
    const posted = await postForm(
      world,
      'token',
      { grant_type: 'refresh_token' },
      { origin: 'https://evil.example' },
    );
    expect(posted.status).toBe(403);
  });
});

describe('SEC-12: the sign-in page', () => {
  it('does not tell who exists: a wrong name and a wrong password get the same page', async () => {
    const texts: string[] = [];
    for (const name of ['doctor', 'nobody']) {
      const visitor = new Visitor(world);
      const page = await visitor.open(appRequest(world).url);
      const refused = await visitor.send(page, { action: 'sign-in', name, password: 'wrong' });
      expect(refused.status).toBe(401);
      texts.push(refused.text.replace(/name="token" value="[^"]+"/g, ''));
    }
    expect(texts[0]).toBe(texts[1]);
  });

  it('takes a form from itself alone: from its origin, with its token, in the browser that began', async () => {
    const visitor = new Visitor(world);
    const page = await visitor.open(appRequest(world).url);
    const fields = { action: 'sign-in', name: 'doctor', password: PASSWORD };
    const foreign = await visitor.send(page, fields, 'https://evil.example');
    const tokenless = await visitor.send({ ...page, text: '' }, fields);
    const stranger = new Visitor(world);
    stranger.at = visitor.at;
    const elsewhere = await stranger.send(page, fields);
    expect([foreign.status, tokenless.status, elsewhere.status]).toEqual([400, 400, 400]);
    expect((await visitor.send(page, fields)).text).toContain('Choose a patient');
  });

  it('stands in no frame, runs no script, is not kept; its cookies are this server’s alone', async () => {
    const answer = await request(appRequest(world).url, { dispatcher: world.agent });
    const cookies = [answer.headers['set-cookie'] ?? []].flat();
    expect(cookies.length).toBeGreaterThan(1);
    for (const cookie of cookies)
      expect(cookie).toMatch(/^__Secure-careledger-.*; samesite=lax; secure; httponly$/i);
    const page = await new Visitor(world).open(appRequest(world).url);
    expect(page.headers).toMatchObject({
      'x-frame-options': 'DENY',
      'cache-control': 'no-store',
      'content-security-policy':
        "default-src 'none'; style-src 'self'; form-action 'self' http://127.0.0.1:18800; frame-ancestors 'none'; base-uri 'none'",
    });
    expect(page.text).not.toMatch(/<script|style=|\son[a-z]+=/);
  });

  it('escapes what an app or a person is called', async () => {
    const app = world.clients.get('signed-app') ?? expect.fail('the app is registered');
    const named = { ...app, clientId: 'odd-app', app: { ...app.app, title: '<b>"Odd"</b>' } };
    world.clients.set('odd-app', named as typeof app);
    const page = await new Visitor(world).open(appRequest(world, { client_id: 'odd-app' }).url);
    expect(page.text).toContain('&lt;b&gt;&quot;Odd&quot;&lt;/b&gt;');
  });

  it('a session spares the password but not the consent, and signing out ends what was online', async () => {
    const visitor = new Visitor(world);
    const scope = 'patient/*.rs online_access';
    const asked = appRequest(world, { scope });
    const { code = '' } = answerIn(await approve(visitor, asked, { name: 'patient' }));
    const { json } = await exchangeCode(world, asked, code);
    const again = await visitor.open(appRequest(world, { scope }).url);
    expect(again.text).toContain('Allow Growth chart?');
    expect((await readFhir(world, json.access_token, 'Observation')).status).toBe(200);
    const page = await visitor.open(`${world.origin}/oauth/sign-out`);
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
    visitor.at = `${world.origin}/oauth/sign-out/confirm`;
    expect((await visitor.send(page, { xsrf, logout: 'yes' })).text).toContain('You are signed out');
    expect((await readFhir(world, json.access_token, 'Observation')).status).toBe(401);
    expect((await refresh(json.refresh_token)).json.error).toBe('invalid_grant');
    expect((await visitor.open(appRequest(world, { scope }).url)).text).toContain('Password');
  });

  it('signing in as somebody else ends the session before', async () => {
    const visitor = new Visitor(world);
    await approve(visitor, appRequest(world), { name: 'patient' });
    let page = await visitor.open(appRequest(world, { prompt: 'login' }).url);
    page = await visitor.send(page, { action: 'sign-in', name: 'doctor', password: PASSWORD });
    expect(page.text).toContain('Choose a patient');
  });
});
