import { type LosslessObject, parseLossless } from '@careledger/fhir';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { FHIR_BASE_PATH, fhirText, notFound, requireScope, StoredResource } from '../fhir/index.ts';
import type { GatewayContext } from '../gateway.ts';
import { callerOf } from '../server/index.ts';
import { CHART_RECORDS_MAX, chartOf } from './chart.ts';
import { type ChartRecord, mergeRecords, type RecordSource } from './merge-records.ts';

/** Items of one answer unless `_count` asks for another number. */
export const ITEMS_DEFAULT = 200;
export const ITEMS_MAX = 1_000;

const SOURCE_EXTENSION = 'https://careledger.example/fhir/source';
const TIME_EXTENSION = 'https://careledger.example/fhir/clinical-time';

/** Where copies in this chart were fetched from, by their local reference. */
export type SourcesOf = (patientId: string) => Promise<ReadonlyMap<string, RecordSource>>;

export interface LongitudinalOptions {
  readonly gateway: Pick<GatewayContext, 'vault' | 'store' | 'organization'>;
  readonly sourcesOf: SourcesOf;
}

interface OfPatient {
  readonly Params: { readonly id: string };
  readonly Querystring: { readonly _count?: number; readonly _offset?: number };
}

function sourceExtension({ custodian, reference, version }: RecordSource): object {
  return {
    url: SOURCE_EXTENSION,
    extension: [
      { url: 'custodian', valueString: custodian },
      { url: 'reference', valueString: `${reference}/_history/${version}` },
    ],
  };
}

async function answer(
  { gateway, sourcesOf }: LongitudinalOptions,
  request: FastifyRequest<OfPatient>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = callerOf(request);
  const { id } = request.params;
  requireScope(caller, 'Patient', 'read');
  const versions = await chartOf(gateway, caller, id);
  const byReference = new Map(versions.map((version) => [`${version.type}/${version.id}`, version]));
  // Who may not see the Patient is told what everybody is told of a Patient who does not exist.
  if (!byReference.has(`Patient/${id}`)) throw notFound();
  const sources = await sourcesOf(id);
  const records = [...byReference].map(([reference, { text, version }]): ChartRecord => {
    const own = { custodian: gateway.organization, reference, version: String(version) };
    const source = sources.get(reference) ?? own;
    return { reference, resource: parseLossless(text) as LosslessObject, source };
  });
  const merged = mergeRecords(records);
  const { _count = ITEMS_DEFAULT, _offset = 0 } = request.query;
  const { baseUrl } = gateway.store.options;
  const entry = merged.slice(_offset, _offset + _count).flatMap(({ record, sources: from, time }) => {
    const stored = byReference.get(record.reference);
    if (!stored) return [];
    const when =
      time === undefined ? [] : [{ url: TIME_EXTENSION, valueDateTime: new Date(time).toISOString() }];
    return [
      {
        extension: [...from.map(sourceExtension), ...when],
        fullUrl: `${baseUrl}/${record.reference}`,
        resource: new StoredResource(stored),
      },
    ];
  });
  const url = `${baseUrl}/Patient/${id}/$longitudinal?_count=${_count}&_offset=`;
  const next = _offset + _count;
  const link = [
    { relation: 'self', url: `${url}${_offset}` },
    ...(next < merged.length ? [{ relation: 'next', url: `${url}${next}` }] : []),
  ];
  const bundle = { resourceType: 'Bundle', type: 'collection', link, entry };
  return reply.type('application/fhir+json; charset=utf-8').send(fhirText(bundle));
}

/**
 * `GET Patient/[id]/$longitudinal`: what this organization holds and has fetched of a patient as one record, by when it
 * happened, each item with every custodian that says the same (PRIV-21).
 */
export function longitudinalRoutes(app: FastifyInstance, options: LongitudinalOptions): void {
  const whole = (maximum: number) => ({ type: 'integer', minimum: 0, maximum });
  const querystring = {
    type: 'object',
    properties: { _count: { ...whole(ITEMS_MAX), minimum: 1 }, _offset: whole(CHART_RECORDS_MAX) },
  };
  const url = `${FHIR_BASE_PATH}/Patient/:id/$longitudinal`;
  app.get<OfPatient>(url, { schema: { querystring } }, (request, reply) => answer(options, request, reply));
}
