import { optInExchangePacks } from './packs/opt-in-exchange.ts';
import { usHipaaPacks } from './packs/us-hipaa.ts';
import type { RulePack } from './rule-pack.ts';

/** Every version of every pack that ever was in force: an old decision is explained by the rules of its day. */
export const rulePacks: readonly RulePack[] = [...optInExchangePacks, ...usHipaaPacks];

/** A rule pack that is not known here, or not yet in force. */
export class UnknownRulePackError extends Error {
  override readonly name = 'UnknownRulePackError';
  readonly code = 'policy/unknown-rule-pack';
  readonly help = 'Use a pack and version that this release of Careledger lists in `rulePacks`.';
}

/** `us-hipaa/2`: how journals and reports name a pack. */
export function policyVersionOf(pack: Pick<RulePack, 'name' | 'version'>): string {
  return `${pack.name}/${pack.version}`;
}

/** @throws {@link UnknownRulePackError} */
export function rulePackOf(policyVersion: string): RulePack {
  const pack = rulePacks.find((candidate) => policyVersionOf(candidate) === policyVersion);
  if (!pack) throw new UnknownRulePackError(`There is no rule pack ${policyVersion}.`);
  return pack;
}

/**
 * The version of a pack that is in force at a time (milliseconds).
 * @throws {@link UnknownRulePackError} when there is none yet.
 */
export function policyVersionAt(name: string, time: number): string {
  const pack = rulePacks
    .filter((candidate) => candidate.name === name && candidate.effectiveFrom <= time)
    .toSorted((left, right) => right.effectiveFrom - left.effectiveFrom)[0];
  if (!pack) throw new UnknownRulePackError(`No version of the rule pack ${name} is in force at that time.`);
  return policyVersionOf(pack);
}
