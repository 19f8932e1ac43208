import type { ConsentFacts, ReleaseFacts } from './facts.ts';
import { rulePackOf } from './packs.ts';
import type { Condition, Ground, Obligation } from './rule-pack.ts';

/** What the rules say of one release, and which rule said it. */
export type PolicyDecision =
  | {
      readonly decision: 'permit';
      readonly ground: Ground;
      readonly obligations: readonly Obligation[];
      readonly ruleIds: readonly string[];
      readonly policyVersion: string;
    }
  | {
      readonly decision: 'deny';
      readonly ground: undefined;
      /** A refusal is journalled like a release. */
      readonly obligations: readonly Obligation[];
      readonly ruleIds: readonly string[];
      readonly policyVersion: string;
    };

/** Does this consent open this record to this recipient for this purpose now? */
function covers(consent: ConsentFacts, facts: ReleaseFacts): boolean {
  if (!consent.isActive) return false;
  if (consent.recipient !== facts.recipient.organization) return false;
  if (!consent.purposes.includes(facts.purpose)) return false;
  return (
    facts.recordType === undefined || consent.types === undefined || consent.types.includes(facts.recordType)
  );
}

function includes<Item>(allowed: readonly Item[] | undefined, item: Item): boolean {
  return allowed === undefined || allowed.includes(item);
}

function equals<Item>(wanted: Item | undefined, item: Item): boolean {
  return wanted === undefined || wanted === item;
}

function holds(when: Condition, facts: ReleaseFacts): boolean {
  const covering = facts.consent && covers(facts.consent, facts) ? facts.consent : undefined;
  const hasLabel = when.labels === undefined || when.labels.some((label) => facts.labels.includes(label));
  return (
    hasLabel &&
    includes(when.acts, facts.act) &&
    includes(when.purposes, facts.purpose) &&
    includes(when.recipientTypes, facts.recipient.entityType) &&
    includes(when.partTwo, covering?.partTwo ?? 'none') &&
    equals(when.isConsented, covering !== undefined) &&
    equals(when.isEmergency, facts.isEmergency) &&
    equals(when.hasRelationship, facts.hasRelationship) &&
    equals(when.isLegallyRequired, facts.isLegallyRequired)
  );
}

/**
 * Decides one release for one patient and one record (or, without `recordType`, for the patient as a whole). The first
 * rule whose condition holds decides; what no rule permits is denied.
 *
 * @param policyVersion For example `us-hipaa/2`: {@link policyVersionAt} names the one in force, a journal entry the
 * one of its day.
 * @throws UnknownRulePackError when there is no such pack.
 * @example
 * const { decision, ground } = decideRelease(facts, policyVersionAt('opt-in-exchange', now));
 */
export function decideRelease(facts: ReleaseFacts, policyVersion: string): PolicyDecision {
  const pack = rulePackOf(policyVersion);
  const rule = pack.release.find(({ when }) => holds(when, facts));
  const ruleIds = [rule?.id ?? `${pack.name}.default-deny`];
  if (rule?.effect !== 'permit') {
    return { decision: 'deny', ground: undefined, obligations: ['journal'], ruleIds, policyVersion };
  }
  const { ground, obligations } = rule;
  return { decision: 'permit', ground, obligations, ruleIds, policyVersion };
}
