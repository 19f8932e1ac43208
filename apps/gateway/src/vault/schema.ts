import type { PriorityClass } from './priority-class.ts';

/** Numbers are 0 or 1 where SQL would have a boolean: portable between SQLite and PostgreSQL. */
export type Flag = 0 | 1;

/** One version of one resource. Nothing in a row says anything about a patient: what does is in `envelope`. */
export interface VersionTable {
  /** Order of commitment in this vault, from 1, without gaps in what was committed. */
  seq: number;
  type: string;
  id: string;
  /** From 1 for each resource; FHIR's versionId is its decimal text. */
  version: number;
  /** `meta.lastUpdated` in milliseconds. */
  time: number;
  deleted: Flag;
  current: Flag;
  /** Who wrote it: organization and client or user id, never a patient's. */
  actor: string;
  validation: 'valid' | 'flagged';
  /** Which validator judged it: name and version. */
  validator: string;
  /** CBOR of the record leaf, or of the tombstone leaf of a deletion. */
  leaf: Uint8Array;
  leaf_hash: Uint8Array;
  /** AES-256-GCM under the version's own data key. */
  envelope: Uint8Array;
  /** The anchor batch that holds the leaf, once there is one. */
  batch: number | null;
  /** CBOR of the leaf's inclusion proof in its batch. */
  leaf_proof: Uint8Array | null;
}

/** The version's data key, wrapped once for each subject or for the organization. */
export interface VersionKeyTable {
  seq: number;
  key_name: string;
  wrapped: Uint8Array;
}

/**
 * The document that a version holds, and its own leaf; or the tombstone of the document that the version before held.
 * Its leaf goes into the batch of the version.
 */
export interface DocumentTable {
  seq: number;
  /** Name of the chunk file; null for a tombstone. */
  name: string | null;
  /** CBOR of the leaf. Null where the version keeps the document of the one before, whose leaf stands. */
  leaf: Uint8Array | null;
  leaf_hash: Uint8Array | null;
  /** Published by the anchor: the secret of the document leaf that this one retires. */
  retire_secret: Uint8Array | null;
  leaf_proof: Uint8Array | null;
}

/** Versions that no anchor holds yet, written in the transaction of the version itself. */
export interface OutboxTable {
  seq: number;
  /** When it was queued, in milliseconds. */
  queued: number;
  /** Published by the anchor: the secret of the version that this one retires. */
  retire_secret: Uint8Array | null;
  batch: number | null;
  /** Critical versions go into the next batch first. It is gone with the row when the version is anchored. */
  priority: PriorityClass;
}

export type BatchState = 'signed' | 'anchored';

/** One anchor transaction. It is here, signed, before it is submitted. */
export interface BatchTable {
  batch: number;
  state: BatchState;
  body: Uint8Array;
  transaction_id: Uint8Array;
  transaction_bytes: Uint8Array;
  /** Block time after which it can no longer be included, in milliseconds. */
  expires: number;
  leaf_count: number;
  height: number | null;
  position: number | null;
  /** Block time in milliseconds. */
  anchored: number | null;
}

/** Where an imported resource came from, as keyed tokens. */
export interface ImportSourceTable {
  /** Keyed hash of source and fullUrl. */
  token: Uint8Array;
  type: string;
  id: string;
  /** Keyed hash of the imported content; null until it has been stored. */
  content: Uint8Array | null;
}

/** The link registry: which record version here is which one at its source (OFF-22), as keyed tokens. */
export interface ImportLinkTable {
  /** Of `import_source`. */
  token: Uint8Array;
  /** Keyed hash of the source's name. */
  source: Uint8Array;
  /** Keyed hash of `meta.versionId` there; null where it gives none. */
  source_version: Uint8Array | null;
  /** Our version that was made from it. */
  version: number;
}

/** Counters, drawn inside the transaction that uses them. */
export interface CounterTable {
  name: string;
  value: number;
}

export interface VaultTables {
  version: VersionTable;
  version_key: VersionKeyTable;
  document: DocumentTable;
  outbox: OutboxTable;
  batch: BatchTable;
  import_source: ImportSourceTable;
  import_link: ImportLinkTable;
  counter: CounterTable;
  property: { name: string; value: string };
}
