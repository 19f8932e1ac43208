import type { Certificate, EngineProposal, ValidatorKey } from '../protocol.ts';
import { holds } from './candidate.ts';
import { certifySame, verifyCertificate } from './certificate.ts';
import { findDoubleSigners } from './evidence.ts';
import { hasHonest, isQuorum } from './quorum.ts';
import type { Candidate, CommitVote } from './state.ts';
import { change, changeRound, headOf, roundOf, votesIn, type Work } from './work.ts';

/** `behind` is said at most this often. */
const BEHIND_INTERVAL_MS = 1_000;

/** Looks for a quorum of commits in any view of this height. Final is final, whatever view this node is in. */
export function decideByCommits(work: Work): void {
  const round = roundOf(work);
  if (round.deciding || round.certified) return;
  for (const votes of round.votes.values()) {
    const commits = [...votes.commits.values()];
    for (const { content } of commits) {
      const alike = commits.filter((vote) => certifySame(vote.content, content));
      if (!isQuorum(work.state.validators, signersOf(alike))) continue;
      certified(work, certificateFrom(work, alike));
      return;
    }
  }
}

function signersOf(votes: readonly CommitVote[]): readonly ValidatorKey[] {
  return votes.map((vote) => vote.envelope.signer);
}

function certificateFrom(work: Work, votes: readonly CommitVote[]): Certificate {
  const [{ content }] = votes as readonly [CommitVote];
  const signatures = work.state.validators.flatMap(({ key }) => {
    const vote = votes.find(({ envelope }) => envelope.signer === key);
    return vote ? [{ key, signature: vote.envelope.signature }] : [];
  });
  return { ...content, signatures };
}

/** Takes a certificate that came with a message: of the height below the sender's, which may be the one worked on. */
export function receiveCertificate(work: Work, certificate: Certificate, from: ValidatorKey): void {
  const head = headOf(work);
  if (certificate.engineHeight < head.engineHeight || roundOf(work).deciding) return;
  if (certificate.engineHeight === head.engineHeight) {
    if (!certifySame(certificate, head)) receiveContradiction(work, certificate);
    return;
  }
  if (verifyCertificate(certificate, work.state.validators, work.settings)) {
    certified(work, certificate, from);
  } else if (certificate.engineHeight > head.engineHeight + 1) {
    // The set may have changed in between, so it proves nothing here; but its sender does claim a higher height.
    reportBehind(work, certificate.engineHeight, from);
  }
}

/** Another certificate for the height that is final here: name who signed both, and stop if it is a quorum. */
function receiveContradiction(work: Work, certificate: Certificate): void {
  const mine = headOf(work).certificate;
  if (!mine) return;
  const { accused } = roundOf(work);
  const found = findDoubleSigners(mine, certificate, work.settings).filter(
    ({ against }) => !accused.has(against),
  );
  work.effects.push(...found);
  changeRound(work, { accused: new Set([...accused, ...found.map(({ against }) => against)]) });
  if (!verifyCertificate(certificate, work.state.validators, work.settings)) return;
  work.effects.push({ type: 'halt', reason: 'two quorums certified two headers at one height', certificate });
  change(work, { halted: true });
}

/** A quorum stands behind this: decide, wait for the execution, halt, or fetch what is missing. */
function certified(work: Work, certificate: Certificate, from?: ValidatorKey): void {
  const head = headOf(work);
  const round = roundOf(work);
  const matching = [...round.candidates].filter(([, { proposal }]) => certifySame(proposal, certificate));
  const held = matching.find(([, candidate]) => holds(candidate));
  if (held) {
    decide(work, held[1].proposal, certificate);
  } else if (certificate.ledgerHeight === head.ledgerHeight && certificate.headerHash === head.headerHash) {
    // Nothing was sealed since, so nothing is missing: any number of heartbeats is caught up by the newest.
    decide(work, heartbeatOf(work, certificate), certificate);
  } else if (certificate.engineHeight > round.engineHeight) {
    reportBehind(work, certificate.engineHeight, from);
  } else {
    changeRound(work, { certified: certificate });
    const wrong = matching.find(([digest, candidate]) => isRefuted(work, digest, candidate));
    if (wrong) halt(work, wrong[1], certificate);
    else if (from && !matching.some(([, candidate]) => candidate.execution.state === 'waiting')) {
      reportBehind(work, certificate.engineHeight, from);
    }
  }
}

/** Tries again to conclude a certified height, after an execution or a prepare. */
export function decideByCertificate(work: Work): void {
  const { certified: certificate, deciding } = roundOf(work);
  if (certificate && !deciding) certified(work, certificate);
}

/** Asks for the block of a certified height that did not arrive by messages. */
export function fetchCertified(work: Work): void {
  const { certified: certificate } = roundOf(work);
  const from = certificate?.signatures.find((entry) => entry.key !== work.settings.self);
  if (certificate && from) reportBehind(work, certificate.engineHeight, from.key);
}

/** The commits do not sign who proposed a heartbeat; nothing depends on it. */
function heartbeatOf(work: Work, certificate: Certificate): EngineProposal {
  const { engineHeight, view, time, ledgerHeight, headerHash } = certificate;
  const proposer = work.settings.schedule.leader(work.state.validators, engineHeight, view);
  return { engineHeight, time, proposer, ledgerHeight, headerHash, parentHash: headerHash, transactions: [] };
}

function decide(work: Work, proposal: EngineProposal, certificate: Certificate): void {
  work.effects.push({ type: 'decide', proposal, certificate });
  changeRound(work, { deciding: true, certified: certificate, outbox: [] });
}

/**
 * This node computed another hash than a proposal claims, and an honest validator prepared that very proposal. The
 * claim alone is not enough: a lying leader could send one node other transactions under the agreed hash.
 */
function isRefuted(work: Work, digest: string, candidate: Candidate): boolean {
  if (candidate.execution.state === 'waiting' || holds(candidate)) return false;
  return [...roundOf(work).votes.keys()].some((view) => {
    const preparers = [...votesIn(work, view).prepares].filter(([, vote]) => vote.digest === digest);
    return hasHonest(
      work.state.validators,
      preparers.map(([key]) => key),
    );
  });
}

function halt(work: Work, candidate: Candidate, certificate: Certificate): void {
  const { execution, proposal } = candidate;
  const reason =
    execution.state === 'refused'
      ? `a quorum committed a proposal that this node refuses: ${execution.reason}`
      : 'a quorum committed a header hash that this node does not compute';
  const computed = execution.state === 'computed' ? { computed: execution.headerHash } : {};
  work.effects.push({ type: 'halt', reason, certificate, proposal, ...computed });
  change(work, { halted: true });
}

/** Says `behind`, at most once a second. */
export function reportBehind(work: Work, engineHeight: number, from: ValidatorKey | undefined): void {
  const { behindAt, elapsed } = work.state;
  if (!from || (behindAt !== undefined && elapsed - behindAt < BEHIND_INTERVAL_MS)) return;
  work.effects.push({ type: 'behind', engineHeight, from });
  change(work, { behindAt: elapsed });
}
