import { decodeJwt, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callerOf } from '../server/gateway-server.ts';
import { startTestGateway, type TestAnswer, type TestGateway, TREATMENT } from '../server/testing.ts';
import { certificateThumbprint } from '../tls/index.ts';
import { requireAllowed } from './authenticate.ts';
import {
  generatePrivateJwk,
  LOCAL_OPERATOR,
  mutualTlsAgent,
  publicJwkOf,
  requestToken,
  signAssertion,
} from './index.ts';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway((app) => {
    app.get('/fhir/R4/Observation/:id', async (request) => {
      requireAllowed(callerOf(request), 'Observation', 'read');
      return callerOf(request);
    });
    app.get('/exchange/whoami', async (request) => callerOf(request));
  });
});
afterAll(() => gateway.close());
afterEach(() => {
  gateway.clock.offset = 0;
});

const OBSERVATION = '/fhir/R4/Observation/o1';

function outcomeOf(answer: TestAnswer): { readonly resourceType: string; readonly code: string } {
  const outcome = JSON.parse(answer.text);
  return { resourceType: outcome.resourceType, code: outcome.issue[0].details.coding[0].code };
}

/** Posts a hand-made token request. */
async function postToken(options: {
  readonly assertion: string;
  readonly scope?: string;
  readonly agent?: TestGateway['plainAgent'];
  readonly headers?: Readonly<Record<string, string>>;
}): Promise<TestAnswer> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    scope: options.scope ?? 'system/*.rs',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: options.assertion,
  });
  return gateway.call({
    path: '/oauth/token',
    body: form.toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...options.headers },
    ...(options.agent ? { agent: options.agent } : {}),
  });
}

function clinicAssertion(overrides: Partial<Parameters<typeof signAssertion>[0]> = {}): Promise<string> {
  return signAssertion({
    clientId: 'city-clinic',
    privateKey: gateway.keys.clinic,
    tokenEndpoint: gateway.authorization.tokenEndpoint,
    extensions: TREATMENT,
    ...overrides,
  });
}

/** A token as the gateway's own key would sign it, with one thing changed. */
async function forgeToken(
  change: { readonly claims?: object; readonly key?: JWK; readonly typ?: string } = {},
): Promise<string> {
  const claims = {
    ...decodeJwt(await gateway.clinicToken()),
    ...change.claims,
  };
  const key = change.key ?? gateway.signingKey;
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', typ: change.typ ?? 'at+jwt', kid: String(gateway.signingKey.kid) })
    .sign(await importJWK(key, 'ES256'));
}

describe('CRY-05: an organization proves who it is by its key pair and its certificate', () => {
  it('gives a member a token that says who asks, for whom and why', async () => {
    const token = await gateway.clinicToken('system/Observation.rs system/*.cud');
    const answer = await gateway.call({ path: OBSERVATION, token });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({
      kind: 'organization',
      organization: 'city-clinic',
      purpose: 'TREAT',
      requestingUser: 'practitioner-7',
      scopes: [{ context: 'system', type: 'Observation', read: true, search: true, create: false }],
    });
    const claims = decodeJwt(token);
    expect(claims.aud).toBe(`${gateway.origin}/fhir/R4`);
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(300);
    expect(claims.cnf).toEqual({ 'x5t#S256': certificateThumbprint(gateway.clinic.certificate) });
  });

  it('carries a consent reference on', async () => {
    const consentId = '00112233445566778899aabbccddeeff';
    const { accessToken } = await requestToken({
      clientId: 'city-clinic',
      privateKey: gateway.keys.clinic,
      tokenEndpoint: gateway.authorization.tokenEndpoint,
      scope: 'system/*.rs',
      agent: gateway.clinicAgent,
      extensions: { b2b: { ...TREATMENT.b2b, consent_reference: [consentId] } },
    });
    const answer = await gateway.call({ path: '/exchange/whoami', token: accessToken });
    expect(JSON.parse(answer.text).consentId).toBe(consentId);
  });

  it('refuses a token without the certificate it is bound to, or with another one', async () => {
    const token = await gateway.clinicToken();
    const other = await gateway.authority.issue('acme-health-plan');
    const otherAgent = mutualTlsAgent(other);
    for (const agent of [gateway.plainAgent, otherAgent]) {
      const answer = await gateway.call({ path: OBSERVATION, token, agent });
      expect(answer.status).toBe(401);
      expect(outcomeOf(answer)).toEqual({ resourceType: 'OperationOutcome', code: 'token/certificate' });
    }
    await otherAgent.destroy();
  });

  it('refuses a token request without a certificate in force for the client', async () => {
    const other = await gateway.authority.issue('acme-health-plan');
    const otherAgent = mutualTlsAgent(other);
    for (const agent of [gateway.plainAgent, otherAgent]) {
      const answer = await postToken({ assertion: await clinicAssertion(), agent });
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.text).error).toBe('invalid_client');
    }
    await otherAgent.destroy();
  });

  it('refuses a token at once when its client is suspended or its certificate taken out of force', async () => {
    const token = await gateway.clinicToken();
    const client = gateway.clients.get('city-clinic');
    if (!client) throw new Error('the clinic is registered');
    gateway.clients.set('city-clinic', { ...client, certificates: [] });
    expect(outcomeOf(await gateway.call({ path: OBSERVATION, token })).code).toBe('token/certificate');
    gateway.clients.delete('city-clinic');
    const suspended = await gateway.call({ path: OBSERVATION, token });
    expect([suspended.status, outcomeOf(suspended).code]).toEqual([401, 'token/client-not-in-force']);
    gateway.clients.set('city-clinic', client);
    expect((await gateway.call({ path: OBSERVATION, token })).status).toBe(200);
  });

  it('refuses an unbound token of an organization even when our own key signed it', async () => {
    const token = await forgeToken({ claims: { cnf: undefined } });
    const answer = await gateway.call({ path: OBSERVATION, token });
    expect([answer.status, outcomeOf(answer).code]).toEqual([401, 'token/certificate']);
  });
});

describe('access tokens', () => {
  it('are needed', async () => {
    const answer = await gateway.call({ path: OBSERVATION });
    expect([answer.status, outcomeOf(answer).code]).toEqual([401, 'token/missing']);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    const elsewhere = await gateway.call({ path: '/exchange/whoami' });
    expect([elsewhere.status, JSON.parse(elsewhere.text)]).toEqual([
      401,
      expect.objectContaining({ code: 'token/missing', help: expect.any(String) }),
    ]);
  });

  it('expire after five minutes', async () => {
    const token = await gateway.clinicToken();
    gateway.clock.offset = 301_000;
    const answer = await gateway.call({ path: OBSERVATION, token });
    expect([answer.status, outcomeOf(answer).code]).toEqual([401, 'token/expired']);
  });

  it.each([
    ['for another audience', { claims: { aud: 'https://localhost:7410/fhir/R4' } }, 'token/audience'],
    ['of another issuer', { claims: { iss: 'https://localhost:7410/oauth' } }, 'token/issuer'],
    ['of another type', { typ: 'JWT' }, 'token/invalid'],
    ['without scopes', { claims: { scope: undefined } }, 'token/invalid'],
    ['without an expiry', { claims: { exp: undefined } }, 'token/invalid'],
    ['of an unknown client', { claims: { client_id: 'nobody' } }, 'token/client-not-in-force'],
  ])('%s are refused', async (_name, change, code) => {
    const answer = await gateway.call({ path: OBSERVATION, token: await forgeToken(change) });
    expect([answer.status, outcomeOf(answer).code]).toEqual([401, code]);
  });

  it('signed by another key are refused', async () => {
    const token = await forgeToken({ key: await generatePrivateJwk('ES256') });
    const answer = await gateway.call({ path: OBSERVATION, token });
    expect([answer.status, outcomeOf(answer).code]).toEqual([401, 'token/invalid']);
  });

  it('with any one character changed are refused', async () => {
    const token = await gateway.clinicToken();
    const signatureAt = token.lastIndexOf('.') + 1;
    for (const at of [5, token.indexOf('.') + 20, signatureAt + 3]) {
      const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
      const answer = await gateway.call({ path: OBSERVATION, token: changed });
      expect([answer.status, outcomeOf(answer).code]).toEqual([401, 'token/invalid']);
    }
    const unsigned = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${token.split('.')[1]}.`;
    expect((await gateway.call({ path: OBSERVATION, token: unsigned })).status).toBe(401);
  });

  it('too narrow for a route answer 403', async () => {
    const token = await gateway.clinicToken('system/Condition.rs');
    const answer = await gateway.call({ path: OBSERVATION, token });
    expect([answer.status, outcomeOf(answer).code]).toEqual([403, 'scope/too-narrow']);
  });
});

describe('client assertions', () => {
  it('can be used once, also when both come at the same time', async () => {
    const assertion = await clinicAssertion();
    const answers = await Promise.all([1, 2, 3, 4].map(() => postToken({ assertion })));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 401, 401, 401]);
    expect((await postToken({ assertion })).status).toBe(401);
  });

  it.each([
    ['of an unknown client', { clientId: 'nobody' }],
    ['made for another member', { tokenEndpoint: 'https://localhost:7410/oauth/token' }],
    ['that have expired', { now: () => Date.now() - 120_000 }],
    ['that were made before this server started', { now: () => Date.now() - 50_000 }],
  ])('%s are refused', async (_name, overrides) => {
    const answer = await postToken({ assertion: await clinicAssertion(overrides) });
    expect([answer.status, JSON.parse(answer.text).error]).toEqual([401, 'invalid_client']);
  });

  it('made for another member are refused even when the Host header names that member', async () => {
    const assertion = await clinicAssertion({ tokenEndpoint: 'https://localhost:7410/oauth/token' });
    const answer = await postToken({ assertion, headers: { host: 'localhost:7410' } });
    expect([answer.status, JSON.parse(answer.text).error]).toEqual([401, 'invalid_client']);
  });

  it('signed by another key, or with a changed claim, are refused', async () => {
    const forged = await clinicAssertion({ privateKey: await generatePrivateJwk('ES384') });
    const [header, payload, signature] = (await clinicAssertion()).split('.');
    const claims = JSON.parse(Buffer.from(String(payload), 'base64url').toString());
    claims.extensions['hl7-b2b'].purpose_of_use = ['ETREAT'];
    const changed = Buffer.from(JSON.stringify(claims)).toString('base64url');
    for (const assertion of [forged, `${header}.${changed}.${signature}`]) {
      expect((await postToken({ assertion })).status).toBe(401);
    }
  });

  it('that reach too far ahead are refused', async () => {
    const seconds = Math.floor(Date.now() / 1000);
    const assertion = await new SignJWT({ extensions: { 'hl7-b2b': TREATMENT.b2b } })
      .setProtectedHeader({ alg: 'ES384', kid: String(gateway.keys.clinic.kid) })
      .setIssuer('city-clinic')
      .setSubject('city-clinic')
      .setAudience(gateway.authorization.tokenEndpoint)
      .setJti('far')
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + 3_600)
      .sign(await importJWK(gateway.keys.clinic, 'ES384'));
    expect((await postToken({ assertion })).status).toBe(401);
  });

  it.each([
    ['without hl7-b2b', {}],
    ['for another organization', { b2b: { ...TREATMENT.b2b, organization_id: 'acme-health-plan' } }],
    ['without a purpose', { b2b: { ...TREATMENT.b2b, purpose_of_use: [] } }],
    ['with a sentence for a user', { b2b: { ...TREATMENT.b2b, subject_id: 'Dr. Jane Doe' } }],
    ['that speak for a patient', { ...TREATMENT, patient: 'p1' }],
  ])('of an organization %s are refused', async (_name, extensions) => {
    const answer = await postToken({ assertion: await clinicAssertion({ extensions }) });
    expect([answer.status, JSON.parse(answer.text).error]).toEqual([400, 'invalid_request']);
    expect(answer.text).not.toContain('Jane');
  });

  it('for scopes beyond the registration get none', async () => {
    const answer = await postToken({
      assertion: await clinicAssertion(),
      scope: 'system/*.cud patient/*.rs',
    });
    expect([answer.status, JSON.parse(answer.text).error]).toEqual([400, 'invalid_scope']);
  });

  it('reach the token endpoint and the keys of the provider, and nothing else of it', async () => {
    expect((await gateway.call({ path: '/oauth/jwks' })).status).toBe(200);
    for (const path of [
      '/oauth/auth',
      '/oauth/me',
      '/oauth/reg',
      '/oauth/device/auth',
      '/oauth/token?x=1',
      '/oauth/interaction',
      '/oauth/.well-known/oauth-authorization-server',
    ]) {
      expect((await gateway.call({ path })).status).toBe(404);
    }
    expect((await gateway.call({ path: '/oauth/jwks' })).text).not.toContain('"d"');
  });
});

describe('PRIV-20: patients and users come through tokens, without keys or chain terms', () => {
  async function operatorToken(scope: string, extensions: object): Promise<string> {
    const { accessToken } = await requestToken({
      clientId: LOCAL_OPERATOR,
      privateKey: gateway.keys.operator,
      tokenEndpoint: gateway.authorization.tokenEndpoint,
      scope,
      agent: gateway.plainAgent,
      extensions,
    });
    return accessToken;
  }

  it('the local operator gets a token of a patient', async () => {
    const token = await operatorToken('patient/*.cruds', { patient: 'p1' });
    const answer = await gateway.call({ path: '/exchange/whoami', token, agent: gateway.plainAgent });
    expect(JSON.parse(answer.text)).toMatchObject({ kind: 'patient', patientId: 'p1' });
  });

  it('the local operator gets a token of a user, who is no patient', async () => {
    const token = await operatorToken('user/*.rs', { user: 'practitioner-3' });
    const answer = await gateway.call({ path: '/exchange/whoami', token, agent: gateway.plainAgent });
    const caller = JSON.parse(answer.text);
    expect(caller).toMatchObject({ kind: 'user', subject: 'practitioner-3' });
    expect(caller).not.toHaveProperty('patientId');
  });

  it('patient scopes without a patient, a patient without patient scopes, and mixed contexts are refused', async () => {
    await expect(operatorToken('patient/*.rs', {})).rejects.toMatchObject({ oauthError: 'invalid_request' });
    await expect(operatorToken('system/*.rs', { patient: 'p1' })).rejects.toMatchObject({
      oauthError: 'invalid_request',
    });
    await expect(operatorToken('system/*.rs patient/*.rs', { patient: 'p1' })).rejects.toMatchObject({
      oauthError: 'invalid_scope',
    });
  });

  it('a back-end system of the member gets what it is registered for', async () => {
    const { accessToken, scope } = await requestToken({
      clientId: 'laboratory',
      privateKey: gateway.keys.system,
      tokenEndpoint: gateway.authorization.tokenEndpoint,
      scope: 'system/*.cruds',
      agent: gateway.plainAgent,
    });
    expect(scope).toBe('system/Observation.cruds');
    const answer = await gateway.call({ path: OBSERVATION, token: accessToken, agent: gateway.plainAgent });
    expect(JSON.parse(answer.text)).toMatchObject({ kind: 'system', organization: 'general-hospital' });
  });

  it('a back-end system may sign with RS384 too', async () => {
    const pair = await generateKeyPair('RS384', { extractable: true });
    const privateKey: JWK = { ...(await exportJWK(pair.privateKey)), alg: 'RS384', use: 'sig', kid: 'rsa-1' };
    const laboratory = gateway.clients.get('laboratory');
    if (!laboratory) throw new Error('the laboratory is registered');
    expect(publicJwkOf(privateKey)).not.toHaveProperty('d');
    gateway.clients.set('laboratory', { ...laboratory, publicKeys: [publicJwkOf(privateKey)] });
    const options = {
      clientId: 'laboratory',
      tokenEndpoint: gateway.authorization.tokenEndpoint,
      scope: 'system/Observation.rs',
      agent: gateway.plainAgent,
    };
    expect(await requestToken({ ...options, privateKey })).toMatchObject({ scope: 'system/Observation.rs' });
    const replaced = requestToken({ ...options, privateKey: gateway.keys.system });
    await expect(replaced).rejects.toMatchObject({ code: 'token/refused', oauthError: 'invalid_client' });
    gateway.clients.set('laboratory', laboratory);
  });
});
