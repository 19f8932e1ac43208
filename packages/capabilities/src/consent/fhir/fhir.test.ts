import { type ConsentId, organizationId, type PublicKey } from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import { grantExtension, introductionExtension, readGrant, readIntroduction } from './grant-extension.ts';
import { type ConsentTerms, consentToTerms, termsToConsent } from './terms.ts';

const terms: ConsentTerms = {
  custodian: organizationId('general-hospital'),
  recipient: organizationId('city-clinic'),
  purposes: ['TREAT', 'ETREAT'],
  types: ['Observation', 'Condition'],
  notBefore: Date.UTC(2026, 0, 1),
  notAfter: Date.UTC(2027, 0, 1, 12, 30, 15, 250),
};

interface Editable {
  [name: string]: unknown;
  provision: { [name: string]: unknown };
}

/** The Consent of {@link terms}, changed. */
function changed(edit: (consent: Editable) => void): unknown {
  const consent = structuredClone(termsToConsent(terms, 'Patient/p1')) as unknown as Editable;
  edit(consent);
  return consent;
}

function issueOf(consent: unknown): string {
  const read = consentToTerms(consent);
  return read.ok ? 'accepted' : `${read.error.code} ${read.error.expression}`;
}

describe('terms', () => {
  test('terms become a Consent and come back the same', () => {
    expect(consentToTerms(termsToConsent(terms, 'Patient/p1'))).toEqual({ ok: true, value: terms });
    const { types: _, ...allTypes } = terms;
    expect(consentToTerms(termsToConsent(allTypes, 'Patient/p1'))).toEqual({ ok: true, value: allTypes });
  });

  test('what changes nothing may stand: text, meta, category, patient, source', () => {
    const consent = changed((one) => {
      one.text = { status: 'generated', div: '<div/>' };
      one.meta = { versionId: '1' };
      one.dateTime = '2026-01-01';
      one.sourceReference = { reference: 'DocumentReference/1' };
    });
    expect(consentToTerms(consent)).toEqual({ ok: true, value: terms });
  });

  test('a whole date starts and ends with its day in UTC', () => {
    const consent = changed(({ provision }) => {
      provision.period = { start: '2026-02-01', end: '2026-02-28' };
    });
    const read = consentToTerms(consent);
    expect(read.ok && [read.value.notBefore, read.value.notAfter]).toEqual([
      Date.UTC(2026, 1, 1),
      Date.UTC(2026, 2, 1),
    ]);
  });

  const coding = (system: string, code: string) => ({ coding: [{ system, code }] });
  const refused: readonly (readonly [string, (consent: Editable) => void, string])[] = [
    [
      'a nested provision',
      ({ provision }) => {
        provision.provision = [{ type: 'deny' }];
      },
      'not-supported Consent.provision.provision',
    ],
    [
      'a security label',
      ({ provision }) => {
        provision.securityLabel = [{ code: 'R' }];
      },
      'not-supported Consent.provision.securityLabel',
    ],
    [
      'a data period',
      ({ provision }) => {
        provision.dataPeriod = {};
      },
      'not-supported Consent.provision.dataPeriod',
    ],
    [
      'codes of content',
      ({ provision }) => {
        provision.code = [{ text: 'x' }];
      },
      'not-supported Consent.provision.code',
    ],
    [
      'named data',
      ({ provision }) => {
        provision.data = [];
      },
      'not-supported Consent.provision.data',
    ],
    [
      'an extension of the provision',
      ({ provision }) => {
        provision.extension = [];
      },
      'not-supported Consent.provision.extension',
    ],
    [
      'a denial',
      ({ provision }) => {
        provision.type = 'deny';
      },
      'not-supported Consent.provision.type',
    ],
    [
      'no type of provision',
      ({ provision }) => {
        delete provision.type;
      },
      'not-supported Consent.provision.type',
    ],
    [
      'two recipients',
      ({ provision }) => {
        provision.actor = [...(provision.actor as unknown[]), {}];
      },
      'not-supported Consent.provision.actor',
    ],
    [
      'an actor in another role',
      ({ provision }) => {
        provision.actor = [
          { role: coding('http://terminology.hl7.org/CodeSystem/v3-ParticipationType', 'CST') },
        ];
      },
      'not-supported Consent.provision.actor[0].role',
    ],
    [
      'a recipient who is a person',
      ({ provision }) => {
        provision.actor = [
          {
            role: coding('http://terminology.hl7.org/CodeSystem/v3-ParticipationType', 'IRCP'),
            reference: { reference: 'Practitioner/1' },
          },
        ];
      },
      'not-supported Consent.provision.actor[0].reference',
    ],
    [
      'an unknown purpose',
      ({ provision }) => {
        provision.purpose = [
          { system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: 'HMARKT' },
        ];
      },
      'not-supported Consent.provision.purpose[0]',
    ],
    [
      'no purpose',
      ({ provision }) => {
        delete provision.purpose;
      },
      'required Consent.provision.purpose',
    ],
    [
      'an action that is not access',
      ({ provision }) => {
        provision.action = [coding('http://terminology.hl7.org/CodeSystem/consentaction', 'correct')];
      },
      'not-supported Consent.provision.action[0]',
    ],
    [
      'a class of another system',
      ({ provision }) => {
        provision.class = [{ system: 'urn:x', code: 'Observation' }];
      },
      'not-supported Consent.provision.class[0]',
    ],
    [
      'no end',
      ({ provision }) => {
        provision.period = { start: '2026-01-01' };
      },
      'required Consent.provision.period.end',
    ],
    [
      'a month as start',
      ({ provision }) => {
        provision.period = { start: '2026-01', end: '2027-01-01' };
      },
      'required Consent.provision.period.start',
    ],
    [
      'a day that does not exist',
      ({ provision }) => {
        provision.period = { start: '2026-02-30', end: '2027-01-01' };
      },
      'required Consent.provision.period.start',
    ],
    [
      'an end before the start',
      ({ provision }) => {
        provision.period = { start: '2026-02-02', end: '2026-02-01' };
      },
      'value Consent.provision.period',
    ],
    [
      'a modifier extension',
      (one) => {
        one.modifierExtension = [];
      },
      'not-supported Consent.modifierExtension',
    ],
    [
      'another status',
      (one) => {
        one.status = 'draft';
      },
      'value Consent.status',
    ],
    [
      'another scope',
      (one) => {
        one.scope = coding('http://terminology.hl7.org/CodeSystem/consentscope', 'research');
      },
      'not-supported Consent.scope',
    ],
    [
      'an opt-out policy',
      (one) => {
        one.policyRule = coding('http://terminology.hl7.org/CodeSystem/v3-ActCode', 'OPTOUT');
      },
      'not-supported Consent.policyRule',
    ],
    [
      'no custodian',
      (one) => {
        one.organization = [];
      },
      'not-supported Consent.organization',
    ],
  ];

  test.each(refused)('%s is refused, never ignored', (_, edit, issue) => {
    expect(issueOf(changed(edit))).toBe(issue);
  });

  test('anything at all is read without a crash', () => {
    for (const wild of [
      null,
      7,
      [],
      'Consent',
      { resourceType: 'Patient' },
      { resourceType: 'Consent', status: 'active' },
    ]) {
      expect(consentToTerms(wild).ok).toBe(false);
    }
  });
});

describe('extensions', () => {
  const grant = {
    consentId: new Uint8Array(16).fill(250) as ConsentId,
    patientKey: new Uint8Array(32).fill(251) as PublicKey,
    salt: new Uint8Array(32).fill(252),
    notBefore: terms.notBefore,
    notAfter: terms.notAfter,
    signature: new Uint8Array(64).fill(253),
  };
  const consent = (...extension: readonly unknown[]) => ({
    ...termsToConsent(terms, 'Patient/p1'),
    extension,
  });

  test('a grant and an introduction travel in the Consent and come back the same', () => {
    const sealed = Uint8Array.of(1, 2, 3, 250);
    const posted = consent(grantExtension(grant), introductionExtension(sealed));
    expect(readGrant(posted)).toEqual({ ok: true, value: grant });
    expect(readIntroduction(posted)).toEqual(sealed);
    expect(consentToTerms(posted).ok).toBe(true);
  });

  test('a grant that is missing, double or short of a byte is refused', () => {
    const short = grantExtension({ ...grant, signature: grant.signature.slice(1) });
    for (const posted of [consent(), consent(grantExtension(grant), grantExtension(grant)), consent(short)]) {
      expect(readGrant(posted).ok).toBe(false);
    }
    expect(readIntroduction(consent())).toBeUndefined();
  });
});
