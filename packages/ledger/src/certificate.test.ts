import { sha256 } from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import type { FinalityCertificate, Validator } from './block.ts';
import { validatorsHash } from './block-codecs.ts';
import { isQuorum, verifyFinality } from './certificate.ts';
import { certify, makeTestChain, testValidators, verifyRemembered } from './test-chain.ts';

const { blocks, sets } = makeTestChain({ length: 2 });
const [{ header }, other] = blocks as [(typeof blocks)[number], (typeof blocks)[number]];
const [validators] = sets as [(typeof sets)[number]];

function verdict(
  certificate: FinalityCertificate,
  change: { header?: typeof header; validators?: typeof validators } = {},
) {
  return verifyFinality({ header, certificate, validators, verifySignature: verifyRemembered, ...change });
}

describe('finality certificates', () => {
  test('three of four equal validators make a header final, two do not', () => {
    expect(verdict(certify(header, validators)).ok).toBe(true);
    expect(verdict(certify(header, validators.slice(0, 3))).ok).toBe(true);
    expect(verdict(certify(header, validators.slice(0, 2)))).toEqual({ ok: false, error: 'quorum' });
    expect(verdict(certify(header, []))).toEqual({ ok: false, error: 'quorum' });
  });

  test.each([
    [2, 3, false],
    [3, 4, true],
    [2, 2, true],
    [1, 1, true],
    [0, 0, false],
    [66, 100, false],
    [67, 100, true],
    [6, 9, false],
    [7, 9, true],
  ])('%i of %i is a quorum: %s', (power, total, expected) => {
    expect(isQuorum(power, total)).toBe(expected);
  });

  test('power counts, not heads', () => {
    const [first, second, ...rest] = validators as [Validator, Validator];
    const weighted = [{ ...first, power: 61 }, second, ...rest];
    const hash = validatorsHash(weighted);
    const base = { ...header, validatorsHash: hash };
    const judge = (signers: readonly Validator[]) =>
      verdict(certify(base, signers), { header: base, validators: weighted });
    expect(judge([first])).toMatchObject({ ok: true });
    expect(judge([second, ...rest])).toEqual({ ok: false, error: 'quorum' });
    const even = [{ ...first, power: 60 }, second, ...rest];
    const exact = { ...header, validatorsHash: validatorsHash(even) };
    const twoThirds = verdict(certify(exact, [first]), { header: exact, validators: even });
    expect(twoThirds).toEqual({ ok: false, error: 'quorum' });
  });

  test('a heartbeat certifies the same header at a later engine height and time', () => {
    const heartbeat = certify(header, validators, { engineHeight: 900, time: header.time + 60_000, view: 2 });
    expect(verdict(heartbeat).ok).toBe(true);
  });

  test('every signer counts once, and must be in the set', () => {
    const certificate = certify(header, validators.slice(0, 2));
    const [first] = certificate.signatures as [FinalityCertificate['signatures'][number]];
    const twice = { ...certificate, signatures: [...certificate.signatures, first] };
    expect(verdict(twice)).toEqual({ ok: false, error: 'repeated signer' });
    const stranger = certify(header, [...validators.slice(0, 3), ...testValidators(6).slice(0, 1)]);
    expect(verdict(stranger)).toEqual({ ok: false, error: 'unknown signer' });
  });

  test('one wrong signature spoils the certificate, even above a quorum', () => {
    const certificate = certify(header, validators);
    const signatures = certificate.signatures.map(({ publicKey, signature }, index) => ({
      publicKey,
      signature:
        index === 3 ? signature.map((byte, position) => (position === 9 ? byte ^ 4 : byte)) : signature,
    }));
    expect(verdict({ ...certificate, signatures })).toEqual({ ok: false, error: 'signature' });
  });

  test('signatures over another height, view, time, chain or header do not count', () => {
    const certificate = certify(header, validators);
    for (const change of [{ engineHeight: 3 }, { view: 1 }, { time: header.time + 1 }]) {
      expect(verdict({ ...certificate, ...change })).toEqual({ ok: false, error: 'signature' });
    }
    expect(verdict({ ...certificate, ledgerHeight: 2 })).toEqual({ ok: false, error: 'ledger height' });
    expect(verdict({ ...certificate, headerHash: other.certificate.headerHash })).toEqual({
      ok: false,
      error: 'header hash',
    });
    expect(verdict(other.certificate)).toEqual({ ok: false, error: 'header hash' });
    const foreign = { ...header, chain: sha256(header.chain) as typeof header.chain };
    const moved = { ...certify(foreign, validators), signatures: certificate.signatures };
    expect(verdict(moved, { header: foreign })).toEqual({ ok: false, error: 'signature' });
  });

  test('a certificate older than its header is refused', () => {
    const early = certify(header, validators, { time: header.time - 1 });
    expect(verdict(early)).toEqual({ ok: false, error: 'time' });
  });

  test('a set that the header does not name is refused before any signature is looked at', () => {
    const strangers = testValidators(6);
    expect(verdict(certify(header, strangers), { validators: strangers })).toEqual({
      ok: false,
      error: 'validator set',
    });
  });
});
