import type { OrganizationId } from '@careledger/primitives';
import type { JWK } from 'jose';
import { type Agent, request } from 'undici';
import { type AccessToken, requestToken } from '../authorization/index.ts';
import { ExchangeError } from './errors.ts';
import type { MemberAnswer, MemberCalls, MemberRequest } from './exchange-context.ts';
import { PAGE_BYTES_MAX } from './release-bundle.ts';

/** Where a member's gateway is: learned out of band, or from the consortium file. */
export interface MemberAddress {
  /** `https://localhost:7400/fhir/R4`, without a last slash. */
  readonly fhirBase: string;
  readonly tokenEndpoint: string;
}

export interface MemberCallsOptions {
  readonly organization: OrganizationId;
  readonly addressOf: (organization: OrganizationId) => MemberAddress | undefined;
  /** Private key that signs our client assertions. */
  readonly clientKey: JWK;
  /** Shows our certificate, believes the consortium's authority alone. */
  readonly agent: Agent;
  readonly now: () => number;
}

/** How long another member's gateway may take for one answer, in milliseconds. */
export const MEMBER_ANSWER_MS_MAX = 10_000;
/** A token is not used in its last seconds. */
const TOKEN_MARGIN_MS = 5_000;
const TOKENS_MAX = 1_000;
const SCOPE = 'system/*.rs';

/** Questions to other members' gateways, over mutual TLS. Tokens are kept for who asks, for whom and why. */
export function createMemberCalls(options: MemberCallsOptions): MemberCalls {
  const tokens = new Map<string, AccessToken>();
  const tokenFor = async (
    organization: OrganizationId,
    address: MemberAddress,
    asked: MemberRequest,
  ): Promise<string> => {
    const { purpose, requestingUser, consentId } = asked;
    const name = JSON.stringify([organization, purpose, requestingUser, consentId]);
    const known = tokens.get(name);
    if (known && known.expiresAt > options.now() + TOKEN_MARGIN_MS) return known.accessToken;
    const b2b = {
      version: '1' as const,
      organization_id: options.organization,
      purpose_of_use: [purpose],
      ...(requestingUser === undefined ? {} : { subject_id: requestingUser }),
      ...(consentId === undefined ? {} : { consent_reference: [consentId] }),
    };
    const token = await requestToken({
      clientId: options.organization,
      privateKey: options.clientKey,
      tokenEndpoint: address.tokenEndpoint,
      scope: SCOPE,
      agent: options.agent,
      extensions: { b2b },
      now: options.now,
    });
    if (tokens.size >= TOKENS_MAX) tokens.clear();
    tokens.set(name, token);
    return token.accessToken;
  };
  return {
    baseOf: (organization) => options.addressOf(organization)?.fhirBase,
    post: async (organization, asked) => {
      const address = options.addressOf(organization);
      if (!address) throw unavailable();
      try {
        const token = await tokenFor(organization, address, asked);
        return await post(`${address.fhirBase}/${asked.operation}`, token, { ...options, body: asked.body });
      } catch (error) {
        throw error instanceof ExchangeError ? error : unavailable(error);
      }
    },
  };
}

function unavailable(cause?: unknown): ExchangeError {
  return new ExchangeError('exchange/custodian-unavailable', 'The other member’s gateway gives no answer.', {
    cause,
  });
}

async function post(
  url: string,
  token: string,
  options: { readonly agent: Agent; readonly now: () => number; readonly body: string },
): Promise<MemberAnswer> {
  const response = await request(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/fhir+json',
      accept: 'application/fhir+json',
    },
    body: options.body,
    dispatcher: options.agent,
    signal: AbortSignal.timeout(MEMBER_ANSWER_MS_MAX),
  });
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > PAGE_BYTES_MAX)
      throw new ExchangeError('exchange/custodian-not-believed', 'The answer is too large.');
  }
  return {
    status: response.statusCode,
    body: Buffer.concat(chunks).toString('utf8'),
    receivedAt: options.now(),
  };
}
