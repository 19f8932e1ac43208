import type { FastifyInstance, FastifyRequest } from 'fastify';
import { requireAllowed } from '../../authorization/index.ts';
import type { Caller } from '../../caller.ts';
import { callerOf } from '../../server/index.ts';
import { ExchangeError, nothingToShow } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import { reportBundle } from './audit-event.ts';
import type { ReportRequest } from './make-report.ts';

const FHIR = 'application/fhir+json; charset=utf-8';
const REPORT = 'application/vnd.careledger.disclosure-report+cbor';
const BASE = '/fhir/R4';

interface ById {
  readonly Params: { readonly id: string };
}

/** The patient, or the privacy officer: everybody else learns nothing, not even whether the patient exists. */
function requireHistoryReader(request: FastifyRequest<ById>): Caller {
  const caller = callerOf(request);
  const isOwn = caller.kind === 'patient' && !caller.isOnBehalf && caller.patientId === request.params.id;
  if (!isOwn && caller.kind !== 'user') throw nothingToShow();
  requireAllowed(caller, isOwn ? 'Patient' : 'AuditEvent', 'read');
  return caller;
}

interface ReportQuery extends ById {
  readonly Querystring: { readonly _format?: string; readonly start?: string; readonly end?: string };
}

function periodOf(
  query: ReportQuery['Querystring'],
  now: number,
): { readonly from: number; readonly until: number } {
  const from = query.start === undefined ? 0 : Date.parse(query.start);
  const until = query.end === undefined ? now + 1 : Date.parse(query.end);
  if (Number.isNaN(from) || Number.isNaN(until)) {
    throw new ExchangeError('exchange/invalid', 'start and end are times of FHIR.');
  }
  return { from, until };
}

/** `$access-history` and `$accounting-of-disclosures`, as FHIR or, with `_format=application/cbor`, as a `.report` file. */
export function reportRoutes(app: FastifyInstance, exchange: Exchange): void {
  const products = [
    ['$access-history', 'access-history'],
    ['$accounting-of-disclosures', 'accounting'],
  ] as const;
  for (const [operation, product] of products) {
    app.route<ReportQuery>({
      method: ['GET', 'POST'],
      url: `${BASE}/Patient/:id/${operation}`,
      handler: async (request, reply) => {
        requireHistoryReader(request);
        const period = periodOf(request.query, exchange.context.now());
        const asked: ReportRequest = { product, patientId: request.params.id, ...period };
        const report = await exchange.report(asked);
        if (request.query._format === 'application/cbor') {
          return reply.type(REPORT).send(Buffer.from(report.encoded));
        }
        return reply.type(FHIR).send(JSON.stringify(reportBundle(asked, report)));
      },
    });
  }
}
