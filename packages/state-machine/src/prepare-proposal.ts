import type { Transaction } from '@careledger/ledger';
import type { VerifyTransaction } from './application.ts';
import { byteName } from './branch.ts';
import { refusals } from './refusals.ts';

/** Share of a block that dead transactions may take while live ones wait. */
const DEAD_SHARE = 4;

interface Candidate {
  readonly bytes: Uint8Array;
  readonly isLive: boolean;
}

/**
 * Chooses what goes into a block, in the order in which it came. Malformed ones never go in, those that expire too far
 * ahead wait. Dead but well-formed ones go in as refusals, because an engine may drop only what a block contained: at
 * most a quarter of the block while live ones wait, the rest of the space after them.
 */
export function chooseTransactions(
  candidates: readonly Uint8Array[],
  options: {
    readonly blockBytesMax: number;
    readonly verifyTransaction: VerifyTransaction;
    /** 0 for a live one. */
    readonly admissionOf: (transaction: Transaction) => number;
  },
): readonly Uint8Array[] {
  const seen = new Set<string>();
  const standing: Candidate[] = [];
  for (const bytes of candidates) {
    const verified = options.verifyTransaction(bytes);
    if (!verified.ok) continue;
    const name = byteName(verified.transaction.id);
    const code = options.admissionOf(verified.transaction);
    if (seen.has(name) || code === refusals['transaction/expires-too-late']) continue;
    seen.add(name);
    standing.push({ bytes, isLive: code === 0 });
  }
  const chosen = new Set<Candidate>();
  const total = options.blockBytesMax;
  let used = fill(standing, { chosen, wanted: false, used: 0, bytesMax: Math.floor(total / DEAD_SHARE) });
  used = fill(standing, { chosen, wanted: true, used, bytesMax: total });
  fill(standing, { chosen, wanted: false, used, bytesMax: total });
  return standing.filter((candidate) => chosen.has(candidate)).map(({ bytes }) => bytes);
}

/** Adds candidates of one kind while they fit; returns the bytes used. */
function fill(
  candidates: readonly Candidate[],
  options: {
    readonly chosen: Set<Candidate>;
    readonly wanted: boolean;
    readonly used: number;
    readonly bytesMax: number;
  },
): number {
  let { used } = options;
  for (const candidate of candidates) {
    if (candidate.isLive !== options.wanted || options.chosen.has(candidate)) continue;
    if (used + candidate.bytes.length > options.bytesMax) continue;
    options.chosen.add(candidate);
    used += candidate.bytes.length;
  }
  return used;
}
