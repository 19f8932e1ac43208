import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { FHIR_BASE_PATH, fhirText, notFound, requireScope } from '../fhir/index.ts';
import type { GatewayContext } from '../gateway.ts';
import { chartOf } from '../longitudinal/index.ts';
import { callerOf } from '../server/index.ts';
import { summarize } from './summarize.ts';
import { summaryDocument } from './summary-document.ts';

interface OfPatient {
  readonly Params: { readonly id: string };
}
export type SummaryGateway = Pick<GatewayContext, 'vault' | 'store' | 'service' | 'organization' | 'now'>;

async function textOf(gateway: SummaryGateway, request: FastifyRequest<OfPatient>): Promise<string> {
  const caller = callerOf(request);
  const { id } = request.params;
  requireScope(caller, 'Patient', 'read');
  const chart = await chartOf(gateway, caller, id);
  const patient = chart.find((version) => version.type === 'Patient' && version.id === id);
  if (!patient) throw notFound();
  const { organization, now } = gateway;
  const { baseUrl } = gateway.store.options;
  const sections = summarize(patient, chart);
  return fhirText(summaryDocument({ patient, sections, organization, baseUrl, now: now() }));
}

/**
 * `GET Patient/[id]/$summary` makes a summary of a patient, bounded in bytes (OFF-18); `POST` also stores it as a record of
 * the patient: encrypted, indexed, anchored, and fetched by other members like any other.
 */
export function summaryRoutes(app: FastifyInstance, gateway: SummaryGateway): void {
  const url = `${FHIR_BASE_PATH}/Patient/:id/$summary`;
  app.get<OfPatient>(
    url,
    async (request, reply): Promise<FastifyReply> =>
      reply.type('application/fhir+json; charset=utf-8').send(await textOf(gateway, request)),
  );
  app.post<OfPatient>(url, async (request, reply): Promise<FastifyReply> => {
    const body = await textOf(gateway, request);
    const {
      status,
      headers,
      body: answer,
    } = await gateway.service.handle({
      ...{ method: 'POST', path: 'Bundle', query: '', headers: {}, body },
      caller: callerOf(request),
    });
    return reply.code(status).headers(headers).send(answer);
  });
}
