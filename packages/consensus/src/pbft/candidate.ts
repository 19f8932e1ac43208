import { CborError, domainHash, toHex } from '@careledger/primitives';
import type { EngineProposal, ValidatorKey } from '../protocol.ts';
import type { Candidate } from './state.ts';
import { proposalCodec } from './wire.ts';
import { changeRound, headOf, roundOf, type Work, withEntry } from './work.ts';

const PROPOSAL_DOMAIN = 'careledger/proposal/v1';

/** What prepares name: the hash of the whole proposal, transactions, time and proposer included. */
export function digestOf(proposalBytes: Uint8Array): string {
  return toHex(domainHash(PROPOSAL_DOMAIN, proposalBytes));
}

/** The proposal in these bytes, or `undefined` when they are not one or it is larger than allowed. */
function decodeProposal(work: Work, bytes: Uint8Array): EngineProposal | undefined {
  const { blockBytesMax, transactionsMax } = work.settings.limits;
  try {
    const proposal = proposalCodec.decode(bytes);
    const size = proposal.transactions.reduce((sum, transaction) => sum + transaction.length, 0);
    return size <= blockBytesMax && proposal.transactions.length <= transactionsMax ? proposal : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/** Why a proposal does not continue this node's head, or `undefined` when it does. */
export function misfit(work: Work, proposal: EngineProposal): string | undefined {
  const head = headOf(work);
  if (proposal.engineHeight !== roundOf(work).engineHeight) return 'another engine height';
  if (proposal.time < head.time) return 'a time before the height below';
  if (proposal.parentHash !== head.headerHash) return 'another parent';
  if (proposal.ledgerHeight === head.ledgerHeight + 1) return undefined;
  if (proposal.ledgerHeight !== head.ledgerHeight) return 'a gap in the ledger heights';
  if (proposal.headerHash !== head.headerHash) return 'a heartbeat over another header';
  return proposal.transactions.length > 0 ? 'a heartbeat with transactions' : undefined;
}

/**
 * Takes a proposal into the round and asks for its execution, once.
 * @returns the candidate, or `undefined` when the bytes are not what the digest says, do not continue the head, or are
 * by another proposer than the one asked for.
 */
export function admit(
  work: Work,
  digest: string,
  bytes: Uint8Array | undefined,
  proposer?: ValidatorKey,
): Candidate | undefined {
  const known = roundOf(work).candidates.get(digest);
  if (known || !bytes) return known && isBy(known.proposal, proposer) ? known : undefined;
  if (digestOf(bytes) !== digest) return undefined;
  const proposal = decodeProposal(work, bytes);
  if (!proposal || !isBy(proposal, proposer) || misfit(work, proposal)) return undefined;
  const candidate: Candidate = { proposal, bytes, execution: { state: 'waiting' } };
  changeRound(work, { candidates: withEntry(roundOf(work).candidates, digest, candidate) });
  work.effects.push({ type: 'execute', digest, proposal });
  return candidate;
}

function isBy(proposal: EngineProposal, proposer: ValidatorKey | undefined): boolean {
  return proposer === undefined || proposal.proposer === proposer;
}

/** Did this node compute the very header hash that the proposal claims? */
export function holds(candidate: Candidate): boolean {
  const { execution, proposal } = candidate;
  return execution.state === 'computed' && execution.headerHash === proposal.headerHash;
}
