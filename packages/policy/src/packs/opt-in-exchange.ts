import type { RulePack } from '../rule-pack.ts';
import { hipaaAccounting } from './accounting.ts';
import { partTwoRules } from './part-two.ts';

/** 1 January 2026: the demonstration consortium's charter. */
const CHARTER = 1_767_225_600_000;

/** A charter stricter than the law: nothing is located or fetched without consent, not even for treatment. */
export const optInExchangePacks: readonly RulePack[] = [
  {
    name: 'opt-in-exchange',
    version: 1,
    effectiveFrom: CHARTER,
    release: [
      ...partTwoRules('opt-in-exchange', ['named-recipient']),
      {
        id: 'opt-in-exchange.consent',
        source: 'charter, section 1: the patient opts in',
        when: { isConsented: true },
        effect: 'permit',
        ground: 'consent',
        obligations: ['journal'],
      },
      {
        id: 'opt-in-exchange.emergency',
        source: 'charter, section 2: break-glass',
        when: { purposes: ['ETREAT'], isEmergency: true },
        effect: 'permit',
        ground: 'emergency',
        obligations: ['journal', 'review', 'notify-patient'],
      },
      {
        id: 'opt-in-exchange.public-health',
        source: 'charter, section 3: legal duties; 45 CFR 164.512(b)',
        when: {
          purposes: ['PUBHLTH'],
          recipientTypes: ['public-health', 'regulator'],
          isLegallyRequired: true,
        },
        effect: 'permit',
        ground: 'public-health',
        obligations: ['journal', 'minimum-necessary'],
      },
      {
        id: 'opt-in-exchange.required-by-law',
        source: 'charter, section 3: legal duties; 45 CFR 164.512(a)',
        when: { isLegallyRequired: true },
        effect: 'permit',
        ground: 'required-by-law',
        obligations: ['journal'],
      },
    ],
    accounting: hipaaAccounting,
  },
];
