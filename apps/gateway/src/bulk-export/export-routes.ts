import { Readable } from 'node:stream';
import { encodeReceipt } from '@careledger/ledger';
import { toBase64Url } from '@careledger/primitives';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { FHIR_BASE_PATH, notFound, outcomeOf } from '../fhir/index.ts';
import type { Outbox } from '../outbox/index.ts';
import { callerOf } from '../server/index.ts';
import type { StoredVersion } from '../vault/index.ts';
import type { ExportChunk } from './export-chunks.ts';
import type { ExportDesk, JobView } from './export-desk.ts';
import { type ExportLevel, parseExportRequest } from './export-request.ts';
import type { ExportFile } from './export-store.ts';
import { POLL_SECONDS } from './limits.ts';

const FHIR_JSON = 'application/fhir+json; charset=utf-8';
const NDJSON = 'application/fhir+ndjson';
const FILE = /^(proofs-)?(deleted-)?([A-Z][A-Za-z]{1,63})-(\d{1,6})\.ndjson$/;
/** In a manifest: files of receipts, beside the files of records. */
export const PROOFS_EXTENSION = 'https://careledger.example/fhir/proofs';

export interface ExportRoutesOptions {
  readonly desk: ExportDesk;
  readonly outbox: Outbox;
  /** FHIR base URL, without a last slash. */
  readonly baseUrl: string;
}

interface ByJob {
  readonly Params: { readonly job: string; readonly file: string };
}

/** `Observation-0.ndjson`, `deleted-Observation-0.ndjson`, `proofs-Observation-0.ndjson`. */
function nameOf({ deleted, type, part }: ExportFile, isProofs: boolean): string {
  return `${isProofs ? 'proofs-' : ''}${deleted === 1 ? 'deleted-' : ''}${type}-${part}.ndjson`;
}

function fileOf(name: string): { readonly file: ExportFile; readonly isProofs: boolean } {
  const match = FILE.exec(name);
  if (!match) throw notFound();
  const [, proofs, deleted, type = '', part] = match;
  return {
    file: { deleted: deleted === undefined ? 0 : 1, type, part: Number(part) },
    isProofs: proofs !== undefined,
  };
}

/** The manifest of a finished job. It counts nothing: what a file holds is decided when it is fetched. */
function manifestOf(view: JobView, jobUrl: string): object {
  const listed = (files: readonly ExportFile[], isProofs: boolean) =>
    files.map((file) => ({
      type: file.deleted === 1 ? 'Bundle' : file.type,
      url: `${jobUrl}/${nameOf(file, isProofs)}`,
    }));
  const output = view.files.filter(({ deleted }) => deleted === 0);
  const deleted = view.files.filter((file) => file.deleted === 1);
  return {
    transactionTime: new Date(view.created).toISOString(),
    request: view.url,
    requiresAccessToken: true,
    output: listed(output, false),
    ...(deleted.length > 0 ? { deleted: listed(deleted, false) } : {}),
    error: [],
    extension: { [PROOFS_EXTENSION]: listed(output, true) },
  };
}

/** One line of a `deleted` file: a transaction that would delete it elsewhere too. */
function deletionLine({ type, id }: StoredVersion): string {
  const entry = [{ request: { method: 'DELETE', url: `${type}/${id}` } }];
  return JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry });
}

/** One line of a `proofs` file: the receipt of the same line's record, and the salt that opens its commitment. */
async function proofLine(outbox: Outbox, version: StoredVersion): Promise<string> {
  const { type, id, version: number, salt } = version;
  const receipt = await outbox.receiptOf({ type, id, version: number });
  return JSON.stringify({
    reference: `${type}/${id}/_history/${number}`,
    salt: toBase64Url(salt),
    // Absent while the version waits to be anchored, some seconds at most.
    ...(receipt ? { receipt: Buffer.from(encodeReceipt(receipt)).toString('base64') } : {}),
  });
}

async function* linesOf(
  chunks: AsyncIterable<ExportChunk>,
  lineOf: (version: StoredVersion) => string | Promise<string>,
): AsyncIterable<string> {
  for await (const { versions } of chunks) {
    let text = '';
    for (const version of versions) text += `${await lineOf(version)}\n`;
    yield text;
  }
}

async function kickOff(
  { desk, baseUrl }: ExportRoutesOptions,
  level: ExportLevel,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = callerOf(request);
  const [path = '', query = ''] = request.url.slice(FHIR_BASE_PATH.length).split('?', 2);
  const asked = parseExportRequest({
    method: request.method === 'POST' ? 'POST' : 'GET',
    query,
    body: typeof request.body === 'string' && request.body !== '' ? request.body : undefined,
    prefer: [request.headers.prefer ?? []].flat().join(','),
    level,
  });
  const url = `${baseUrl}${path}${query === '' ? '' : `?${query}`}`;
  const job = await desk.begin(caller, level, asked, url);
  return reply
    .code(202)
    .header('content-location', `${baseUrl}/$export-jobs/${job}`)
    .type(FHIR_JSON)
    .send(
      JSON.stringify(
        outcomeOf([
          { severity: 'information', code: 'informational', details: { text: 'The export has begun.' } },
        ]),
      ),
    );
}

async function poll(
  { desk, baseUrl }: ExportRoutesOptions,
  request: FastifyRequest<ByJob>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { job } = request.params;
  const view = await desk.look(callerOf(request), job);
  if (view.state === 'listing') {
    const percent = Math.floor(view.progress * 100);
    return reply
      .code(202)
      .header('x-progress', `${percent} % of the vault looked at`)
      .header('retry-after', String(POLL_SECONDS))
      .send();
  }
  if (view.state === 'refused') {
    const text = 'The export could not be made. It may be too large, or one of its filters not supported.';
    const diagnostics =
      'Ask for less at a time: by _type, _since or Group; the log of the server names the job.';
    const issue = { severity: 'error', code: 'processing', details: { text }, diagnostics } as const;
    return reply
      .code(422)
      .type(FHIR_JSON)
      .send(JSON.stringify(outcomeOf([issue])));
  }
  return reply
    .header('expires', new Date(view.expires).toUTCString())
    .type('application/json')
    .send(JSON.stringify(manifestOf(view, `${baseUrl}/$export-jobs/${job}`)));
}

async function download(
  { desk, outbox }: ExportRoutesOptions,
  request: FastifyRequest<ByJob>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { file, isProofs } = fileOf(request.params.file);
  if (isProofs && file.deleted === 1) throw notFound();
  const chunks = await desk.read(callerOf(request), request.params.job, file);
  const textLine = file.deleted === 1 ? deletionLine : (version: StoredVersion) => version.text;
  const lines = linesOf(chunks, isProofs ? (version) => proofLine(outbox, version) : textLine);
  return reply.type(isProofs ? 'application/ndjson' : NDJSON).send(Readable.from(lines));
}

/** `$export` at its three levels; jobs and their files under `$export-jobs` (Bulk Data Access 2.0.0). */
export function exportRoutes(app: FastifyInstance, options: ExportRoutesOptions): void {
  const method = ['GET', 'POST'];
  app.route({
    method,
    url: `${FHIR_BASE_PATH}/$export`,
    handler: (request, reply) => kickOff(options, { kind: 'system' }, request, reply),
  });
  app.route({
    method,
    url: `${FHIR_BASE_PATH}/Patient/$export`,
    handler: (request, reply) => kickOff(options, { kind: 'patient' }, request, reply),
  });
  app.route<{ Params: { readonly id: string } }>({
    method,
    url: `${FHIR_BASE_PATH}/Group/:id/$export`,
    handler: (request, reply) => kickOff(options, { kind: 'group', id: request.params.id }, request, reply),
  });
  const jobs = `${FHIR_BASE_PATH}/$export-jobs/:job`;
  app.get<ByJob>(jobs, (request, reply) => poll(options, request, reply));
  app.delete<ByJob>(jobs, async (request, reply) => {
    await options.desk.cancel(callerOf(request), request.params.job);
    return reply.code(202).send();
  });
  app.get<ByJob>(`${jobs}/:file`, (request, reply) => download(options, request, reply));
}
