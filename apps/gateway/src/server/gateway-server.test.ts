import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mutualTlsAgent } from '../authorization/index.ts';
import { createTestAuthority } from '../tls/testing.ts';
import { TLS_SUITES } from '../tls/tls-options.ts';
import { HttpError } from './error-answers.ts';
import { callerOf, PUBLIC_ROUTE, startGatewayServer } from './gateway-server.ts';
import { isDeeperThan } from './json-depth.ts';
import { BODY_BYTES_MAX, HEADERS_MS_MAX, JSON_DEPTH_MAX } from './limits.ts';
import { startTestGateway, type TestGateway } from './testing.ts';

let gateway: TestGateway;
let token: string;

beforeAll(async () => {
  gateway = await startTestGateway((app) => {
    app.get('/fhir/R4/metadata', { config: PUBLIC_ROUTE }, async () => ({
      resourceType: 'CapabilityStatement',
    }));
    app.post('/fhir/R4/Echo', async (request) => ({ type: typeof request.body, body: request.body }));
    app.get('/fhir/R4/Patient', async (request) => callerOf(request));
    app.get('/fhir/R4/fault', async () => {
      throw new Error('Patient Jane Doe, 1970-01-01');
    });
    app.get('/exchange/refusal', async () => {
      throw new HttpError({ status: 409, code: 'x/y', message: 'It stands already.', help: 'Read it.' });
    });
    app.get('/exchange/slow', async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return { finished: true };
    });
  });
  token = await gateway.clinicToken();
});
afterAll(() => gateway.close());

const FHIR = { 'content-type': 'application/fhir+json' };

function codeOf(text: string): string {
  const parsed = JSON.parse(text);
  return parsed.issue?.[0]?.details?.coding?.[0]?.code ?? parsed.code;
}

/** Opens a TLS connection; resolves with the socket or the error's code. */
function handshake(options: ConnectionOptions): Promise<TLSSocket | string> {
  const port = Number(new URL(gateway.origin).port);
  return new Promise((resolve) => {
    const socket = connectTls({
      host: '127.0.0.1',
      port,
      servername: 'localhost',
      ca: gateway.authority.pem,
      ...options,
    });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

describe('CRY-12: between members only TLS 1.3 with the allow-listed suites', () => {
  it.each(TLS_SUITES)('accepts %s', async (suite) => {
    const socket = await handshake({ ciphers: suite });
    if (typeof socket === 'string') throw new Error(socket);
    expect([socket.getProtocol(), socket.getCipher().name]).toEqual(['TLSv1.3', suite]);
    socket.destroy();
  });

  it.each([
    ['TLS 1.2', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }],
    ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }],
    ['a suite that is not on the list', { ciphers: 'TLS_AES_128_GCM_SHA256' }],
    ['3DES and RC4', { maxVersion: 'TLSv1.2', ciphers: 'DES-CBC3-SHA:RC4-SHA:ALL:@SECLEVEL=0' }],
  ] as const)('refuses %s', async (_name, options) => {
    const outcome = await handshake(options);
    if (typeof outcome !== 'string') outcome.destroy();
    expect(outcome).toMatch(/^(ERR_SSL|ECONNRESET|EPROTO)/);
  });

  it('answers nothing in the clear', async () => {
    const port = Number(new URL(gateway.origin).port);
    const answer = await new Promise<string>((resolve) => {
      let received = '';
      const socket = connectTcp(port, '127.0.0.1', () =>
        socket.write('GET /fhir/R4/metadata HTTP/1.1\r\n\r\n'),
      );
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1');
      });
      socket.on('close', () => resolve(received));
      socket.on('error', () => resolve(received));
    });
    expect(answer).not.toContain('HTTP/1.1 200');
    expect(answer).not.toContain('CapabilityStatement');
  });
});

describe('CRY-05: a client certificate is asked for and checked against the consortium', () => {
  it.each([
    ['of another authority', async () => (await createTestAuthority('Another')).issue('city-clinic')],
    [
      'that has expired',
      async () => gateway.authority.issue('city-clinic', { notAfter: new Date(Date.now() - 60_000) }),
    ],
    [
      'that is made for servers alone',
      async () => gateway.authority.issue('city-clinic', { uses: ['1.3.6.1.5.5.7.3.1'] }),
    ],
  ])('refuses one %s, even for public pages and tokens', async (_name, issue) => {
    const identity = await issue();
    const agent = mutualTlsAgent({ ...identity, certificateAuthority: gateway.authority.pem });
    for (const path of ['/fhir/R4/metadata', '/oauth/token', '/exchange/slow']) {
      const answer = await gateway.call({ path, agent, token });
      expect([answer.status, path.startsWith('/fhir') ? codeOf(answer.text) : '']).toEqual([
        401,
        path.startsWith('/fhir') ? 'tls/certificate-not-trusted' : '',
      ]);
    }
    await agent.destroy();
  });

  it('needs none for public pages', async () => {
    const answer = await gateway.call({ path: '/fhir/R4/metadata', agent: gateway.plainAgent });
    expect(answer.status).toBe(200);
  });

  it("a client that does not know the consortium's authority refuses this server", async () => {
    const foreign = await createTestAuthority('Another');
    const agent = mutualTlsAgent({ certificateAuthority: foreign.pem });
    await expect(gateway.call({ path: '/fhir/R4/metadata', agent })).rejects.toThrow();
    await agent.destroy();
  });
});

describe('bodies', () => {
  it('are handed on as the text that came, numbers and all', async () => {
    const body = '{"resourceType":"Observation","valueQuantity":{"value":1.10}}';
    const answer = await gateway.call({ path: '/fhir/R4/Echo', token, body, headers: FHIR });
    expect(JSON.parse(answer.text)).toEqual({ type: 'string', body });
    const form = await gateway.call({
      path: '/fhir/R4/Echo',
      token,
      body: 'handle=abc&_count=2',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(JSON.parse(form.text).body).toBe('handle=abc&_count=2');
  });

  it.each([
    ['larger than the limit', 'x'.repeat(BODY_BYTES_MAX + 1), FHIR, 413, 'request/too-large'],
    ['deeper than the limit', '['.repeat(JSON_DEPTH_MAX + 1), FHIR, 400, 'request/too-deep'],
    ['not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), FHIR, 400, 'request/not-utf-8'],
    [
      'bytes, outside Binary',
      Uint8Array.of(1, 255),
      { 'content-type': 'application/octet-stream' },
      415,
      'request/content-type',
    ],
    ['of an unknown type', '<Patient/>', { 'content-type': 'application/xml' }, 415, 'request/content-type'],
    [
      'compressed, however small',
      gzipSync(Buffer.alloc(1_000_000)),
      { ...FHIR, 'content-encoding': 'gzip' },
      415,
      'request/content-encoding',
    ],
  ])('%s are refused', async (_name, body, headers, status, code) => {
    const answer = await gateway.call({ path: '/fhir/R4/Echo', token, body, headers });
    expect([answer.status, codeOf(answer.text)]).toEqual([status, code]);
    expect(JSON.parse(answer.text).resourceType).toBe('OperationOutcome');
  });

  it('are not read before the caller is known', async () => {
    const body = '['.repeat(JSON_DEPTH_MAX + 1);
    const answer = await gateway.call({ path: '/fhir/R4/Echo', body, headers: FHIR });
    expect(answer.status).toBe(401);
  });

  it('nesting is counted outside of strings alone', () => {
    expect(isDeeperThan('{"a":"[[[[\\"[[[["}', 1)).toBe(false);
    expect(isDeeperThan('[[],[],[]]', 2)).toBe(false);
    expect(isDeeperThan('[[[]]]', 2)).toBe(true);
  });
});

describe('answers', () => {
  it('of an error are an OperationOutcome under /fhir, and code, message and help elsewhere', async () => {
    const fhir = await gateway.call({ path: '/fhir/R4/Nothing', token });
    expect([fhir.status, JSON.parse(fhir.text).resourceType]).toEqual([404, 'OperationOutcome']);
    expect(fhir.headers['content-type']).toMatch(/^application\/fhir\+json/);
    const plain = await gateway.call({ path: '/exchange/refusal', token });
    expect([plain.status, JSON.parse(plain.text)]).toEqual([
      409,
      { code: 'x/y', message: 'It stands already.', help: 'Read it.' },
    ]);
  });

  it('of a fault of ours tell nothing about it', async () => {
    const answer = await gateway.call({ path: '/fhir/R4/fault', token });
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('Jane');
    expect(gateway.logged.some((line) => line.includes('/fhir/R4/fault') && line.includes('500'))).toBe(true);
  });

  it('announce what the authorization server can do', async () => {
    const answer = await gateway.call({
      path: '/fhir/R4/.well-known/smart-configuration',
      agent: gateway.plainAgent,
    });
    expect(JSON.parse(answer.text)).toMatchObject({
      token_endpoint: `${gateway.origin}/oauth/token`,
      grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
      capabilities: expect.arrayContaining(['client-confidential-asymmetric', 'permission-v2']),
    });
  });

  it('leave no query string, id, body or token in the log', async () => {
    await gateway.call({ path: '/fhir/R4/Patient?name=canary-name', token });
    await gateway.call({ path: '/fhir/R4/Unknown/canary-id?x=canary-name', token });
    await gateway.call({ path: '/fhir/R4/Echo', token, body: '{"x":"canary-body"}', headers: FHIR });
    await gateway.call({ path: '/fhir/R4/fault?name=canary-name', token });
    const log = gateway.logged.join('\n');
    expect(log).toContain('/fhir/R4/Patient');
    expect(log).not.toMatch(/canary|Jane/);
    expect(log).not.toContain(token.slice(0, 40));
  });
});

describe('the server', () => {
  it('closes a connection whose headers do not come', async () => {
    const socket = await handshake({});
    if (typeof socket === 'string') throw new Error(socket);
    socket.on('error', () => undefined);
    const startedAt = Date.now();
    socket.write('GET /fhir/R4/metadata HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    await new Promise((resolve) => {
      socket.resume();
      socket.once('close', resolve);
    });
    const milliseconds = Date.now() - startedAt;
    expect(milliseconds).toBeGreaterThan(HEADERS_MS_MAX - 1_000);
    expect(milliseconds).toBeLessThan(HEADERS_MS_MAX + 10_000);
  });

  it('refuses to start on a port in use, by name', async () => {
    const port = Number(new URL(gateway.origin).port);
    const { authorization } = gateway;
    const tls = await gateway.authority.issue('general-hospital');
    const log = { info: () => undefined, error: () => undefined };
    const second = startGatewayServer({ tls, port, authorization, log, registerRoutes: () => undefined });
    await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('lets a request under way finish when it is closed', async () => {
    const other = await startTestGateway((app) => {
      app.get('/exchange/slow', { config: PUBLIC_ROUTE }, async () => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        return { finished: true };
      });
    });
    const underWay = other.call({ path: '/exchange/slow' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const closed = other.server.close();
    expect(JSON.parse((await underWay).text)).toEqual({ finished: true });
    const asked = Date.now();
    await closed;
    expect(Date.now() - asked).toBeLessThan(2_000);
    await expect(other.call({ path: '/exchange/slow' })).rejects.toThrow();
    await other.close();
  });
});
