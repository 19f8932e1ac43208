import { toHex } from '@careledger/primitives';
import { type ImportEntry, readImport } from './import-entries.ts';
import { type ImportFinding, type ImportProblem, type ImportReport, ImportTally } from './import-report.ts';
import type { ImportTarget, ImportWrite } from './import-target.ts';
import { prepareEntry } from './prepare-entry.ts';
import { ReferenceIndex } from './reference-index.ts';

/** Records stored in one transaction: what an interrupted import does again at most. */
export const IMPORT_BATCH_RECORDS = 100;

export interface ImportOptions {
  /** A file or folder. */
  readonly path: string;
  /** Name of where the data comes from: `synthea`. The same data must come under the same name to be recognized. */
  readonly source: string;
  readonly target: ImportTarget;
  /** Called after every batch, with the counts so far. */
  readonly onProgress?: (report: ImportReport) => void;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
}

type Operation = { readonly kind: 'create' | 'update'; readonly write: ImportWrite };

/** One run over a file or folder. */
class ImportRun {
  readonly options: ImportOptions;
  readonly index: ReferenceIndex;
  readonly tally = new ImportTally();
  /** Content of what this run has seen, by fullUrl: bundles of one export share practitioners and organizations. */
  readonly seen = new Map<string, string>();
  readonly batch: Operation[] = [];

  constructor(options: ImportOptions) {
    this.options = options;
    this.index = new ReferenceIndex(options.source, options.target);
  }

  entries(): AsyncIterable<ImportEntry> {
    return readImport({ path: this.options.path, source: this.options.source });
  }

  find(entry: ImportEntry, outcome: ImportFinding['outcome'], problems: readonly ImportProblem[]): void {
    const place = { file: entry.file, outcome, ...(entry.entry === undefined ? {} : { entry: entry.entry }) };
    for (const each of problems) this.tally.find({ ...place, ...each });
  }

  refuse(entry: ImportEntry, problems: readonly ImportProblem[]): void {
    // A file that is broken as a whole is no entry.
    this.tally.count(entry.entry === undefined ? 'brokenFiles' : 'refused');
    this.find(entry, 'refused', problems);
  }

  /** The first time through: what is there, what is broken, and the patients, whom everything else is about. */
  async survey(): Promise<readonly ImportEntry[]> {
    const patients: ImportEntry[] = [];
    const files = new Set<string>();
    for await (const entry of this.entries()) {
      if (!files.has(entry.file)) this.tally.count('files');
      files.add(entry.file);
      if (entry.entry !== undefined) this.tally.count('read');
      if (!entry.resource) this.refuse(entry, entry.problems);
      else {
        if (this.index.add(entry.fullUrl, entry.resource)) this.tally.count('distinct');
        if (entry.resource.resourceType === 'Patient') patients.push(entry);
      }
    }
    return patients;
  }

  async take(entry: ImportEntry): Promise<void> {
    const prepared = await prepareEntry(entry, this.index);
    if (!prepared.ok) {
      if (!this.seen.has(entry.fullUrl)) this.index.remove(entry.fullUrl);
      this.refuse(entry, prepared.problems);
      return;
    }
    const { write, problems } = prepared;
    const { resourceType } = write.resource;
    const content = toHex(write.contentHash);
    const before = this.seen.get(entry.fullUrl);
    const stored = before === undefined ? await this.options.target.findBySource(write) : undefined;
    if ((before ?? content) !== content || (stored?.resourceType ?? resourceType) !== resourceType) {
      const text = 'The same fullUrl names something else, earlier in this import or at the custodian';
      this.refuse(entry, [{ code: 'import/conflict', expression: resourceType, text }]);
      return;
    }
    if (problems.length > 0) {
      this.tally.count('flagged');
      this.find(entry, 'flagged', problems);
    }
    this.seen.set(entry.fullUrl, content);
    if (before !== undefined || stored?.contentMatches(write.contentHash)) {
      this.tally.count('unchanged');
      return;
    }
    this.batch.push({ kind: stored ? 'update' : 'create', write });
    if (this.batch.length >= IMPORT_BATCH_RECORDS) await this.flush();
  }

  async flush(): Promise<void> {
    const operations = this.batch.splice(0);
    this.options.signal?.throwIfAborted();
    if (operations.length > 0) {
      await this.options.target.inTransaction(async (writer) => {
        for (const { kind, write } of operations) await writer[kind](write);
      });
      for (const { kind } of operations) this.tally.count(kind === 'create' ? 'created' : 'updated');
    }
    this.options.onProgress?.(this.tally.report());
  }
}

/**
 * Imports FHIR data that exists elsewhere already: upserts by source and fullUrl, so that a second run changes nothing and an
 * interrupted one goes on. References within the import are rewritten to the records' own ids. Invalid data is stored
 * with its validation result and flagged; what cannot be a record (unparseable, no resource, about a patient who is
 * not here) is refused. Patients are stored first.
 *
 * @throws {@link ImportError} when the path cannot be read, the target's own errors, and the signal's reason.
 * @example const report = await importResources({ path: 'synthea/', source: 'synthea', target: vault });
 */
export async function importResources(options: ImportOptions): Promise<ImportReport> {
  const run = new ImportRun(options);
  const patients = await run.survey();
  for (const patient of patients) await run.take(patient);
  await run.flush();
  for await (const entry of run.entries()) {
    if (entry.resource && entry.resource.resourceType !== 'Patient') await run.take(entry);
  }
  await run.flush();
  return run.tally.report();
}
