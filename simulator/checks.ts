import { GENESIS_HASH, headerHashOf, transactionId } from './hash-chain.ts';
import type { Replica } from './replica.ts';

/** A3 and the form of a chain: consecutive, linked, time never backwards, every transaction once. */
export function checkChain(replica: Replica): readonly string[] {
  const violations: string[] = [];
  const name = `node ${replica.options.index}`;
  const seen = new Set<string>();
  let parent = { headerHash: GENESIS_HASH, time: 0, ledgerHeight: 0 };
  for (const { proposal } of replica.chain) {
    const at = `${name}, ledger height ${proposal.ledgerHeight}`;
    if (proposal.ledgerHeight !== parent.ledgerHeight + 1) violations.push(`a gap: ${at}`);
    if (proposal.parentHash !== parent.headerHash) violations.push(`a broken link: ${at}`);
    if (proposal.time < parent.time) violations.push(`time runs backwards: ${at}`);
    if (headerHashOf(proposal) !== proposal.headerHash) violations.push(`a wrong header hash: ${at}`);
    for (const id of proposal.transactions.map(transactionId)) {
      if (seen.has(id)) violations.push(`A3: a transaction stands twice: ${at}`);
      seen.add(id);
    }
    parent = proposal;
  }
  return violations;
}

/** A1: one header hash per ledger height over all these nodes. */
export function checkAgreement(replicas: readonly Replica[]): readonly string[] {
  const violations: string[] = [];
  const agreed = new Map<number, string>();
  for (const replica of replicas) {
    for (const { proposal } of replica.chain) {
      const known = agreed.get(proposal.ledgerHeight);
      if (known !== undefined && known !== proposal.headerHash) {
        violations.push(`A1: two headers at ledger height ${proposal.ledgerHeight}`);
      }
      agreed.set(proposal.ledgerHeight, proposal.headerHash);
    }
  }
  return violations;
}
