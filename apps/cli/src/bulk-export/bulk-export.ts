import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from '../errors.ts';
import { type HttpsAnswer, headerOf } from '../https-request.ts';
import { type Downloaded, type MemberSession, refusal } from './member-session.ts';

/** In a manifest: files of receipts, beside the files of records. */
const PROOFS_EXTENSION = 'https://careledger.example/fhir/proofs';
const FILE = /^[A-Za-z]+(-[A-Za-z]+)?-\d{1,6}\.ndjson$/;

export type Tell = (progress: {
  readonly doing: string;
  readonly done?: number;
  readonly total?: number;
}) => void;

export interface BulkExportReport {
  readonly folder: string;
  /** What the export is as of; the next one's `_since`. */
  readonly transactionTime: string;
  readonly files: readonly (Downloaded & { readonly name: string })[];
}

interface Listed {
  readonly url: string;
}

/** Bulk Data Access 2.0.0, "Response - Complete Status". */
interface Manifest {
  readonly transactionTime: string;
  readonly output: readonly Listed[];
  readonly deleted?: readonly Listed[];
  readonly extension?: Readonly<Record<string, readonly Listed[] | undefined>>;
}

function strange(): CliError {
  return new CliError(
    'export/answer',
    'The member answered as no bulk export does.',
    'Is it of this version? Its log says what it was asked.',
  );
}

/** @throws {@link CliError} `cli/file-exists`. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (cause) {
    throw new CliError(
      'cli/file-exists',
      `${folder} stands already, or cannot be made.`,
      'Choose another name; the folder that it is in must exist.',
      { cause },
    );
  }
}

/** The names of the files to fetch. The token goes to files of this job alone, whatever a manifest says. */
function filesOf(manifest: Manifest, job: string): readonly string[] {
  const listed = [
    manifest.output,
    manifest.deleted ?? [],
    manifest.extension?.[PROOFS_EXTENSION] ?? [],
  ].flat();
  const names = listed.map(({ url }) => (url.startsWith(`${job}/`) ? url.slice(job.length + 1) : ''));
  if (!names.every((name) => FILE.test(name)) || new Set(names).size !== names.length) throw strange();
  return names;
}

function manifestOf({ body }: HttpsAnswer): Manifest {
  try {
    const manifest = JSON.parse(Buffer.from(body).toString('utf8')) as Manifest;
    if (typeof manifest.transactionTime === 'string' && Array.isArray(manifest.output)) return manifest;
  } catch {
    // Told below.
  }
  throw strange();
}

async function untilReady(session: MemberSession, job: string, tell: Tell): Promise<Manifest> {
  for (;;) {
    const answer = await session.get(job, { accept: 'application/json' });
    if (answer.status === 200) return manifestOf(answer);
    if (answer.status !== 202) throw refusal(answer);
    tell({ doing: headerOf(answer, 'x-progress') ?? 'being listed' });
    await session.pause(headerOf(answer, 'retry-after'));
  }
}

/**
 * Asks for a bulk export, waits for it, downloads its files with their proofs, and ends the job, whatever happens on
 * the way. The manifest is written last: a folder with it is whole.
 *
 * @throws {@link CliError} `cli/file-exists`, `export/refused`, `export/answer`, and what the connection throws.
 */
export async function bulkExport(
  session: MemberSession,
  asked: {
    /** `''`, `Patient/` or `Group/<id>/`. */
    readonly level: string;
    readonly parameters: Readonly<Record<string, string>>;
    readonly folder: string;
    readonly tell: Tell;
  },
): Promise<BulkExportReport> {
  const { level, parameters, folder, tell } = asked;
  makeFolder(folder);
  const query = new URLSearchParams(parameters).toString();
  const begun = await session.begin(`${session.base}/${level}$export${query === '' ? '' : `?${query}`}`, {
    prefer: 'respond-async',
    accept: 'application/fhir+json',
  });
  if (begun.status !== 202) throw refusal(begun);
  const job = headerOf(begun, 'content-location');
  if (!job?.startsWith(`${session.base}/$export-jobs/`)) throw strange();
  try {
    const manifest = await untilReady(session, job, tell);
    const names = filesOf(manifest, job);
    const files: (Downloaded & { readonly name: string })[] = [];
    for (const name of names) {
      tell({ doing: 'downloading', done: files.length, total: names.length });
      files.push({ name, ...(await session.download(`${job}/${name}`, join(folder, name))) });
    }
    const { transactionTime } = manifest;
    const whole = { transactionTime, request: { level, parameters }, files };
    writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify(whole, null, 2)}\n`, {
      ...{ flag: 'wx', mode: 0o600, flush: true },
    });
    return { folder, transactionTime, files };
  } finally {
    // The server forgets it after a day by itself: what the export came to is not hidden behind this.
    await session.cancel(job).catch(() => undefined);
  }
}
