import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { FHIR_BASE_PATH, FhirError, readCurrent, readVersion } from '../fhir/index.ts';
import type { GatewayContext } from '../gateway.ts';
import { callerOf } from '../server/index.ts';
import { provenanceOf } from './provenance-of.ts';

interface OfVersion {
  readonly Params: { readonly type: string; readonly id: string; readonly version?: string };
}

const PARAMETERS = {
  type: { type: 'string', pattern: '^[A-Z][A-Za-z]{1,63}$' },
  id: { type: 'string', pattern: '^[A-Za-z0-9\\-.]{1,64}$' },
  version: { type: 'string', pattern: '^[1-9][0-9]{0,8}$' },
} as const;
const RETRY_SECONDS = 1;

function notAnchored(): FhirError {
  return new FhirError({
    status: 503,
    code: 'transient',
    message: 'The version is stored and not anchored yet.',
    help: `Ask again in ${RETRY_SECONDS} s.`,
  });
}

/**
 * `GET [type]/[id]/$provenance` and `GET [type]/[id]/_history/[version]/$provenance`: who may read the version learns
 * where it comes from, with the signature that proves it.
 */
export function provenanceRoutes(
  app: FastifyInstance,
  { store, outbox, organization }: Pick<GatewayContext, 'store' | 'outbox' | 'organization'>,
): void {
  const answer = async (request: FastifyRequest<OfVersion>, reply: FastifyReply): Promise<FastifyReply> => {
    const { type, id, version } = request.params;
    const scope = { store, caller: callerOf(request) };
    const stored = await (version === undefined
      ? readCurrent(scope, { type, id })
      : readVersion(scope, { type, id, version }));
    const receipt = await outbox.receiptOf({ type, id, version: stored.version });
    if (!receipt) throw notAnchored();
    return reply
      .type('application/fhir+json; charset=utf-8')
      .send(JSON.stringify(provenanceOf({ stored, organization, receipt })));
  };
  const schema = { params: { type: 'object', required: ['type', 'id'], properties: PARAMETERS } } as const;
  app.get<OfVersion>(`${FHIR_BASE_PATH}/:type/:id/$provenance`, { schema }, answer);
  app.get<OfVersion>(`${FHIR_BASE_PATH}/:type/:id/_history/:version/$provenance`, { schema }, answer);
}
