import type { LosslessObject, LosslessResource } from '@careledger/fhir';
import type { InclusionProof, RecordLeaf } from '@careledger/ledger';

/** The newest version of a record with everything that an anchor says of it. */
export interface ReleasableRecord {
  readonly type: string;
  readonly id: string;
  readonly version: number;
  /** Canonical text: exactly what `vread` returns. */
  readonly text: string;
  readonly salt: Uint8Array;
  /** Patient ids of this gateway. */
  readonly subjects: readonly string[];
  readonly leaf: RecordLeaf;
  readonly leafProof: InclusionProof;
  readonly anchor: { readonly height: number; readonly index: number };
  /** The leaf that this version replaces. */
  readonly previous?: RecordLeaf;
}

export type SearchTerms = readonly (readonly [name: string, value: string])[];

export interface RecordQuery {
  readonly patientId: string;
  /** All types when absent. */
  readonly types?: readonly string[];
  /** A search over one type instead of a listing. */
  readonly search?: { readonly type: string; readonly terms: SearchTerms };
  readonly countMax: number;
  /** Where the page before ended. */
  readonly after?: string;
}

export interface RecordPage {
  readonly records: readonly ReleasableRecord[];
  /** How many records the question wants on one page. */
  readonly size: number;
  readonly next?: string;
}

export interface RecordWrite {
  readonly id: string;
  readonly actor: string;
  /** A copy of another organization's record: kept, and flagged, even where our own writes would be refused. */
  readonly isCopy?: boolean;
}

/** Writes inside one transaction of the vault. */
export interface RecordWriter {
  create(resource: LosslessResource, write: RecordWrite): Promise<void>;
  /** Replaces the newest version. */
  update(resource: LosslessResource, write: RecordWrite): Promise<void>;
}

/** What the exchange asks of the organization's own records: the vault and its search index. */
export interface ExchangeRecords {
  /** The Patient, unless there is none or it was deleted. */
  readPatient(id: string): Promise<LosslessResource | undefined>;
  read(type: string, id: string): Promise<LosslessResource | undefined>;
  /** Anchored records of one patient, newest versions only. Those that no anchor holds yet are left out. */
  find(query: RecordQuery): Promise<RecordPage>;
  /** Ids of the patients whom a Patient resource describes with certainty. */
  findPatients(description: LosslessObject): Promise<readonly string[]>;
  /** Durable when it resolves; nothing of it happened when it throws. */
  write<Value>(work: (writer: RecordWriter) => Promise<Value>): Promise<Value>;
}
