import { invariant } from '@careledger/primitives';
import type { DisclosureLeaf } from '../disclosure-leaf.ts';
import { recordsDigest } from '../disclosure-leaf.ts';
import { entryCommitment, type JournalEntry, journalEntryCodec } from '../journal/entry.ts';
import { CHUNK_RECORDS_MAX, CHUNK_SUBJECTS_MAX, CHUNK_TYPES_MAX } from '../limits.ts';
import { isFresh, releaseBefore } from './freshness.ts';
import type {
  ChunkFacts,
  Decide,
  JournalWrite,
  ReleaseDecision,
  ReleaseEffect,
  ReleaseInput,
  ReleaseRequest,
  ReleaseState,
  ReleaseStep,
} from './protocol.ts';

/** Begins one answer to one request. */
export function newRelease(request: ReleaseRequest): ReleaseState {
  return { phase: 'new', request, chunk: 0 };
}

/**
 * The release protocol (section 6 of the design): lock, read, decide, write ahead, sync, look at the clock again,
 * release; then the next chunk from the start. A denial takes the same way through the journal as a release.
 *
 * @throws InvariantError for an input that the phase does not wait for: a driver's bug.
 */
export function stepRelease<Facts>(
  state: ReleaseState,
  input: ReleaseInput<Facts>,
  decide: Decide<Facts>,
): ReleaseStep {
  switch (input.type) {
    case 'start':
      invariant(state.phase === 'new', 'a release starts once');
      return takeLock(state);
    case 'locked':
      invariant(state.phase === 'locking', 'locks are granted to who asked');
      return { next: { ...state, phase: 'reading' }, effects: [{ type: 'readFacts', chunk: state.chunk }] };
    case 'facts':
      invariant(state.phase === 'reading', 'facts are read under the lock');
      return judge(state, input.facts, decide);
    case 'synced':
      return afterSync(state);
    case 'clock':
      invariant(state.phase === 'checking', 'the clock is read before the write');
      return recheck(state, input);
    case 'written':
      invariant(state.phase === 'writing', 'only a released chunk is written');
      return afterWrite(state);
    case 'failed':
      return end(state, 'failed', [{ type: 'unlock' }]);
  }
}

function end(
  state: ReleaseState,
  phase: 'released' | 'refused' | 'failed',
  effects: readonly ReleaseEffect[],
): ReleaseStep {
  const { pending: _, ...rest } = state;
  return { next: { ...rest, phase }, effects };
}

function takeLock(state: ReleaseState): ReleaseStep {
  return { next: { ...state, phase: 'locking' }, effects: [{ type: 'lock', keys: state.request.lockKeys }] };
}

function entryBase(
  state: ReleaseState,
  facts: { readonly now: number; readonly entryId: Uint8Array },
): Omit<JournalEntry, 'event'> {
  const { request } = state;
  return {
    kind: 'careledger/journal-entry/1',
    id: facts.entryId,
    time: facts.now,
    organization: request.custodian,
    counterpart: request.recipient,
    ...(request.requestingUser === undefined ? {} : { requestingUser: request.requestingUser }),
    purpose: request.purpose,
    ruleIds: [],
    subjects: [],
    requestId: request.requestId,
    chunk: state.chunk,
    description: [],
    withheld: 0,
    late: false,
  };
}

function judge<Facts>(state: ReleaseState, facts: ChunkFacts<Facts>, decide: Decide<Facts>): ReleaseStep {
  invariant(facts.records.length <= CHUNK_RECORDS_MAX, 'a chunk holds at most its limit of records');
  invariant(facts.subjects.length <= CHUNK_SUBJECTS_MAX, 'a chunk concerns at most its limit of patients');
  const asked = decide(facts.subjects[0].facts);
  const isEmergency = asked.outcome === 'permit' && asked.ground === 'emergency';
  // A stale head could hide a revocation. An emergency goes on without it: journalled, marked late, reviewed.
  const isStale = !isFresh(facts.head.time, facts.now);
  if (asked.outcome === 'deny') return refuse(state, facts, asked, asked.reason ?? 'policy/denied');
  if (isStale && !isEmergency) return refuse(state, facts, asked, 'release/ledger-stale');

  const factsOf = new Map(facts.subjects.map((subject) => [subject.subject, subject.facts]));
  const permissions = facts.records.map((record) => {
    const decisions = record.subjects.map((subject) => {
      const known = factsOf.get(subject);
      return known === undefined ? undefined : decide(known, record);
    });
    return decisions.every((decision) => decision?.outcome === 'permit') ? decisions : undefined;
  });
  const released = permissions.flatMap((decisions, index) => (decisions ? [index] : []));
  const stoodOn = [asked, ...permissions.flatMap((decisions) => decisions ?? [])];
  return writeAhead(state, facts, {
    asked,
    stoodOn: stoodOn.filter((decision) => decision !== undefined),
    released,
    isLate: isStale,
  });
}

function refuse<Facts>(
  state: ReleaseState,
  facts: ChunkFacts<Facts>,
  decision: ReleaseDecision,
  reason: string,
): ReleaseStep {
  const [asked] = facts.subjects;
  const entry: JournalEntry = {
    ...entryBase(state, facts),
    event: 'refusal',
    reason,
    ruleIds: decision.ruleIds,
    policyVersion: decision.policyVersion,
    subjects: asked.subject === '' ? [] : [asked.subject],
    ...(asked.consentId === undefined ? {} : { consentId: asked.consentId }),
  };
  const write = { entry, salt: facts.salt };
  return { next: { ...state, phase: 'refusing' }, effects: [{ type: 'journal', write }] };
}

function describe<Facts>(facts: ChunkFacts<Facts>, released: readonly number[]): JournalEntry['description'] {
  const counts = new Map<string, number>();
  for (const index of released) {
    const type = facts.records[index]?.type ?? '';
    const name = counts.has(type) || counts.size < CHUNK_TYPES_MAX - 1 ? type : 'other';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([type, count]) => ({ type, count }));
}

/** Rules named in one journal entry. */
const RULES_MAX = 8;

function distinct(words: readonly string[]): readonly string[] {
  return [...new Set(words)];
}

interface Permission {
  readonly asked: ReleaseDecision;
  /** Every decision that the chunk stands on. */
  readonly stoodOn: readonly ReleaseDecision[];
  readonly released: readonly number[];
  readonly isLate: boolean;
}

function writeAhead<Facts>(
  state: ReleaseState,
  facts: ChunkFacts<Facts>,
  permission: Permission,
): ReleaseStep {
  const { asked, stoodOn, released, isLate } = permission;
  const { request } = state;
  const [patient] = facts.subjects;
  const concerned = new Set([
    patient.subject,
    ...released.flatMap((index) => facts.records[index]?.subjects ?? []),
  ]);
  const commitments = released.flatMap((index) => facts.records[index]?.commitment ?? []);
  const ground = asked.ground ?? 'consent';
  const until = releaseBefore(isLate ? facts.now : facts.head.time);
  const consent = patient.consentId === undefined ? {} : { consentId: patient.consentId };
  const records = recordsDigest(commitments);
  const entry: JournalEntry = {
    ...entryBase(state, facts),
    ...consent,
    event: 'disclosure',
    ground,
    policyVersion: asked.policyVersion,
    ruleIds: distinct(stoodOn.flatMap((decision) => decision.ruleIds)).slice(0, RULES_MAX),
    subjects: [...concerned],
    description: describe(facts, released),
    records,
    withheld: facts.records.length - released.length,
    releaseBefore: until,
    late: isLate,
  };
  const write: JournalWrite = { entry, salt: facts.salt };
  const leaf: DisclosureLeaf = {
    ...consent,
    kind: 'careledger/disclosure-leaf/1',
    chain: request.chain,
    custodian: request.custodian,
    recipient: request.recipient,
    requestId: request.requestId,
    chunk: state.chunk,
    entry: entryCommitment(journalEntryCodec.encode(entry), facts.salt),
    purpose: request.purpose,
    ground,
    records,
    recordCount: released.length,
    head: facts.head,
    releaseBefore: until,
  };
  const obligations = distinct(stoodOn.flatMap((decision) => decision.obligations));
  const pending = { write, leaf, released, obligations, last: facts.last };
  return { next: { ...state, phase: 'syncing', pending }, effects: [{ type: 'journal', write }] };
}

function afterSync(state: ReleaseState): ReleaseStep {
  if (state.phase === 'refusing') return end(state, 'refused', [{ type: 'refuse' }, { type: 'unlock' }]);
  invariant(state.phase === 'syncing' && state.pending, 'a sync answers a write');
  const { leaf, released, obligations } = state.pending;
  return {
    next: { ...state, phase: 'checking' },
    effects: [{ type: 'prepare', leaf, released, obligations }, { type: 'readClock' }],
  };
}

function recheck(
  state: ReleaseState,
  clock: { readonly now: number; readonly entryId: Uint8Array; readonly salt: Uint8Array },
): ReleaseStep {
  const { pending } = state;
  invariant(pending, 'something is pending');
  const isInTime = clock.now <= pending.leaf.releaseBefore;
  const isStillFresh = pending.write.entry.late || isFresh(pending.leaf.head.time, clock.now);
  if (isInTime && isStillFresh) {
    return { next: { ...state, phase: 'writing' }, effects: [{ type: 'release' }] };
  }
  // The write-ahead entry announced what then did not happen: a second entry says so, by the first one's commitment.
  const entry: JournalEntry = {
    ...entryBase(state, clock),
    event: 'refusal',
    reason: 'release/too-late',
    subjects: pending.write.entry.subjects,
    counterpartEntry: pending.leaf.entry,
    ...(pending.leaf.consentId === undefined ? {} : { consentId: pending.leaf.consentId }),
  };
  const { pending: _, ...rest } = state;
  const write = { entry, salt: clock.salt };
  return { next: { ...rest, phase: 'refusing' }, effects: [{ type: 'journal', write }] };
}

function afterWrite(state: ReleaseState): ReleaseStep {
  invariant(state.pending, 'what was written was pending');
  if (state.pending.last) return end(state, 'released', [{ type: 'unlock' }]);
  // Between two chunks the lock is given back, so that a waiting revocation takes its turn.
  const { pending: _, ...rest } = state;
  const next = takeLock({ ...rest, chunk: state.chunk + 1 });
  return { next: next.next, effects: [{ type: 'unlock' }, ...next.effects] };
}
