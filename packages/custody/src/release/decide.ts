import { decideRelease, type ReleaseFacts } from '@careledger/policy';
import type { Decide } from './protocol.ts';

/** What the policy asks about one patient; what it asks about a record comes with the record. */
export type PatientFacts = Omit<ReleaseFacts, 'recordType' | 'labels'>;

/** The charter's rule pack, as the release protocol asks it. */
export function policyDecision(policyVersion: string): Decide<PatientFacts> {
  return (facts, record) => {
    const ofRecord = record ? { recordType: record.type, labels: record.labels } : { labels: [] };
    const { decision, ground, obligations, ruleIds } = decideRelease(
      { ...facts, ...ofRecord },
      policyVersion,
    );
    const reason = ruleIds[0] ?? 'policy/denied';
    return {
      outcome: decision,
      ...(ground === undefined ? { reason } : { ground }),
      obligations,
      ruleIds,
      policyVersion,
    };
  };
}
