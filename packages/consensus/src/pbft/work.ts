import { invariant } from '@careledger/primitives';
import type { Effect, ValidatorKey } from '../protocol.ts';
import { type Envelope, encodeMessage } from './messages.ts';
import type { Schedule, VotingLimits, VotingOptions, VotingTiming } from './options.ts';
import { isValidator } from './quorum.ts';
import { votingRecordCodec } from './record.ts';
import { type Head, NO_VOTES, type Round, type ViewVotes, type VotingState } from './state.ts';

export interface Settings extends VotingOptions {
  readonly timing: VotingTiming;
  readonly limits: VotingLimits;
  readonly schedule: Schedule;
}

/** One step in the making: the state is replaced piece by piece, never changed in place. */
export interface Work {
  readonly settings: Settings;
  state: VotingState;
  readonly effects: Effect[];
  /** Something was said that must survive a restart. */
  unsaved: boolean;
}

export function change(work: Work, part: Partial<VotingState>): void {
  work.state = { ...work.state, ...part };
}

export function headOf(work: Work): Head {
  invariant(work.state.head, 'a height is worked on only after the driver named its head');
  return work.state.head;
}

export function roundOf(work: Work): Round {
  invariant(work.state.round, 'a height is worked on only after the driver named its head');
  return work.state.round;
}

export function changeRound(work: Work, part: Partial<Round>): void {
  change(work, { round: { ...roundOf(work), ...part } });
}

export function votesIn(work: Work, view: number): ViewVotes {
  return roundOf(work).votes.get(view) ?? NO_VOTES;
}

export function changeVotes(work: Work, view: number, part: Partial<ViewVotes>): void {
  const votes = new Map(roundOf(work).votes);
  votes.set(view, { ...votesIn(work, view), ...part });
  changeRound(work, { votes });
}

/** The map with one more entry. */
export function withEntry<Key, Value>(map: ReadonlyMap<Key, Value>, key: Key, value: Value): Map<Key, Value> {
  return new Map(map).set(key, value);
}

export function leaderOf(work: Work, view: number): ValidatorKey {
  return work.settings.schedule.leader(work.state.validators, roundOf(work).engineHeight, view);
}

/** What every payload of this height and view begins with. */
export function positionIn(
  work: Work,
  view: number,
): { chain: Uint8Array; engineHeight: number; view: number } {
  return { chain: work.settings.chain, engineHeight: roundOf(work).engineHeight, view };
}

/**
 * May this node speak at this height? Not as a follower, not while the driver holds a decision, and not at a height
 * below the one it voted on before a restart: it no longer knows what it said there.
 */
export function maySpeak(work: Work): boolean {
  const { record, validators } = work.state;
  const round = roundOf(work);
  if (round.deciding || !isValidator(validators, work.settings.self)) return false;
  return record === undefined || record.head.engineHeight + 1 <= round.engineHeight;
}

/** Signs a payload as this node. */
export function signed(work: Work, payload: Uint8Array): Envelope {
  return { payload, signer: work.settings.self, signature: work.settings.sign(payload) };
}

/** Broadcasts, keeps the message to be sent again, and marks the step for persistence. */
export function say(work: Work, envelope: Envelope): void {
  const bytes = encodeMessage(envelope);
  work.effects.push({ type: 'broadcast', bytes });
  const outbox = [...roundOf(work).outbox, bytes];
  changeRound(work, { outbox, sentAt: work.state.elapsed });
  work.unsaved = true;
}

/**
 * Puts one `persist` with the final record of the step before everything else it does. A later record contains the
 * earlier ones, and being durable early is always safe.
 */
export function persistFirst(work: Work): void {
  if (!work.unsaved) return;
  const { view, active, prepared } = roundOf(work);
  const bytes = votingRecordCodec.encode({ head: headOf(work), view, active, prepared });
  work.effects.unshift({ type: 'persist', bytes });
}
