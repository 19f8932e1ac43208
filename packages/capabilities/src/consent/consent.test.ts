import {
  type Commitment,
  type ConsentId,
  encodeCbor,
  type PublicKey,
  sha256,
  toHex,
  utf8,
} from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import {
  Consortium,
  chain,
  clinic,
  county,
  hospital,
  keyNamed,
  type Spoken,
  START,
  signerNamed,
} from '../consortium.test-support.ts';
import {
  type GrantConsent,
  type GrantTerms,
  grantConsentCodec,
  grantText,
  revokeConsentCodec,
  revokeText,
} from './messages.ts';
import { isConsentActive, wasConsentActive } from './queries.ts';
import { readConsent } from './state.ts';

const DAY = 86_400_000;

function idOf(name: string): ConsentId {
  return sha256(utf8(name)).slice(0, 16) as ConsentId;
}

function grantOf(
  name: string,
  changes: Partial<GrantTerms> = {},
  patient = `patient of ${name}`,
): GrantConsent {
  const terms: GrantTerms = {
    consentId: idOf(name),
    custodian: hospital,
    commitment: sha256(utf8(`${name} commitment`)) as Commitment,
    notBefore: START,
    notAfter: START + DAY,
    ...changes,
  };
  return {
    ...terms,
    patientKey: keyNamed(patient),
    patientSignature: signerNamed(patient).sign(grantText(chain, terms)),
  };
}

function grant(message: GrantConsent, by = `${hospital} gateway`): Spoken {
  return { by, type: 'consent/grant', message };
}

function revoke(name: string, by = `${hospital} gateway`, patient?: string): Spoken {
  const consentId = idOf(name);
  const proof = (signer: string) => ({
    patientKey: keyNamed(signer),
    signature: signerNamed(signer).sign(revokeText(chain, consentId)),
  });
  return {
    by,
    type: 'consent/revoke',
    message: patient === undefined ? { consentId } : { consentId, patientProof: proof(patient) },
  };
}

describe('granting', () => {
  test('a grant under the patient’s own key opens records from notBefore until notAfter', () => {
    const consortium = new Consortium();
    expect(consortium.say(grant(grantOf('a')))).toEqual(['accepted']);
    const record = readConsent(consortium.store, idOf('a'));
    if (!record) throw new Error('the consent stands in state');
    expect(record).toMatchObject({ custodian: hospital, patientKey: keyNamed('patient of a') });
    const times = [START - 1, START, START + DAY - 1, START + DAY];
    expect(times.map((time) => isConsentActive(record, time))).toEqual([false, true, true, false]);
  });

  test('a grant that the patient signed for other terms, another custodian or another chain fails before any rule', () => {
    const consortium = new Consortium();
    const good = grantOf('a');
    const other = {
      ...good,
      patientSignature: signerNamed('patient of a').sign(grantText(sha256(utf8('x')) as typeof chain, good)),
    };
    const forged: readonly GrantConsent[] = [
      { ...good, notAfter: good.notAfter + 1 },
      { ...good, custodian: clinic },
      { ...good, consentId: idOf('b') },
      { ...good, commitment: sha256(utf8('else')) as Commitment },
      { ...good, patientKey: keyNamed('somebody') },
      other,
    ];
    expect(consortium.say(...forged.map((message) => grant(message)))).toEqual(forged.map(() => 'code 12'));
  });

  test('only the custodian that the patient named puts the grant on the ledger, by a custodian key', () => {
    const consortium = new Consortium();
    expect(consortium.say(grant(grantOf('a'), `${clinic} gateway`))).toEqual(['consent/not-custodian']);
    expect(consortium.say(grant(grantOf('a'), `${hospital} auditor`))).toEqual(['consent/not-custodian']);
  });

  test('an id is used once, a period is neither empty nor over', () => {
    const consortium = new Consortium();
    consortium.say(grant(grantOf('a')));
    expect(
      consortium.say(
        grant(grantOf('a', {}, 'another patient')),
        grant(grantOf('b', { notBefore: START + 5, notAfter: START + 5 })),
        grant(grantOf('c', { notBefore: START - 5, notAfter: START - 1 })),
      ),
    ).toEqual(['consent/id-taken', 'consent/empty-period', 'consent/already-over']);
  });

  test('OFF-07: every consent has a key and an id of its own, random and useless elsewhere: a used key is refused', () => {
    const consortium = new Consortium();
    expect(consortium.say(grant(grantOf('a', {}, 'jane')), grant(grantOf('b', {}, 'jane')))).toEqual([
      'accepted',
      'consent/key-not-fresh',
    ]);
    expect(consortium.say(revoke('a'))).toEqual(['accepted']);
    expect(consortium.say(grant(grantOf('b', {}, 'jane')))).toEqual(['consent/key-not-fresh']);
    expect(consortium.say(grant(grantOf('b', {}, 'jane, second key')))).toEqual(['accepted']);
    const [first, second] = ['a', 'b'].map((name) => readConsent(consortium.store, idOf(name)));
    for (const field of ['commitment', 'patientKey'] as const)
      expect(first?.[field]).not.toEqual(second?.[field]);
  });
});

describe('revoking', () => {
  test('the custodian revokes on its own; any member does with the signature of the patient’s key', () => {
    const consortium = new Consortium();
    consortium.say(grant(grantOf('a')), grant(grantOf('b')));
    expect(consortium.say(revoke('a'))).toEqual(['accepted']);
    expect(consortium.say(revoke('b', `${county} auditor`, 'patient of b'))).toEqual(['accepted']);
    for (const name of ['a', 'b']) {
      const record = readConsent(consortium.store, idOf(name));
      if (record?.revokedAt === undefined) throw new Error('the consent is revoked');
      expect(isConsentActive(record, record.revokedAt - 1)).toBe(false);
      expect(wasConsentActive(record, record.revokedAt - 1)).toBe(true);
      expect(wasConsentActive(record, record.revokedAt)).toBe(false);
    }
  });

  test('others revoke nothing: no proof, another patient’s proof, a proof for another consent', () => {
    const consortium = new Consortium();
    consortium.say(grant(grantOf('a')), grant(grantOf('b')));
    const transplanted = {
      ...revoke('a', `${clinic} gateway`),
      message: { ...(revoke('b', '', 'patient of b').message as object), consentId: idOf('a') },
    };
    expect(
      consortium.say(
        revoke('a', `${clinic} gateway`),
        revoke('a', `${hospital} auditor`),
        revoke('a', `${clinic} gateway`, 'patient of b'),
        transplanted,
        revoke('c'),
      ),
    ).toEqual([
      'consent/not-custodian',
      'consent/not-custodian',
      'consent/not-the-patients-key',
      'code 12',
      'consent/not-found',
    ]);
    expect(readConsent(consortium.store, idOf('a'))?.revokedAt).toBeUndefined();
  });

  test('a revocation stands with the time of its block and is not repeated', () => {
    const consortium = new Consortium();
    consortium.say(grant(grantOf('a')));
    consortium.say(revoke('a'));
    const revokedAt = consortium.header.time;
    expect(consortium.say(revoke('a', `${clinic} gateway`, 'patient of a'))).toEqual([
      'consent/already-revoked',
    ]);
    expect(readConsent(consortium.store, idOf('a'))?.revokedAt).toBe(revokedAt);
  });
});

describe('golden bytes', () => {
  const terms: GrantTerms = {
    consentId: new Uint8Array(16).fill(1) as ConsentId,
    custodian: hospital,
    commitment: new Uint8Array(32).fill(2) as Commitment,
    notBefore: 1,
    notAfter: 1_800_000_000_000,
  };

  test('what a patient signs to grant and to revoke', () => {
    const words = (domain: string) => `78${domain.length.toString(16)}${toHex(utf8(domain))}`;
    const id = `50${'01'.repeat(16)}`;
    const chainHex = `5820${'03'.repeat(32)}`;
    const fixedChain = new Uint8Array(32).fill(3) as typeof chain;
    expect(toHex(grantText(fixedChain, terms))).toBe(
      `87${words('careledger/consent/grant/v1')}${chainHex}${id}70${toHex(utf8(hospital))}5820${'02'.repeat(32)}011b000001a3185c5000`,
    );
    expect(toHex(revokeText(fixedChain, terms.consentId))).toBe(
      `83${words('careledger/consent/revoke/v1')}${chainHex}${id}`,
    );
  });

  test('a grant and a revocation have one encoding; unknown fields and other lengths are refused', () => {
    const message: GrantConsent = {
      ...terms,
      patientKey: new Uint8Array(32).fill(4) as PublicKey,
      patientSignature: new Uint8Array(64).fill(5),
    };
    const bytes = grantConsentCodec.encode(message);
    expect(toHex(sha256(bytes))).toBe(GRANT_DIGEST);
    expect(grantConsentCodec.decode(bytes)).toEqual(message);
    expect(() => grantConsentCodec.decode(Uint8Array.of(...bytes, 0))).toThrow('after the value');
    const fields = Object.entries(message) as [string, Uint8Array | string | number][];
    expect(grantConsentCodec.decode(encodeCbor(new Map(fields)))).toEqual(message);
    expect(() => grantConsentCodec.decode(encodeCbor(new Map([...fields, ['reason', 'x']])))).toThrow(
      'not known',
    );
    expect(toHex(revokeConsentCodec.encode({ consentId: terms.consentId }))).toBe(
      `a169636f6e73656e74496450${'01'.repeat(16)}`,
    );
  });
});

/** SHA-256 of the grant above as cborg 6.1.5 encodes it (RFC 8949, section 4.2.1): another one is another format. */
const GRANT_DIGEST = 'f204645382c35d5eefb4e0c9ceb40113782a030f79f2c75ee99c980f776b5634';
