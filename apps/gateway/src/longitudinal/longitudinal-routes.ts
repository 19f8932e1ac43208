import { type LosslessObject, parseLossless } from '@careledger/fhir';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../caller.ts';
import {
  FHIR_BASE_PATH,
  FhirError,
  fhirText,
  maySee,
  notFound,
  requireScope,
  StoredResource,
} from '../fhir/index.ts';
import type { GatewayContext } from '../gateway.ts';
import { subjectKey } from '../keystore/index.ts';
import { callerOf } from '../server/index.ts';
import type { StoredVersion } from '../vault/index.ts';
import { type ChartRecord, mergeRecords, type RecordSource } from './merge-records.ts';

/** Records of one longitudinal view: what is beyond is refused, not cut off. */
export const CHART_RECORDS_MAX = 20_000;
/** Items of one answer unless `_count` asks for another number. */
export const ITEMS_DEFAULT = 200;
export const ITEMS_MAX = 1_000;
/** Records opened at a time. */
const STEP = 200;

const SOURCE_EXTENSION = 'https://careledger.example/fhir/source';
const TIME_EXTENSION = 'https://careledger.example/fhir/clinical-time';
/** Records about records: the source extension says what they would. */
const LEFT_OUT: ReadonlySet<string> = new Set(['Provenance', 'AuditEvent', 'Consent']);

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

async function chartOf(
  { vault, store }: LongitudinalOptions['gateway'],
  caller: Caller,
  patientId: string,
): Promise<readonly StoredVersion[]> {
  const rows = await vault.reader
    .selectFrom('version_key')
    .innerJoin('version', 'version.seq', 'version_key.seq')
    .select(['version.seq', 'version.type'])
    .where('key_name', '=', subjectKey(patientId))
    .where('current', '=', 1)
    .where('deleted', '=', 0)
    .orderBy('version.seq')
    .limit(CHART_RECORDS_MAX + 1)
    .execute();
  if (rows.length > CHART_RECORDS_MAX) throw tooLong();
  const seqs = rows.filter(({ type }) => !LEFT_OUT.has(type)).map(({ seq }) => seq);
  const seen: StoredVersion[] = [];
  for (let start = 0; start < seqs.length; start += STEP) {
    for (const version of await vault.bySeq(seqs.slice(start, start + STEP))) {
      if (await maySee(store.options, caller, version, 'read')) seen.push(version);
    }
  }
  return seen;
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

function tooLong(): FhirError {
  return new FhirError({
    status: 422,
    code: 'too-costly',
    message: `The chart has more than ${CHART_RECORDS_MAX} records.`,
    help: 'Search each type on its own, or export the patient’s records.',
  });
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
