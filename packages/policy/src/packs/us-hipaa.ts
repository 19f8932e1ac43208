import type { PartTwoConsent } from '../facts.ts';
import type { ReleaseRule, RulePack } from '../rule-pack.ts';
import { hipaaAccounting } from './accounting.ts';
import { partTwoRules } from './part-two.ts';

/** 14 April 2003: compliance date of the Privacy Rule (45 CFR 164.534). */
const PRIVACY_RULE = 1_050_278_400_000;
/** 16 April 2024: the final rule that aligns 42 CFR Part 2 with HIPAA takes effect (89 FR 12472). */
const PART_TWO_FINAL_RULE = 1_713_225_600_000;

const commonRules: readonly ReleaseRule[] = [
  {
    id: 'us-hipaa.psychotherapy-notes',
    source: '45 CFR 164.508(a)(2)',
    when: { labels: ['PSYTHPN'], isConsented: false },
    effect: 'deny',
  },
  {
    id: 'us-hipaa.emergency',
    source: '45 CFR 164.506(c)(2), 164.510(b)(3)',
    when: { purposes: ['ETREAT'], isEmergency: true },
    effect: 'permit',
    ground: 'emergency',
    obligations: ['journal', 'review', 'notify-patient'],
  },
  {
    id: 'us-hipaa.treatment',
    source: '45 CFR 164.506(c)(2)',
    when: { purposes: ['TREAT', 'ETREAT'], recipientTypes: ['provider', 'pharmacy', 'laboratory'] },
    effect: 'permit',
    ground: 'treatment',
    obligations: ['journal'],
  },
  {
    id: 'us-hipaa.payment',
    source: '45 CFR 164.506(c)(3)',
    when: { purposes: ['HPAYMT'], recipientTypes: ['payer', 'provider', 'pharmacy', 'laboratory'] },
    effect: 'permit',
    ground: 'payment',
    obligations: ['journal', 'minimum-necessary'],
  },
  {
    id: 'us-hipaa.operations',
    source: '45 CFR 164.506(c)(4)',
    when: {
      purposes: ['HOPERAT'],
      recipientTypes: ['payer', 'provider', 'pharmacy', 'laboratory'],
      hasRelationship: true,
    },
    effect: 'permit',
    ground: 'operations',
    obligations: ['journal', 'minimum-necessary'],
  },
  {
    id: 'us-hipaa.public-health',
    source: '45 CFR 164.512(b)',
    when: { purposes: ['PUBHLTH'], recipientTypes: ['public-health', 'regulator'] },
    effect: 'permit',
    ground: 'public-health',
    obligations: ['journal', 'minimum-necessary'],
  },
  {
    id: 'us-hipaa.required-by-law',
    source: '45 CFR 164.512(a)',
    when: { isLegallyRequired: true },
    effect: 'permit',
    ground: 'required-by-law',
    obligations: ['journal'],
  },
  {
    id: 'us-hipaa.authorization',
    source: '45 CFR 164.508',
    when: { isConsented: true },
    effect: 'permit',
    ground: 'consent',
    obligations: ['journal'],
  },
];

function usHipaa(version: number, effectiveFrom: number, partTwo: readonly PartTwoConsent[]): RulePack {
  return {
    name: 'us-hipaa',
    version,
    effectiveFrom,
    release: [...partTwoRules('us-hipaa', partTwo), ...commonRules],
    accounting: hipaaAccounting,
  };
}

/** The federal floor: treatment, payment and operations need no consent. */
export const usHipaaPacks: readonly RulePack[] = [
  usHipaa(1, PRIVACY_RULE, ['named-recipient']),
  // One consent for all future treatment, payment and operations suffices since (42 CFR 2.31(a)(4)(ii)).
  usHipaa(2, PART_TWO_FINAL_RULE, ['named-recipient', 'treatment-payment-operations']),
];
