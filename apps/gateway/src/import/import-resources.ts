import { fileSource } from './file-source.ts';
import type { ImportEntry } from './import-entries.ts';
import { type ImportFinding, type ImportProblem, type ImportReport, ImportTally } from './import-report.ts';
import type { ImportSource } from './import-source.ts';
import type { ImportTarget, ImportWrite } from './import-target.ts';
import { prepareEntry } from './prepare-entry.ts';
import { ReferenceIndex } from './reference-index.ts';

/** Records stored in one transaction: what an interrupted import does again at most. */
export const IMPORT_BATCH_RECORDS = 100;

/** Records of a survey between two reports of progress. */
const SURVEY_REPORT_RECORDS = 500;
/** Entries without a change after which an import looks up all the same. */
const TAKEN_MAX = 1_000;

/** How an import is watched and stopped. */
export interface ImportControls {
  readonly target: ImportTarget;
  /** Called after every batch, with the counts so far; while the source is surveyed, `read` alone grows. */
  readonly onProgress?: (report: ImportReport) => void;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
}

export interface ImportOptions extends ImportControls {
  /** A file or folder. */
  readonly path: string;
  /** Name of where the data comes from: `synthea`. The same data must come under the same name to be recognized. */
  readonly source: string;
}

type Operation = { readonly kind: 'create' | 'update'; readonly write: ImportWrite };

/** One run over a source. */
export class ImportRun {
  readonly from: ImportSource;
  readonly controls: ImportControls;
  readonly index: ReferenceIndex;
  readonly tally = new ImportTally();
  readonly batch: Operation[] = [];
  /** Entries since the last flush. */
  #taken = 0;

  constructor(from: ImportSource, controls: ImportControls) {
    this.from = from;
    this.controls = controls;
    this.index = new ReferenceIndex(from.name, controls.target);
  }

  /** The run from its beginning to its end. */
  async play(): Promise<ImportReport> {
    await this.survey();
    for (const which of ['patients', 'others'] as const) {
      for await (const entry of this.from.read(which)) await this.take(entry);
      await this.flush();
    }
    await this.from.finished?.();
    return this.tally.report();
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

  /** The first time through: what is there, and what is broken. */
  async survey(): Promise<void> {
    let file: string | undefined;
    for await (const entry of this.from.survey()) {
      if (entry.file !== file) this.tally.count('files');
      file = entry.file;
      const isCounted = entry.entry !== undefined && this.tally.count('read') % SURVEY_REPORT_RECORDS === 0;
      if (!entry.resource) this.refuse(entry, entry.problems);
      else if (await this.index.add(entry.fullUrl, entry.resource)) this.tally.count('distinct');
      if (isCounted) this.report();
    }
    this.report();
  }

  /** Tells how far the run is, and ends it where that was asked for. */
  report(): void {
    this.controls.signal?.throwIfAborted();
    this.controls.onProgress?.(this.tally.report());
  }

  /** Settles one entry, and stores what has come together. */
  async take(entry: ImportEntry): Promise<void> {
    await this.#settle(entry);
    this.#taken += 1;
    // Where nothing changes there is nothing to store, but progress to tell and a place to remember.
    if (this.batch.length >= IMPORT_BATCH_RECORDS || this.#taken >= TAKEN_MAX) await this.flush();
  }

  async #settle(entry: ImportEntry): Promise<void> {
    const prepared = await prepareEntry(entry, this.index);
    if (!prepared.ok) {
      this.index.removeUnsettled(entry.fullUrl);
      this.refuse(entry, prepared.problems);
      return;
    }
    const { write, problems } = prepared;
    const { resourceType } = write.resource;
    const before = this.index.settled(entry.fullUrl, write.contentHash);
    const stored = before === 'nothing' ? await this.controls.target.findBySource(write) : undefined;
    if (before === 'other' || (stored?.resourceType ?? resourceType) !== resourceType) {
      const text = 'The same fullUrl names something else, earlier in this import or at the custodian';
      this.refuse(entry, [{ code: 'import/conflict', expression: resourceType, text }]);
      return;
    }
    if (problems.length > 0) {
      this.tally.count('flagged');
      this.find(entry, 'flagged', problems);
    }
    this.index.settle(entry.fullUrl, write.contentHash);
    if (before === 'same' || stored?.contentMatches(write.contentHash)) {
      this.tally.count('unchanged');
      return;
    }
    this.batch.push({ kind: stored ? 'update' : 'create', write });
  }

  async flush(): Promise<void> {
    this.#taken = 0;
    const operations = this.batch.splice(0);
    this.controls.signal?.throwIfAborted();
    if (operations.length > 0) {
      await this.controls.target.inTransaction(async (writer) => {
        for (const { kind, write } of operations) await writer[kind](write);
      });
      for (const { kind } of operations) this.tally.count(kind === 'create' ? 'created' : 'updated');
    }
    await this.from.settled?.();
    this.report();
  }
}

/** Imports from any source: see {@link importResources}. */
export async function importFrom(from: ImportSource, controls: ImportControls): Promise<ImportReport> {
  const run = new ImportRun(from, controls);
  try {
    return await run.play();
  } finally {
    run.index.close();
  }
}

/**
 * Imports FHIR data that exists elsewhere already: upserts by source and fullUrl, so that a second run changes nothing and an
 * interrupted one goes on. References within the import are rewritten to the records' own ids. Invalid data is stored
 * with its validation result and flagged; what cannot be a record (unparseable, no resource, about a patient who is
 * not here) is refused. Patients are stored first. Memory does not grow with the number of records.
 *
 * @throws {@link ImportError} when the path cannot be read, the target's own errors, and the signal's reason.
 * @example const report = await importResources({ path: 'synthea/', source: 'synthea', target: vault });
 */
export function importResources({ path, source, ...controls }: ImportOptions): Promise<ImportReport> {
  return importFrom(fileSource({ path, source }), controls);
}
