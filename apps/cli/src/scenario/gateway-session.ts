import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  fhirBaseOf,
  mutualTlsAgent,
  requestToken,
  type TokenRequest,
  tokenEndpointOf,
} from '@careledger/gateway/token-client';
import type { JWK } from 'jose';
import type { Agent } from 'undici';
import { homePaths } from '../consortium/member-config.ts';
import { type ConsortiumFile, organizationOf } from '../consortium-file.ts';
import { requestHttps } from '../https-request.ts';
import { type OperatorOptions, operatorTokenRequest } from '../local-operator.ts';

const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const REQUEST_MILLISECONDS_MAX = 60_000;
/** A token is fetched anew when less than this is left of it. */
const RENEW_BEFORE_MILLISECONDS = 30_000;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
  readonly text: string;
  // The answer's JSON, read loosely: a scenario looks at single fields and checks each.
  readonly json: JsonObject;
}

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json | undefined;
}

export interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly body?: string;
  readonly accept?: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A person or program at one organization's FHIR API, with a token of its own. */
export interface GatewaySession {
  readonly base: string;
  readonly send: (path: string, options?: RequestOptions) => Promise<Answer>;
}

/**
 * Opens a session of one member's gateway at another's: its client key, its certificate, and UDAP's `hl7-b2b` claims, as
 * the gateway itself would. For looking at what another member is told.
 */
export function openMemberSession(options: {
  readonly folder: string;
  readonly consortium: ConsortiumFile;
  readonly from: string;
  readonly to: string;
  readonly purpose: string;
}): GatewaySession {
  const { folder, consortium, from, to, purpose } = options;
  const paths = homePaths(join(folder, organizationOf(consortium, from).home));
  const agent = mutualTlsAgent({
    certificateAuthority: readFileSync(paths.certificateAuthority, 'utf8'),
    certificate: readFileSync(paths.gatewayCertificate, 'utf8'),
    privateKey: readFileSync(paths.gatewayPrivateKey, 'utf8'),
  });
  const privateKey = JSON.parse(readFileSync(paths.clientKey, 'utf8')) as JWK;
  const { origin } = new URL(organizationOf(consortium, to).fhir);
  return session({
    clientId: from,
    privateKey,
    tokenEndpoint: tokenEndpointOf(origin),
    agent,
    scope: 'system/*.rs',
    extensions: {
      b2b: { version: '1', organization_id: from, purpose_of_use: [purpose], subject_id: 'front-desk' },
    },
  });
}

/** Opens a session as the local operator: development-grade, it may speak for any user or patient of this machine. */
export function openSession(options: OperatorOptions): GatewaySession {
  return session(operatorTokenRequest(options));
}

function session(client: TokenRequest): GatewaySession {
  const { origin } = new URL(client.tokenEndpoint);
  let token: Awaited<ReturnType<typeof requestToken>> | undefined;
  const bearer = async (): Promise<string> => {
    if (!token || token.expiresAt - Date.now() < RENEW_BEFORE_MILLISECONDS)
      token = await requestToken(client);
    return token.accessToken;
  };
  const base = fhirBaseOf(origin);
  return {
    base,
    // A path with a first slash is the gateway's own, not one below its FHIR base.
    send: async (path, sent = {}) =>
      sendRequest(
        client.agent,
        path.startsWith('/') ? `${origin}${path}` : `${base}/${path}`,
        await bearer(),
        sent,
      ),
  };
}

async function sendRequest(
  agent: Agent,
  url: string,
  bearer: string,
  options: RequestOptions,
): Promise<Answer> {
  const { body, headers, status } = await requestHttps(url, {
    ...{ agent, method: options.method ?? 'GET' },
    ...{ bytesMax: ANSWER_BYTES_MAX, millisecondsMax: REQUEST_MILLISECONDS_MAX },
    headers: {
      accept: options.accept ?? 'application/fhir+json',
      authorization: `Bearer ${bearer}`,
      ...(options.body === undefined
        ? {}
        : { 'content-type': options.contentType ?? 'application/fhir+json' }),
      ...options.headers,
    },
    ...(options.body === undefined ? {} : { body: options.body }),
  });
  const text = Buffer.from(body).toString('utf8');
  return { status, headers, body, text, json: parseJson(text) };
}

function parseJson(text: string): JsonObject {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as JsonObject)
      : {};
  } catch {
    return {};
  }
}

/** What an OperationOutcome says, for a step that cannot go on. It never holds a value of a resource. */
export function problemOf(answer: Answer): string {
  const [issue] = (answer.json.issue ?? []) as readonly JsonObject[];
  const said = (issue?.details as JsonObject | undefined)?.text ?? issue?.diagnostics ?? '';
  return `${answer.status} ${typeof said === 'string' ? said : ''}`.trim();
}
