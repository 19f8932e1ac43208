import type { TrustPath } from '@careledger/ledger';
import type { OrganizationId } from '@careledger/primitives';
import type { JWK } from 'jose';
import { fhirBaseOf, mutualTlsAgent, tokenEndpointOf } from './authorization/index.ts';
import { bulkExportPart } from './bulk-export/index.ts';
import { type EventFields, journalEvent, openExchange, partOf } from './exchange/index.ts';
import type { GatewayContext, GatewayPart } from './gateway.ts';
import { longitudinalRoutes } from './longitudinal/index.ts';
import { EXCHANGE_OPERATIONS } from './own-operations.ts';
import { rightsPart } from './rights/index.ts';
import type { TlsIdentity } from './tls/index.ts';

export interface CreateExchangeOptions {
  /** Our certificate, shown to other members. */
  readonly tls: TlsIdentity;
  /** Private key that signs our client assertions towards other members. */
  readonly clientKey: JWK;
  /** Where the other members' gateways are: `https://localhost:7410`. */
  readonly members: readonly { readonly organization: OrganizationId; readonly origin: string }[];
  /** Validator-set changes since genesis, as the own node knows them: reports and verification start from it. */
  readonly trustPath?: () => TrustPath;
}

/**
 * The exchange with other members, and bulk exports, which share its journal, as a part of a gateway; with connections
 * of its own that close with it.
 *
 * @example createGateway({ ...options, parts: [(context) => createExchange(context, { tls, clientKey, members })] });
 */
export async function createExchange(
  context: GatewayContext,
  options: CreateExchangeOptions,
): Promise<GatewayPart> {
  const agent = mutualTlsAgent(options.tls);
  const addresses = new Map(
    options.members.map(({ organization, origin }) => [
      String(organization),
      { fhirBase: fhirBaseOf(origin), tokenEndpoint: tokenEndpointOf(origin) },
    ]),
  );
  const addressOf = (organization: string) => addresses.get(organization);
  const { clientKey, trustPath } = options;
  const exchange = await openExchange(context, {
    ...{ addressOf, agent, clientKey },
    ...(trustPath ? { trustPath } : {}),
  });
  const part = partOf(exchange);
  // What leaves in bulk stands in the same journal as what leaves page by page.
  const append = (fields: EventFields) => journalEvent(exchange.context, fields);
  const bulk = await bulkExportPart(context, append);
  const rights = await rightsPart(context, append);
  return {
    ...part,
    operations: [...EXCHANGE_OPERATIONS, ...(bulk.operations ?? []), ...(rights.operations ?? [])],
    registerRoutes: async (app) => {
      await part.registerRoutes?.(app);
      await bulk.registerRoutes?.(app);
      await rights.registerRoutes?.(app);
      longitudinalRoutes(app, {
        gateway: context,
        sourcesOf: (patient) => exchange.context.recipient.sourcesOf(patient),
      });
    },
    start: async () => {
      await part.start?.();
      await bulk.start?.();
    },
    rewrapPatient: async (patientId) => {
      const counts = [await part.rewrapPatient?.(patientId), await rights.rewrapPatient?.(patientId)];
      const sum = (of: 'rewrapped' | 'altered') =>
        counts.reduce((total, count) => total + (count?.[of] ?? 0), 0);
      return { rewrapped: sum('rewrapped'), altered: sum('altered') };
    },
    stop: async () => {
      await rights.stop?.();
      await bulk.stop?.();
      await part.stop?.();
      await agent.close();
    },
  };
}
