export { decideRelease, type PolicyDecision } from './decide-release.ts';
export {
  type Act,
  type ConsentFacts,
  type EntityType,
  type PartTwoConsent,
  PURPOSES,
  type Purpose,
  type ReleaseFacts,
} from './facts.ts';
export { type AccountingDecision, type DisclosureFacts, isAccountable } from './is-accountable.ts';
export { policyVersionAt, policyVersionOf, rulePackOf, rulePacks, UnknownRulePackError } from './packs.ts';
export {
  type AccountingExclusion,
  type AccountingRules,
  type Condition,
  type ExclusionCondition,
  GROUNDS,
  type Ground,
  type Obligation,
  type ReleaseRule,
  type RulePack,
} from './rule-pack.ts';
