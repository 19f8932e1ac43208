import { admit, holds } from './candidate.ts';
import { commitBytes } from './certificate.ts';
import { decideByCertificate, decideByCommits } from './decide.ts';
import { accuse, noteLeaderSignature } from './evidence.ts';
import { type MessageOf, prepareBytes } from './messages.ts';
import { isQuorum } from './quorum.ts';
import type { AcceptedPrePrepare, Candidate } from './state.ts';
import {
  changeRound,
  changeVotes,
  leaderOf,
  maySpeak,
  positionIn,
  roundOf,
  say,
  signed,
  votesIn,
  type Work,
  withEntry,
} from './work.ts';

/** Castro and Liskov 1999, section 4.2: what a backup checks before it accepts a pre-prepare. */
export function onPrePrepare(work: Work, message: MessageOf<'pre-prepare'>): void {
  const { view, digest, envelope } = message;
  const round = roundOf(work);
  if (envelope.signer !== leaderOf(work, view)) return;
  noteLeaderSignature(work, view, digest, envelope.signature);
  if (!round.active || view !== round.view || votesIn(work, view).prePrepare) return;
  if (round.required !== undefined && round.required !== digest) return;
  const fresh = round.required === undefined;
  if (!admit(work, digest, envelope.proposal, fresh ? envelope.signer : undefined)) return;
  acceptPrePrepare(work, { digest, fresh, signature: envelope.signature });
}

/** Enters a pre-prepare, another's or the own, into the view. */
export function acceptPrePrepare(work: Work, prePrepare: AcceptedPrePrepare): void {
  changeVotes(work, roundOf(work).view, { prePrepare });
  changeRound(work, { acceptedAt: work.state.elapsed });
  progress(work);
}

export function onPrepare(work: Work, message: MessageOf<'prepare'>): void {
  const { view, digest, envelope } = message;
  if (!envelope.leaderSignature) return;
  const { prepares } = votesIn(work, view);
  const known = prepares.get(envelope.signer);
  if (known) {
    if (known.digest !== digest) accuse(work, known.envelope, envelope);
    return;
  }
  noteLeaderSignature(work, view, digest, envelope.leaderSignature);
  changeVotes(work, view, { prepares: withEntry(prepares, envelope.signer, { digest, envelope }) });
  progress(work);
}

export function onCommit(work: Work, message: MessageOf<'commit'>): void {
  const { view, content, envelope } = message;
  const { commits } = votesIn(work, view);
  const known = commits.get(envelope.signer);
  if (known) {
    const same = known.content.headerHash === content.headerHash && known.content.time === content.time;
    if (!same || known.content.ledgerHeight !== content.ledgerHeight) accuse(work, known.envelope, envelope);
    return;
  }
  changeVotes(work, view, { commits: withEntry(commits, envelope.signer, { content, envelope }) });
  progress(work);
}

/** Whatever the newest fact allows: prepare, commit, decide. Safe to call at any time. */
export function progress(work: Work): void {
  prepare(work);
  commit(work);
  decideByCommits(work);
  if (!work.state.halted) decideByCertificate(work);
}

interface Proposed extends AcceptedPrePrepare {
  readonly candidate: Candidate;
}

/** What the current view's leader proposes, once this node has computed the same header hash. */
function agreedProposal(work: Work): Proposed | undefined {
  const round = roundOf(work);
  const accepted = round.active ? votesIn(work, round.view).prePrepare : undefined;
  const candidate = accepted && round.candidates.get(accepted.digest);
  return candidate && holds(candidate) ? { ...accepted, candidate } : undefined;
}

/** Executed before it votes; and a new proposal's time must not be ahead of the own clock by more than the skew. */
function prepare(work: Work): void {
  const { view, preparedView } = roundOf(work);
  const agreed = agreedProposal(work);
  if (!agreed || preparedView >= view || !maySpeak(work)) return;
  const { digest, fresh, signature, candidate } = agreed;
  if (fresh && candidate.proposal.time > work.state.now + work.settings.timing.skewMs) return;
  changeRound(work, { preparedView: view });
  const envelope = {
    ...signed(work, prepareBytes(positionIn(work, view), digest)),
    leaderSignature: signature,
  };
  say(work, envelope);
  const { prepares } = votesIn(work, view);
  changeVotes(work, view, { prepares: withEntry(prepares, envelope.signer, { digest, envelope }) });
}

/** Prepared: a quorum of prepares for the proposal of this view (section 4.2). */
function commit(work: Work): void {
  const { view, committedView } = roundOf(work);
  const agreed = agreedProposal(work);
  if (!agreed || committedView >= view || !maySpeak(work)) return;
  const { digest, candidate } = agreed;
  const preparers = [...votesIn(work, view).prepares].filter(([, vote]) => vote.digest === digest);
  const keys = preparers.map(([key]) => key);
  if (!isQuorum(work.state.validators, keys)) return;
  const signatures = preparers.map(([key, vote]) => ({ key, signature: vote.envelope.signature }));
  changeRound(work, {
    committedView: view,
    prepared: { proof: { view, digest, signatures }, proposal: candidate.bytes },
  });
  const { engineHeight, time, ledgerHeight, headerHash } = candidate.proposal;
  const content = { engineHeight, view, time, ledgerHeight, headerHash };
  const envelope = signed(work, commitBytes(work.settings.chain, content));
  say(work, envelope);
  const { commits } = votesIn(work, view);
  changeVotes(work, view, { commits: withEntry(commits, envelope.signer, { content, envelope }) });
}
