import type { ImportEntry } from './import-entries.ts';

/** Whom everything else is about comes first. */
export type Which = 'patients' | 'others';

/**
 * Where FHIR data comes from: files, a FHIR server, or what else there will be. Every source keeps the contract of
 * `source-contract.test.ts`: the same records under the same names, in an order of its own, as often as it is asked.
 */
export interface ImportSource {
  /** With `fullUrl` it identifies a record over all imports. */
  readonly name: string;
  /** Everything once, to know what is there. Contents may be cut down to what identifies a record; what is broken comes here alone. */
  survey(): AsyncIterable<ImportEntry>;
  /** Whole resources. */
  read(which: Which): AsyncIterable<ImportEntry>;
  /** Everything that was handed over is durable: what an interrupted run need not read again. */
  settled?(): Promise<void>;
  /** The run has come to its end. */
  finished?(): Promise<void>;
}
