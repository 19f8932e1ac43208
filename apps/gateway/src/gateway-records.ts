import { encodeReceipt } from '@careledger/ledger';
import { toBase64Url } from '@careledger/primitives';
import type { FastifyInstance } from 'fastify';
import { type RecordStore, readVersion } from './fhir/index.ts';
import type { Outbox } from './outbox/index.ts';
import { callerOf, HttpError, PUBLIC_ROUTE } from './server/index.ts';

export interface RecordRoutesOptions {
  readonly store: RecordStore;
  readonly outbox: Outbox;
}

interface VersionParameters {
  readonly type: string;
  readonly id: string;
  readonly version: string;
}

const VERSION_SCHEMA = {
  params: {
    type: 'object',
    required: ['type', 'id', 'version'],
    properties: {
      type: { type: 'string', pattern: '^[A-Z][A-Za-z]{1,63}$' },
      id: { type: 'string', pattern: '^[A-Za-z0-9\\-.]{1,64}$' },
      version: { type: 'string', pattern: '^[1-9][0-9]{0,8}$' },
    },
  },
} as const;

/**
 * Routes beside the FHIR API: a version's receipt (a `.receipt` file, with the salt that opens its commitment in a
 * header, for who may read the version), and health with the anchoring lag.
 */
export function recordRoutes(app: FastifyInstance, options: RecordRoutesOptions): void {
  const { store, outbox } = options;
  app.get('/healthz', { config: PUBLIC_ROUTE }, async () => {
    const { waiting, lagMs, refusals } = await outbox.metrics();
    return { status: 'ok', outbox: { waiting, lagMs, refusals } };
  });
  app.get<{ Params: VersionParameters }>(
    '/v1/records/:type/:id/versions/:version/receipt',
    { schema: VERSION_SCHEMA },
    async (request, reply) => {
      const { type, id, version } = request.params;
      const stored = await readVersion({ store, caller: callerOf(request) }, { type, id, version });
      const receipt = await outbox.receiptOf({ type, id, version: Number(version) });
      if (!receipt) {
        throw new HttpError({
          status: 503,
          code: 'receipt/not-anchored',
          message: 'The version is stored and not anchored yet.',
          help: 'Ask again in a second; /healthz shows the lag.',
        });
      }
      return reply
        .header('careledger-salt', toBase64Url(stored.salt))
        .type('application/vnd.careledger.receipt+cbor')
        .send(Buffer.from(encodeReceipt(receipt)));
    },
  );
}
