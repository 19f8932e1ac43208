import { organizationId } from '@careledger/primitives';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideRelease } from './decide-release.ts';
import { type ConsentFacts, PURPOSES, type ReleaseFacts } from './facts.ts';
import { isAccountable } from './is-accountable.ts';
import { policyVersionAt, policyVersionOf, rulePackOf, rulePacks, UnknownRulePackError } from './packs.ts';
import { GROUNDS } from './rule-pack.ts';

const clinic = organizationId('city-clinic');
const OPT_IN = 'opt-in-exchange/1';
const HIPAA = 'us-hipaa/2';

const facts: ReleaseFacts = {
  act: 'fetch',
  purpose: 'TREAT',
  recipient: { organization: clinic, entityType: 'provider' },
  recordType: 'Observation',
  labels: [],
  isEmergency: false,
  hasRelationship: false,
  isLegallyRequired: false,
};

const consent: ConsentFacts = { isActive: true, recipient: clinic, purposes: ['TREAT'], partTwo: 'none' };

function decided(changes: Partial<ReleaseFacts>, version = HIPAA): string {
  const { decision, ground, ruleIds } = decideRelease({ ...facts, ...changes }, version);
  return [decision, ground ?? '', ...ruleIds].join(' ').replace('  ', ' ');
}

describe('the two packs', () => {
  test('us-hipaa permits treatment without consent, opt-in-exchange does not, not even to locate', () => {
    expect(decided({}, HIPAA)).toBe('permit treatment us-hipaa.treatment');
    expect(decided({}, OPT_IN)).toBe('deny opt-in-exchange.default-deny');
    expect(decided({ act: 'locate' }, HIPAA)).toBe('permit treatment us-hipaa.treatment');
    expect(decided({ act: 'locate' }, OPT_IN)).toBe('deny opt-in-exchange.default-deny');
    expect(decided({ consent }, OPT_IN)).toBe('permit consent opt-in-exchange.consent');
  });

  test.each([
    ['inactive', { isActive: false }],
    ['of another recipient', { recipient: organizationId('acme-health-plan') }],
    ['for another purpose', { purposes: ['HPAYMT'] as const }],
    ['for other record types', { types: ['Condition'] }],
  ])('a consent that is %s opens nothing', (_, change) => {
    expect(decided({ consent: { ...consent, ...change } }, OPT_IN)).toBe('deny opt-in-exchange.default-deny');
  });

  test('a consent for some record types still permits to ask about the patient as a whole', () => {
    const { recordType: _, ...whole } = facts;
    const narrow = { ...whole, consent: { ...consent, types: ['Condition'] } };
    expect(decideRelease(narrow, OPT_IN).decision).toBe('permit');
  });

  test('each ground of the federal rule opens for its own recipients only', () => {
    const payer = { organization: organizationId('acme-health-plan'), entityType: 'payer' } as const;
    const county = {
      organization: organizationId('county-public-health'),
      entityType: 'public-health',
    } as const;
    expect(decided({ recipient: payer })).toBe('deny us-hipaa.default-deny');
    expect(decided({ recipient: payer, purpose: 'HPAYMT' })).toBe('permit payment us-hipaa.payment');
    expect(decided({ recipient: payer, purpose: 'HOPERAT' })).toBe('deny us-hipaa.default-deny');
    expect(decided({ recipient: payer, purpose: 'HOPERAT', hasRelationship: true })).toBe(
      'permit operations us-hipaa.operations',
    );
    expect(decided({ recipient: county, purpose: 'PUBHLTH' })).toBe(
      'permit public-health us-hipaa.public-health',
    );
    expect(decided({ recipient: county, purpose: 'HRESCH' })).toBe('deny us-hipaa.default-deny');
    expect(decided({ recipient: county, purpose: 'HRESCH', isLegallyRequired: true })).toBe(
      'permit required-by-law us-hipaa.required-by-law',
    );
  });

  test('an emergency opens both packs, to be reviewed and told to the patient; the word alone does not', () => {
    for (const version of [OPT_IN, HIPAA]) {
      const decision = decideRelease({ ...facts, purpose: 'ETREAT', isEmergency: true }, version);
      expect(decision).toMatchObject({ decision: 'permit', ground: 'emergency' });
      expect(decision.obligations).toEqual(['journal', 'review', 'notify-patient']);
    }
    expect(decided({ purpose: 'ETREAT' }, OPT_IN)).toBe('deny opt-in-exchange.default-deny');
    expect(decided({ isEmergency: true }, OPT_IN)).toBe('deny opt-in-exchange.default-deny');
  });

  test('records of substance use treatment stay closed under every ground but their own consent and an emergency', () => {
    const labels = ['42CFRPart2'];
    for (const purpose of PURPOSES) {
      expect(decided({ labels, purpose, hasRelationship: true, isLegallyRequired: true })).toBe(
        'deny us-hipaa.part-2-without-consent',
      );
    }
    expect(decided({ labels, consent })).toBe('deny us-hipaa.part-2-without-consent');
    const named = { ...consent, partTwo: 'named-recipient' } as const;
    expect(decideRelease({ ...facts, labels, consent: named }, OPT_IN).obligations).toContain(
      'redisclosure-notice',
    );
    expect(decided({ labels, purpose: 'ETREAT', isEmergency: true })).toBe(
      'permit emergency us-hipaa.part-2-emergency',
    );
  });

  test('psychotherapy notes need an authorization where other records do not', () => {
    expect(decided({ labels: ['PSYTHPN'] })).toBe('deny us-hipaa.psychotherapy-notes');
    expect(decideRelease({ ...facts, labels: ['PSYTHPN'], consent }, HIPAA).decision).toBe('permit');
  });
});

describe('versions', () => {
  test('PRIV-14: an old decision is reproduced by the rules of its day after the rules have changed', () => {
    const broad = { ...consent, partTwo: 'treatment-payment-operations' } as const;
    const asked = { ...facts, labels: ['42CFRPart2'], consent: broad };
    const before = Date.UTC(2024, 3, 15);
    const after = Date.UTC(2024, 3, 16);
    const [then, now] = [before, after].map((time) =>
      decideRelease(asked, policyVersionAt('us-hipaa', time)),
    );
    expect(then).toMatchObject({
      decision: 'deny',
      policyVersion: 'us-hipaa/1',
      ruleIds: ['us-hipaa.part-2-without-consent'],
    });
    expect(now).toMatchObject({
      decision: 'permit',
      policyVersion: 'us-hipaa/2',
      ruleIds: ['us-hipaa.part-2-consent'],
    });
    expect(decideRelease(asked, 'us-hipaa/1')).toEqual(then);
  });

  test('a pack that is unknown or not yet in force is an error, never a permission', () => {
    expect(() => decideRelease(facts, 'us-hipaa/9')).toThrow(UnknownRulePackError);
    expect(() => policyVersionAt('us-hipaa', Date.UTC(2000, 0, 1))).toThrow(UnknownRulePackError);
    expect(() => policyVersionAt('none', Date.UTC(2026, 0, 1))).toThrow(UnknownRulePackError);
    expect(policyVersionAt('opt-in-exchange', Date.UTC(2026, 10, 22))).toBe(OPT_IN);
  });

  test('versions follow one another in time, and rule ids are unique, short and carry their source', () => {
    for (const pack of rulePacks) {
      expect(rulePackOf(policyVersionOf(pack))).toBe(pack);
      const ids = pack.release.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      for (const { id, source } of [...pack.release, ...pack.accounting.exclusions]) {
        expect(id).toMatch(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$/);
        expect(source.length).toBeGreaterThan(5);
      }
      const later = rulePacks.filter(({ name, version }) => name === pack.name && version > pack.version);
      for (const { effectiveFrom } of later) expect(effectiveFrom).toBeGreaterThan(pack.effectiveFrom);
    }
  });
});

test('without consent, emergency or legal duty, no fact whatever opens anything under opt-in-exchange', () => {
  const anyFacts = fc.record({
    act: fc.constantFrom('locate' as const, 'fetch' as const),
    purpose: fc.constantFrom(...PURPOSES),
    recipient: fc.record({
      organization: fc.constant(clinic),
      entityType: fc.constantFrom(
        'provider' as const,
        'payer' as const,
        'public-health' as const,
        'regulator' as const,
      ),
    }),
    labels: fc.subarray(['42CFRPart2', 'PSYTHPN', 'HIV']),
    hasRelationship: fc.boolean(),
    consent: fc.constantFrom(
      { ...consent, isActive: false },
      { ...consent, recipient: organizationId('other') },
    ),
  });
  fc.assert(
    fc.property(
      anyFacts,
      (drawn) =>
        decideRelease({ ...drawn, isEmergency: false, isLegallyRequired: false }, OPT_IN).decision === 'deny',
    ),
  );
});

describe('the accounting of disclosures', () => {
  const requestedAt = Date.UTC(2026, 10, 22);
  const disclosure = {
    time: Date.UTC(2026, 5, 1),
    purpose: 'PUBHLTH',
    ground: 'public-health',
    isToPatient: false,
    isLimitedDataSet: false,
  } as const;
  const judged = (changes: Partial<Parameters<typeof isAccountable>[0]>) => {
    const { included, rule } = isAccountable(
      { ...disclosure, ...changes },
      { policyVersion: HIPAA, requestedAt },
    );
    return `${included ? 'in' : 'out'} ${rule.source}`;
  };

  test('PRIV-05: what law or public health took is listed; each exclusion names its paragraph of 45 CFR 164.528', () => {
    expect(judged({})).toBe('in 45 CFR 164.528(a)(1)');
    expect(judged({ purpose: 'HRESCH', ground: 'required-by-law' })).toBe('in 45 CFR 164.528(a)(1)');
    for (const purpose of ['TREAT', 'ETREAT', 'HPAYMT', 'HOPERAT'] as const) {
      expect(judged({ purpose, ground: 'treatment' })).toBe('out 45 CFR 164.528(a)(1)(i)');
    }
    expect(judged({ isToPatient: true })).toBe('out 45 CFR 164.528(a)(1)(ii)');
    expect(judged({ purpose: 'HRESCH', ground: 'consent' })).toBe('out 45 CFR 164.528(a)(1)(iv)');
    expect(judged({ isLimitedDataSet: true })).toBe('out 45 CFR 164.528(a)(1)(viii)');
  });

  test('six years back it ends, and not a day sooner', () => {
    expect(judged({ time: Date.UTC(2020, 10, 22) })).toBe('in 45 CFR 164.528(a)(1)');
    const { included, rule } = isAccountable(
      { ...disclosure, time: Date.UTC(2020, 10, 1) },
      { policyVersion: OPT_IN, requestedAt },
    );
    expect([included, rule.id]).toEqual([false, 'accounting.six-years']);
  });

  test('every disclosure is either listed or left out by a named rule, under every pack', () => {
    for (const pack of rulePacks) {
      for (const purpose of PURPOSES) {
        for (const ground of GROUNDS) {
          const facts = { ...disclosure, purpose, ground };
          const { rule } = isAccountable(facts, { policyVersion: policyVersionOf(pack), requestedAt });
          expect(rule.id).toMatch(/^accounting\./);
        }
      }
    }
  });
});
