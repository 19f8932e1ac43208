import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { organizationId } from '@careledger/primitives';
import { decodeJwt, importJWK, type JWK, SignJWT } from 'jose';
import { Provider } from 'oidc-provider';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestAuthority, freePort } from '../../tls/testing.ts';
import { createAuthenticator } from '../authenticate.ts';
import { generatePrivateJwk, mutualTlsAgent } from '../index.ts';
import { userRegistry } from '../users/users.ts';
import { createExternalIssuer, type ExternalIssuer } from './external-issuer.ts';
import { KEYS_COOL_DOWN_MS } from './key-source.ts';

const AUDIENCE = 'https://localhost:18810/fhir/R4';
const ORGANIZATION = organizationId('general-hospital');
let issuer: string;
let server: Server;
let certificateAuthority: string;
let key: JWK;
let external: ExternalIssuer;
let offset = 0;
let asked = 0;

beforeAll(async () => {
  const authority = await createTestAuthority('Somebody else');
  certificateAuthority = authority.pem;
  const { certificate, privateKey } = await authority.issue('login');
  key = await generatePrivateJwk('ES256');
  const port = await freePort();
  issuer = `https://localhost:${port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'portal',
        client_secret: 'portal-secret',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    jwks: { keys: [{ ...key, alg: 'ES256', use: 'sig' } as never] },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    extraTokenClaims: () => ({ realm: { roles: ['nurse', 'unknown-group'] } }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => AUDIENCE,
        getResourceServerInfo: () => ({
          scope: 'user/*.cruds',
          audience: AUDIENCE,
          accessTokenFormat: 'jwt' as const,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  });
  const callback = provider.callback();
  server = createServer({ cert: certificate, key: privateKey }, (incoming, answer) => {
    if (incoming.url === '/jwks') asked += 1;
    callback(incoming, answer);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  expect((server.address() as AddressInfo).port).toBe(port);
  external = makeIssuer();
});
afterAll(async () => {
  await external.close();
  server.close();
});

function makeIssuer(change: object = {}): ExternalIssuer {
  return createExternalIssuer({
    configuration: {
      issuer,
      algorithms: ['ES256'],
      rolesClaim: 'realm.roles',
      roles: { nurse: 'provider', kin: 'patient' },
      patientClaim: 'patient_id',
      scopes: ['user/*.rs', 'patient/*.rs'],
      ...change,
    },
    organization: ORGANIZATION,
    audience: AUDIENCE,
    certificateAuthority,
    now: () => Date.now() + offset,
  });
}

async function realToken(): Promise<string> {
  const agent = mutualTlsAgent({ certificateAuthority });
  const answer = await request(`${issuer}/token`, {
    method: 'POST',
    dispatcher: agent,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from('portal:portal-secret').toString('base64')}`,
    },
    body: 'grant_type=client_credentials&scope=user/*.cruds',
  });
  const { access_token: token } = (await answer.body.json()) as { readonly access_token: string };
  await agent.close();
  return token;
}

async function forged(
  claims: object,
  options: { readonly key?: JWK; readonly kid?: string } = {},
): Promise<string> {
  const real = decodeJwt(await realToken());
  const signer = options.key ?? key;
  return new SignJWT({ ...real, ...claims })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: options.kid ?? String(key.kid) })
    .sign(await importJWK(signer, 'ES256'));
}

/** The gateway's own check in front, as requests meet it. */
async function ask(token: string) {
  const authenticate = createAuthenticator({
    issuer: 'https://localhost:18810/oauth',
    audience: AUDIENCE,
    signingKey: await generatePrivateJwk('ES256'),
    clients: { find: () => undefined },
    organization: ORGANIZATION,
    users: userRegistry([]),
    findUserToken: async () => undefined,
    externals: [external],
    now: () => Date.now() + offset,
  });
  return authenticate({ authorization: `Bearer ${token}`, certificate: { status: 'none' } });
}

describe('SEC-12 NET-07: another OpenID provider', () => {
  it('is believed about who its users are, within the roles and scopes that are configured', async () => {
    const caller = await ask(await realToken());
    expect(caller).toMatchObject({
      kind: 'user',
      subject: 'portal',
      roles: ['provider'],
      organization: ORGANIZATION,
    });
    expect(caller.scopes.length).toBeGreaterThan(0);
    expect(caller.scopes.every((scope) => !scope.create && !scope.delete)).toBe(true);
    expect(caller.scopes.some((scope) => scope.type === 'AuditEvent')).toBe(false);
  });

  it('may speak for a patient where it says whose record it is', async () => {
    const patient = { realm: { roles: ['kin'] }, scope: 'patient/*.rs', patient_id: 'p1' };
    expect(await ask(await forged(patient))).toMatchObject({ kind: 'patient', patientId: 'p1' });
    await expect(ask(await forged({ ...patient, patient_id: undefined }))).rejects.toMatchObject({
      code: 'token/user-not-in-force',
    });
  });

  it.each([
    ['another audience', { aud: 'https://elsewhere.example' }, 'token/audience'],
    ['an end in the past', { exp: 1 }, 'token/expired'],
    ['no subject', { sub: undefined }, 'token/invalid'],
    ['a subject that could be a name', { sub: 'Jane Doe' }, 'token/user-not-in-force'],
    ['groups that are no role here', { realm: { roles: ['janitor'] } }, 'token/user-not-in-force'],
    [
      'groups named like a property',
      { realm: { roles: ['constructor', '__proto__'] } },
      'token/user-not-in-force',
    ],
  ])('is not believed with %s', async (_what, claims, code) => {
    await expect(ask(await forged(claims))).rejects.toMatchObject({ code, status: 401 });
  });

  it('is not believed under another key, and an unknown key makes us ask once in a while, not every time', async () => {
    const other = await generatePrivateJwk('ES256');
    await expect(ask(await forged({}, { key: other }))).rejects.toMatchObject({ code: 'token/invalid' });
    const before = asked;
    for (let index = 0; index < 5; index += 1) {
      await expect(ask(await forged({}, { key: other, kid: 'unknown' }))).rejects.toMatchObject({
        code: 'token/invalid',
      });
    }
    expect(asked - before).toBeLessThanOrEqual(1);
    offset = KEYS_COOL_DOWN_MS + 1_000;
    await expect(ask(await forged({}, { key: other, kid: 'unknown' }))).rejects.toMatchObject({
      code: 'token/invalid',
    });
    offset = 0;
    expect(asked - before).toBeGreaterThanOrEqual(1);
  });

  it('is not believed with an algorithm that is not configured, nor when it does not answer', async () => {
    const strict = makeIssuer({ algorithms: ['RS256'] });
    await expect(strict.authenticate(await realToken())).rejects.toThrow();
    await strict.close();
    const gone = createExternalIssuer({
      configuration: {
        issuer: 'https://localhost:1',
        algorithms: ['ES256'],
        rolesClaim: 'roles',
        roles: {},
        scopes: [],
      },
      organization: ORGANIZATION,
      audience: AUDIENCE,
      now: Date.now,
    });
    await expect(gone.authenticate(await realToken())).rejects.toThrow();
    await gone.close();
  });
});
