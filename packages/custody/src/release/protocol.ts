import type { ChainId, Commitment, ConsentId, OrganizationId } from '@careledger/primitives';
import type { DisclosureLeaf } from '../disclosure-leaf.ts';
import type { JournalEntry } from '../journal/entry.ts';
import type { HeadFacts } from './freshness.ts';

/** Who asks for what: the same for every chunk of one answer. */
export interface ReleaseRequest {
  readonly chain: ChainId;
  readonly custodian: OrganizationId;
  readonly recipient: OrganizationId;
  readonly requestId: Uint8Array;
  /** HL7 v3 PurposeOfUse code. */
  readonly purpose: string;
  readonly requestingUser?: string;
  /** Consents that this release may stand on, one lock each. For an unknown handle: the request itself. */
  readonly lockKeys: readonly string[];
}

/** What `decide` answered about one patient and one purpose. */
export interface ReleaseDecision {
  readonly outcome: 'permit' | 'deny';
  readonly ground?: string;
  readonly ruleIds: readonly string[];
  /** What must be done with a release: `redisclosure-notice`, `review`, ... */
  readonly obligations: readonly string[];
  readonly policyVersion: string;
  /** For a denial: why, in the rule pack's words. Goes into the journal, never to who asked. */
  readonly reason?: string;
}

/** One record version that may go into this chunk. */
export interface CandidateRecord {
  readonly commitment: Commitment;
  readonly type: string;
  /** Codes of its security labels. */
  readonly labels: readonly string[];
  /** Local Patient ids, all of whom must permit. Empty: not about a patient. */
  readonly subjects: readonly string[];
}

/** Facts about one patient in the state read under the lock. `undefined` fields mean: nothing is known. */
export interface SubjectFacts<Facts> {
  /** Local Patient id; empty for a handle that stands for nobody. */
  readonly subject: string;
  readonly consentId?: ConsentId;
  readonly facts: Facts;
}

/** Everything read under the lock for one chunk, with the randomness it needs. */
export interface ChunkFacts<Facts> {
  readonly now: number;
  readonly head: HeadFacts;
  /** The patient asked for, first; then everybody else whom a candidate record is about. */
  readonly subjects: readonly [SubjectFacts<Facts>, ...SubjectFacts<Facts>[]];
  readonly records: readonly CandidateRecord[];
  readonly last: boolean;
  /** 16 and 32 fresh random bytes. */
  readonly entryId: Uint8Array;
  readonly salt: Uint8Array;
}

/** What to journal: the entry, and the salt of its leaf. */
export interface JournalWrite {
  readonly entry: JournalEntry;
  readonly salt: Uint8Array;
}

export type ReleaseInput<Facts> =
  | { readonly type: 'start' }
  /** All locks are held. */
  | { readonly type: 'locked' }
  | { readonly type: 'facts'; readonly facts: ChunkFacts<Facts> }
  /** The entry is on disk, synced. */
  | { readonly type: 'synced' }
  /** The clock, read immediately before the write: the driver does nothing between this and the effects that follow. */
  | { readonly type: 'clock'; readonly now: number; readonly entryId: Uint8Array; readonly salt: Uint8Array }
  /** The chunk was handed to the socket. */
  | { readonly type: 'written' }
  /** Reading, syncing or writing failed: nothing more is released. */
  | { readonly type: 'failed' };

export type ReleaseEffect =
  | { readonly type: 'lock'; readonly keys: readonly string[] }
  | { readonly type: 'readFacts'; readonly chunk: number }
  /** Append and sync; answer `synced`. Nothing may leave before. */
  | { readonly type: 'journal'; readonly write: JournalWrite }
  /** Sign the leaf and have the chunk's bytes ready, so that nothing slow stands between clock and write. */
  | {
      readonly type: 'prepare';
      readonly leaf: DisclosureLeaf;
      readonly released: readonly number[];
      readonly obligations: readonly string[];
    }
  /** Answer `clock`. */
  | { readonly type: 'readClock' }
  /** Hand what was prepared to the socket, now; answer `written`. */
  | { readonly type: 'release' }
  /** Tell nothing: the same answer for unknown, not permitted and not there. */
  | { readonly type: 'refuse' }
  | { readonly type: 'unlock' };

export interface ReleaseState {
  readonly phase:
    | 'new'
    | 'locking'
    | 'reading'
    | 'syncing'
    | 'checking'
    | 'writing'
    | 'refusing'
    | 'released'
    | 'refused'
    | 'failed';
  readonly request: ReleaseRequest;
  readonly chunk: number;
  readonly pending?: {
    readonly write: JournalWrite;
    readonly leaf: DisclosureLeaf;
    readonly released: readonly number[];
    readonly obligations: readonly string[];
    readonly last: boolean;
  };
}

export interface ReleaseStep {
  readonly next: ReleaseState;
  readonly effects: readonly ReleaseEffect[];
}

/** Judges one patient's facts: as a whole, or for one record. The rule pack behind it is the charter's. */
export type Decide<Facts> = (facts: Facts, record?: CandidateRecord) => ReleaseDecision;
