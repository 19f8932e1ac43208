import { LOCATOR_TAG_BYTES } from '@careledger/capabilities';
import {
  type ChainId,
  type ConsentId,
  concat,
  equalBytes,
  hmacSha256,
  organizationId,
  sha256,
  signerFromSeed,
  toHex,
  utf8,
  verifySignature,
} from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import {
  type Introduction,
  type IntroductionContext,
  type IntroductionFailure,
  type LocatorTag,
  openIntroduction,
  type PatientHandle,
  sealIntroduction,
} from './introduction.ts';
import { openLocation, sealLocation } from './locator-entry.ts';
import type { SealedBox } from './sealed-box.ts';

/** A stand-in for X25519 boxes: a key is 32 bytes, and only its holder opens. Real ones are tested in the gateway. */
function boxOf(own: Uint8Array): SealedBox {
  const stream = (key: Uint8Array, length: number): Uint8Array => {
    const blocks: Uint8Array[] = [];
    for (let index = 0; index * 32 < length; index += 1) blocks.push(sha256(key, Uint8Array.of(index)));
    return concat(...blocks).subarray(0, length);
  };
  const mix = (key: Uint8Array, bytes: Uint8Array): Uint8Array => {
    const pad = stream(key, bytes.length);
    return bytes.map((byte, index) => byte ^ (pad[index] ?? 0));
  };
  return {
    seal: (key, plaintext) => concat(hmacSha256(key, plaintext), mix(key, plaintext)),
    open: (sealed) => {
      const plaintext = mix(own, sealed.subarray(32));
      return equalBytes(hmacSha256(own, plaintext), sealed.subarray(0, 32)) ? plaintext : undefined;
    },
  };
}

const hospital = organizationId('general-hospital');
const clinic = organizationId('city-clinic');
const hospitalKey = sha256(utf8('hospital'));
const signer = signerFromSeed(sha256(utf8('clinic signer')));
const introduction: Introduction = {
  kind: 'careledger/introduction/1',
  chain: new Uint8Array(32).fill(1) as ChainId,
  recipient: clinic,
  custodian: hospital,
  handle: new Uint8Array(32).fill(2) as PatientHandle,
  locatorTag: new Uint8Array(LOCATOR_TAG_BYTES).fill(3) as LocatorTag,
  purpose: 'TREAT',
  expiresAt: 2_000,
  nonce: new Uint8Array(16).fill(4),
};
const context: IntroductionContext = {
  chain: introduction.chain,
  custodian: hospital,
  now: 1_000,
  box: boxOf(hospitalKey),
  verify: verifySignature,
  organizationOf: (key) => (equalBytes(key, signer.publicKey) ? clinic : undefined),
  isUsed: () => false,
};
const seal = (changes: Partial<Introduction> = {}): Uint8Array =>
  sealIntroduction(
    { ...introduction, ...changes },
    { signer, box: boxOf(hospitalKey), encryptionKey: hospitalKey },
  );

describe('an introduction', () => {
  test('CRY-03: is read by its custodian alone, and shows neither handle nor tag to who carries it', () => {
    const sealed = seal();
    expect(openIntroduction(sealed, context)).toEqual({ ok: true, value: introduction });
    expect(openIntroduction(sealed, { ...context, box: boxOf(sha256(utf8('payer'))) })).toEqual({
      ok: false,
      error: 'introduction/unreadable',
    });
    expect(toHex(sealed)).not.toContain(toHex(introduction.handle));
    expect(toHex(sealed)).not.toContain(toHex(introduction.locatorTag));
  });

  type Case = readonly [IntroductionFailure, Partial<Introduction>, Partial<IntroductionContext>];
  const cases: readonly Case[] = [
    ['introduction/expired', {}, { now: 2_000 }],
    ['introduction/used', {}, { isUsed: () => true }],
    ['introduction/other-custodian', { custodian: clinic }, {}],
    ['introduction/other-chain', { chain: new Uint8Array(32) as ChainId }, {}],
    ['introduction/signer-not-in-force', {}, { organizationOf: () => undefined }],
    ['introduction/signer-not-in-force', {}, { organizationOf: () => hospital }],
    ['introduction/lives-too-long', { expiresAt: 1_000 + 31 * 86_400_000 }, {}],
    ['introduction/signature', {}, { verify: () => false }],
  ];
  test.each(cases)('is refused as %s', (error, changes, differently) => {
    const opened = openIntroduction(seal(changes), { ...context, ...differently });
    expect(opened).toEqual({ ok: false, error });
  });
});

describe('a locator entry', () => {
  test('OFF-07: holds a random tag and a random id, for its one recipient', () => {
    const location = {
      locatorTag: introduction.locatorTag,
      consentId: new Uint8Array(16).fill(5) as ConsentId,
    };
    const sealed = sealLocation(location, hospitalKey, boxOf(hospitalKey));
    expect(openLocation(sealed, boxOf(hospitalKey))).toEqual(location);
    expect(openLocation(sealed, boxOf(sha256(utf8('payer'))))).toBeUndefined();
  });

  test('what opens to another length is no entry', () => {
    const sealed = boxOf(hospitalKey).seal(hospitalKey, new Uint8Array(5));
    expect(openLocation(sealed, boxOf(hospitalKey))).toBeUndefined();
  });
});
