import type { ConsensusValidator, Input } from '../protocol.ts';
import { admit } from './candidate.ts';
import type { Head, Round, VotingState } from './state.ts';
import { startViewChange } from './view-change.ts';
import { change, changeRound, headOf, maySpeak, roundOf, type Work, withEntry } from './work.ts';

/** After this many heartbeats over waiting transactions a leader is taken to leave them out on purpose. */
const STARVED_HEARTBEATS_MAX = 3;

/**
 * A height is final and durable: its certificate is the stable checkpoint, signed by a quorum over a header that
 * commits to the state, so the log up to it is discarded (Castro and Liskov 1999, section 4.3).
 */
export function onAdvanced(work: Work, input: Extract<Input, { readonly type: 'advanced' }>): void {
  const { head: before, record } = work.state;
  if (before && input.engineHeight <= before.engineHeight) return;
  const { engineHeight, time, ledgerHeight, headerHash, certificate } = input;
  const given: Head = { engineHeight, time, ledgerHeight, headerHash, certificate };
  const head = record && isHeartbeatAfter(record.head, given) ? record.head : given;
  const starved = before && isStarvedBy(work, head) ? work.state.starved + 1 : 0;
  const round = beginRound(work, head);
  change(work, {
    head,
    round,
    starved,
    validators: input.validators,
    pending: { count: 0, bytes: 0, since: work.state.elapsed },
    early: withoutHeightsBelow(work.state, round.engineHeight),
    behindAt: undefined,
    record: record && record.head.engineHeight >= head.engineHeight ? record : undefined,
  });
  if (record && record.head.engineHeight === head.engineHeight) resume(work);
  else if (starved >= STARVED_HEARTBEATS_MAX) leaveStarvingLeader(work);
}

/** Heartbeats are not in the driver's store: the votes remember the last one. */
function isHeartbeatAfter(recorded: Head, given: Head): boolean {
  return (
    recorded.engineHeight > given.engineHeight &&
    recorded.ledgerHeight === given.ledgerHeight &&
    recorded.headerHash === given.headerHash
  );
}

function beginRound(work: Work, head: Head): Round {
  const { elapsed } = work.state;
  const startView = head.certificate ? work.settings.schedule.startView(head.certificate.view) : 0;
  return {
    engineHeight: head.engineHeight + 1,
    startView,
    view: startView,
    active: true,
    required: undefined,
    candidates: new Map(),
    votes: new Map(),
    viewChanges: new Map(),
    prepared: undefined,
    preparedView: -1,
    committedView: -1,
    building: undefined,
    deciding: false,
    certified: undefined,
    accused: new Set(),
    outbox: [],
    sentAt: elapsed,
    resends: 0,
    beganAt: elapsed,
    viewBeganAt: elapsed,
    quorumAt: undefined,
    acceptedAt: undefined,
  };
}

function withoutHeightsBelow(state: VotingState, engineHeight: number): VotingState['early'] {
  let kept: VotingState['early'] = new Map();
  for (const [signer, messages] of state.early) {
    const useful = messages.filter((message) => message.engineHeight >= engineHeight);
    if (useful.length > 0) kept = withEntry(kept, signer, useful);
  }
  return kept;
}

/**
 * Takes up the height it voted on before the restart. It never speaks again in a view it may have spoken in: it asks
 * for the next one, or repeats the request that was out.
 */
function resume(work: Work): void {
  const { record } = work.state;
  if (!record || !maySpeak(work)) return;
  const view = record.active ? record.view + 1 : record.view;
  changeRound(work, { prepared: record.prepared, preparedView: view - 1, committedView: view - 1 });
  if (record.prepared) admit(work, record.prepared.proof.digest, record.prepared.proposal);
  startViewChange(work, view);
}

/** Was this height spent on a heartbeat, by another leader, while transactions waited here all along? */
function isStarvedBy(work: Work, head: Head): boolean {
  const { pending, elapsed } = work.state;
  const { timing } = work.settings;
  const sealed = head.ledgerHeight !== headOf(work).ledgerHeight;
  return !sealed && pending.count > 0 && 2 * (elapsed - pending.since) >= timing.heartbeatMs;
}

/** A leader that passes by what clients sent is faulty (section 4.4: a request that is not executed in time). */
function leaveStarvingLeader(work: Work): void {
  const { engineHeight, view } = roundOf(work);
  const leaderAt = (height: number): ConsensusValidator['key'] =>
    work.settings.schedule.leader(work.state.validators, height, view);
  change(work, { starved: 0 });
  const leader = leaderAt(engineHeight);
  if (leader !== leaderAt(engineHeight - 1) || leader === work.settings.self) return;
  startViewChange(work, view + 1);
}
