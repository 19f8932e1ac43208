import { join } from 'node:path';
import { exportJournal } from '../bulk-export/index.ts';
import type { EventFields } from '../exchange/index.ts';
import type { GatewayContext, GatewayPart } from '../gateway.ts';
import { AccessDesk } from './access-desk.ts';
import { accessRoutes } from './access-routes.ts';
import { AccessStore } from './access-store.ts';

/** Where this project describes its own operations. */
const DEFINITIONS = 'https://careledger.example/fhir/OperationDefinition';

/**
 * What patients may ask of this organization about their records, as a part of a gateway.
 *
 * @param append - Writes an entry of the journal, synced.
 */
export async function rightsPart(
  gateway: GatewayContext,
  append: (fields: EventFields) => Promise<unknown>,
): Promise<GatewayPart> {
  const { vault, keystore, now } = gateway;
  const store = await AccessStore.open({ folder: join(gateway.folder, 'vault'), keystore });
  const desk = new AccessDesk({ vault, store, append, now });
  const { baseUrl } = gateway.store.options;
  return {
    operations: [
      { name: 'request-access', type: 'Patient', definition: `${DEFINITIONS}/request-access` },
      { name: 'access-requests', type: 'Patient', definition: `${DEFINITIONS}/access-requests` },
      { name: 'overdue-access-requests', definition: `${DEFINITIONS}/overdue-access-requests` },
    ],
    registerRoutes: (app) => accessRoutes(app, { desk, gateway, journal: exportJournal(append), baseUrl }),
    rewrapPatient: (patientId) => store.rewrapPatient(patientId),
    stop: () => store.close(),
  };
}
