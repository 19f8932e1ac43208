import type { AccountingRules } from '../rule-pack.ts';

/** Six years, counted generously (366 days each): a few days too many harm nobody, one too few breaks the law. */
const SIX_YEARS = 6 * 366 * 86_400_000;

/** 45 CFR 164.528, with the exclusions of paragraph (a)(1) that a journal entry can show. */
export const hipaaAccounting: AccountingRules = {
  reach: SIX_YEARS,
  tooOld: { id: 'accounting.six-years', source: '45 CFR 164.528(a)(1)' },
  included: { id: 'accounting.included', source: '45 CFR 164.528(a)(1)' },
  exclusions: [
    {
      id: 'accounting.treatment-payment-operations',
      source: '45 CFR 164.528(a)(1)(i)',
      when: { purposes: ['TREAT', 'ETREAT', 'HPAYMT', 'HOPERAT'] },
    },
    { id: 'accounting.to-the-individual', source: '45 CFR 164.528(a)(1)(ii)', when: { isToPatient: true } },
    {
      id: 'accounting.under-authorization',
      source: '45 CFR 164.528(a)(1)(iv)',
      when: { grounds: ['consent'] },
    },
    {
      id: 'accounting.limited-data-set',
      source: '45 CFR 164.528(a)(1)(viii)',
      when: { isLimitedDataSet: true },
    },
  ],
};
