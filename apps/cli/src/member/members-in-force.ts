import { readOrganization } from '@careledger/capabilities';
import type { ClientRegistry } from '@careledger/gateway';
import type { LedgerNode } from '@careledger/node';

/**
 * The registered clients, less the gateways of organizations that membership state does not call active at this moment:
 * a suspended or revoked member gets no token from the block on that says so.
 */
export function onlyMembersInForce(
  registry: ClientRegistry,
  node: Pick<LedgerNode, 'get' | 'scan'>,
): ClientRegistry {
  return {
    ...registry,
    find: async (clientId) => {
      const client = await registry.find(clientId);
      if (client?.kind !== 'organization') return client;
      return readOrganization(node, client.organization)?.standing === 'active' ? client : undefined;
    },
  };
}
