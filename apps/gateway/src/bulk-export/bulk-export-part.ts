import { join } from 'node:path';
import type { EventFields } from '../exchange/index.ts';
import type { GatewayContext, GatewayPart } from '../gateway.ts';
import { ExportDesk } from './export-desk.ts';
import { exportJournal } from './export-journal.ts';
import { exportRoutes } from './export-routes.ts';
import { ExportStore } from './export-store.ts';

/** Expired jobs are looked for this often, in milliseconds. */
const SWEEP_EVERY_MS = 10 * 60_000;
/** Where Bulk Data Access 2.0.0 defines its operations. */
const DEFINITIONS = 'http://hl7.org/fhir/uv/bulkdata/OperationDefinition';

/**
 * Bulk exports as a part of a gateway.
 *
 * @param append - Writes an entry of the journal, synced.
 */
export async function bulkExportPart(
  gateway: GatewayContext,
  append: (fields: EventFields) => Promise<unknown>,
): Promise<GatewayPart> {
  const store = await ExportStore.open(join(gateway.folder, 'vault'));
  const desk = new ExportDesk({ gateway, store, journal: exportJournal(append) });
  const { baseUrl } = gateway.store.options;
  let timer: NodeJS.Timeout | undefined;
  return {
    operations: [
      { name: 'export', definition: `${DEFINITIONS}/export` },
      { name: 'export', type: 'Patient', definition: `${DEFINITIONS}/patient-export` },
      { name: 'export', type: 'Group', definition: `${DEFINITIONS}/group-export` },
    ],
    registerRoutes: (app) => exportRoutes(app, { desk, outbox: gateway.outbox, baseUrl }),
    start: async () => {
      await desk.start();
      timer = setInterval(() => {
        desk.sweep().catch(() => gateway.log.error({}, 'expired exports could not be removed'));
      }, SWEEP_EVERY_MS);
      timer.unref();
    },
    stop: async () => {
      clearInterval(timer);
      await desk.stop();
    },
  };
}
