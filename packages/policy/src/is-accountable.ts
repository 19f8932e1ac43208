import type { Purpose } from './facts.ts';
import { rulePackOf } from './packs.ts';
import type { ExclusionCondition, Ground } from './rule-pack.ts';

/** What a journal entry says of one disclosure that was made. */
export interface DisclosureFacts {
  /** When it was made, milliseconds. */
  readonly time: number;
  readonly purpose: Purpose;
  readonly ground: Ground;
  /** To the patient or the patient's representative. */
  readonly isToPatient: boolean;
  /** Under a data use agreement (45 CFR 164.514(e)). */
  readonly isLimitedDataSet: boolean;
}

/** Whether a disclosure stands in the accounting, and by which rule. */
export interface AccountingDecision {
  readonly included: boolean;
  readonly rule: { readonly id: string; readonly source: string };
}

function holds(when: ExclusionCondition, disclosure: DisclosureFacts): boolean {
  const { purposes, grounds, isToPatient, isLimitedDataSet } = when;
  return (
    (purposes === undefined || purposes.includes(disclosure.purpose)) &&
    (grounds === undefined || grounds.includes(disclosure.ground)) &&
    (isToPatient === undefined || isToPatient === disclosure.isToPatient) &&
    (isLimitedDataSet === undefined || isLimitedDataSet === disclosure.isLimitedDataSet)
  );
}

/**
 * Does this disclosure belong into the accounting of disclosures (45 CFR 164.528)? The access history holds everything
 * anyway; the accounting says what it leaves out and by which rule.
 *
 * @param options.requestedAt When the patient asks, milliseconds.
 * @throws UnknownRulePackError when there is no such pack.
 */
export function isAccountable(
  disclosure: DisclosureFacts,
  options: { readonly policyVersion: string; readonly requestedAt: number },
): AccountingDecision {
  const { accounting } = rulePackOf(options.policyVersion);
  const exclusion = accounting.exclusions.find(({ when }) => holds(when, disclosure));
  if (exclusion) return { included: false, rule: { id: exclusion.id, source: exclusion.source } };
  if (disclosure.time < options.requestedAt - accounting.reach) {
    return { included: false, rule: accounting.tooOld };
  }
  return { included: true, rule: accounting.included };
}
