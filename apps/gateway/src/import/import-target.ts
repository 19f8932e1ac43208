import type { LosslessResource } from '@careledger/fhir';
import type { Validation } from '../validation/index.ts';

/** A record's identity at where it came from. */
export interface SourceKey {
  readonly source: string;
  readonly fullUrl: string;
}

/** One record version to store. */
export interface ImportWrite extends SourceKey {
  /**
   * With its stable `id` and resolved references; without `meta.versionId` and `meta.lastUpdated`, which are the
   * vault's to give.
   */
  readonly resource: LosslessResource;
  /** SHA-256 of the canonical text of `resource`. To be kept with the source key, beside the record, encrypted or keyed like it. */
  readonly contentHash: Uint8Array;
  /** Kept with the record version, whatever it says: data that exists elsewhere already is stored and flagged. */
  readonly validation: Validation;
  /** `meta.versionId` at the source, where it gives one. Kept keyed, in the link between the two records. */
  readonly sourceVersion?: string;
}

/** What the custodian has under a source key. */
export interface ImportedRecord {
  readonly resourceType: string;
  readonly id: string;
  /** Was the newest imported version made from content with this hash? The target may keep the hash keyed. */
  readonly contentMatches: (contentHash: Uint8Array) => boolean;
}

/** One record here that came from a source: the link registry's line, without what the source calls it. */
export interface ImportLink {
  readonly resourceType: string;
  readonly id: string;
  /** Was the record changed or deleted here since it was imported? */
  readonly editedHere: boolean;
}

/** Writes inside one transaction of the target. */
export interface ImportWriter {
  /** Stores version 1 under `resource.id`, and the source key with it. */
  create(write: ImportWrite): Promise<void>;
  /** Stores the next version of what the source key names. */
  update(write: ImportWrite): Promise<void>;
}

/** Where imported records go. The vault implements it. */
export interface ImportTarget {
  findBySource(key: SourceKey): Promise<ImportedRecord | undefined>;
  /** The id that a record of this source gets when it is first stored: always the same, and keyed ({@link stableId}). */
  idFor(key: SourceKey): string;
  /** Every record that came from a source. */
  links(source: string): AsyncIterable<ImportLink>;
  /** Is there a current record with this type and id, imported or not? */
  exists(resourceType: string, id: string): Promise<boolean>;
  /** All writes are durable when it resolves, or none is. An import that stops in between goes on with the next run. */
  inTransaction(work: (writer: ImportWriter) => Promise<void>): Promise<void>;
}
