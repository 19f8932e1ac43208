import type { Act, EntityType, PartTwoConsent, Purpose } from './facts.ts';

export const GROUNDS = [
  'consent',
  'treatment',
  'payment',
  'operations',
  'required-by-law',
  'public-health',
  'emergency',
] as const;
/** On what a release stands. */
export type Ground = (typeof GROUNDS)[number];

/** What the custodian must do with a release. */
export type Obligation =
  /** Journal it, with the recipient's signed leaf (all releases). */
  | 'journal'
  /** Release no more than the purpose needs (45 CFR 164.502(b)). */
  | 'minimum-necessary'
  /** The notice of 42 CFR 2.32 goes with the bundle. */
  | 'redisclosure-notice'
  /** A privacy officer looks at it afterwards. */
  | 'review'
  | 'notify-patient';

/** Every stated part must hold; what is not stated does not matter. */
export interface Condition {
  readonly acts?: readonly Act[];
  readonly purposes?: readonly Purpose[];
  readonly recipientTypes?: readonly EntityType[];
  /** The record carries one of these labels. */
  readonly labels?: readonly string[];
  /** An active consent covers this recipient, purpose and type (`true`), or none does (`false`). */
  readonly isConsented?: boolean;
  /** The covering consent reaches this far into Part 2 records. */
  readonly partTwo?: readonly PartTwoConsent[];
  readonly isEmergency?: boolean;
  readonly hasRelationship?: boolean;
  readonly isLegallyRequired?: boolean;
}

/** One rule of law or charter. The first whose condition holds decides. */
export type ReleaseRule = {
  /** `us-hipaa.treatment`: permanent, stands in journals. */
  readonly id: string;
  /** Section of the law or of the charter. */
  readonly source: string;
  readonly when: Condition;
} & (
  | { readonly effect: 'permit'; readonly ground: Ground; readonly obligations: readonly Obligation[] }
  | { readonly effect: 'deny' }
);

/** What a disclosure must be to stay out of the accounting. */
export interface ExclusionCondition {
  readonly purposes?: readonly Purpose[];
  readonly grounds?: readonly Ground[];
  readonly isToPatient?: boolean;
  readonly isLimitedDataSet?: boolean;
}

export interface AccountingExclusion {
  readonly id: string;
  readonly source: string;
  readonly when: ExclusionCondition;
}

export interface AccountingRules {
  /** How far back an accounting reaches, in milliseconds. */
  readonly reach: number;
  /** Rule named for what lies further back. */
  readonly tooOld: { readonly id: string; readonly source: string };
  /** Rule named for what is listed. */
  readonly included: { readonly id: string; readonly source: string };
  readonly exclusions: readonly AccountingExclusion[];
}

/** Law is data: a pack is never changed once it was in force; what changes is a new version with its own date. */
export interface RulePack {
  /** `us-hipaa`: what a charter names. */
  readonly name: string;
  readonly version: number;
  /** Milliseconds; in force until a later version of the same name takes over. */
  readonly effectiveFrom: number;
  readonly release: readonly ReleaseRule[];
  readonly accounting: AccountingRules;
}
