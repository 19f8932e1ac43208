import { sha256 } from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import { validatorsHash } from './block-codecs.ts';
import { certify, makeTestChain, testValidators, verifyRemembered } from './test-chain.ts';
import { TrustedChain } from './trust.ts';

const { genesis, chain, blocks, sets } = makeTestChain({ length: 6, changeAt: 3 });
const [first, second] = sets as [(typeof sets)[number], (typeof sets)[number]];
const blockAt = (height: number) => blocks[height - 1] as (typeof blocks)[number];

function trusted(): TrustedChain {
  const result = TrustedChain.fromGenesis({ genesis, expectedChain: chain });
  if (!result.ok) throw new TypeError(result.error.detail);
  return result.value;
}

function verdict(on: TrustedChain, height: number) {
  return on.verifyHeader(blockAt(height), verifyRemembered);
}

describe('a trusted chain', () => {
  test('CRY-01: genesis is believed only under the chain id that the caller knows', () => {
    const expectedChain = sha256(chain);
    expect(TrustedChain.fromGenesis({ genesis, expectedChain })).toMatchObject({
      ok: false,
      error: { code: 'genesis' },
    });
    const notGenesis = sha256(genesis);
    const result = TrustedChain.fromGenesis({ genesis: notGenesis, expectedChain: sha256(notGenesis) });
    expect(result).toMatchObject({ ok: false, error: { code: 'genesis' } });
  });

  test('CRY-01: a client that trusts no node follows the validator sets from genesis by verified headers alone', () => {
    const client = trusted();
    expect(client.offerValidators(second)).toBe(true);
    expect(verdict(client, 5)).toMatchObject({ ok: false, error: { code: 'validator set' } });
    for (const height of [1, 3, 5, 4, 6, 2])
      expect(verdict(client, height).ok, `height ${height}`).toBe(true);
  });

  test('CRY-01: a set is not believed because it was handed over', () => {
    const client = trusted();
    const strangers = testValidators(8);
    client.offerValidators(strangers);
    const forged = {
      ...blockAt(2).header,
      validatorsHash: validatorsHash(strangers),
      nextValidatorsHash: validatorsHash(strangers),
    };
    const verified = client.verifyHeader(
      { header: forged, certificate: certify(forged, strangers) },
      verifyRemembered,
    );
    expect(verified).toMatchObject({ ok: false, error: { code: 'validator set' } });
    expect(client.hasUnnamedValidators()).toBe(true);
  });

  test('CRY-01: a set whose bytes were not handed over makes the header unverifiable, not valid', () => {
    const client = trusted();
    expect(verdict(client, 3).ok).toBe(true);
    expect(client.validatorsAt(4)).toBeUndefined();
    expect(verdict(client, 4)).toMatchObject({ ok: false, error: { code: 'validator set' } });
    client.offerValidators(second);
    expect(client.validatorsAt(4)).toEqual(second);
    expect(verdict(client, 4).ok).toBe(true);
  });

  test('CRY-01: a set that was replaced is not believed for later heights', () => {
    const client = trusted();
    client.offerValidators(second);
    expect(verdict(client, 3).ok).toBe(true);
    const rewritten = {
      ...blockAt(5).header,
      validatorsHash: validatorsHash(first),
      nextValidatorsHash: validatorsHash(first),
    };
    const forged = { header: rewritten, certificate: certify(rewritten, first) };
    expect(client.verifyHeader(forged, verifyRemembered)).toMatchObject({
      ok: false,
      error: { code: 'validator set' },
    });
  });

  test('a header of another chain, version or engine is refused by name', () => {
    const client = trusted();
    const { header } = blockAt(1);
    const foreign = [
      { ...header, version: 2 },
      { ...header, chain: sha256(chain) as typeof chain },
      { ...header, engine: { id: 'authority', version: 1 } },
      { ...header, engine: { id: 'pbft', version: 2 } },
    ];
    const details = foreign.map((changed) => {
      const result = client.verifyHeader(
        { header: changed, certificate: certify(changed, first) },
        verifyRemembered,
      );
      return result.ok ? 'verified' : `${result.error.code}: ${result.error.detail}`;
    });
    expect(details).toEqual([
      "header: its version is not this chain's",
      "header: its chain is not this chain's",
      "header: its engine is not this chain's",
      "header: its engine is not this chain's",
    ]);
  });

  test('a set without form is not taken', () => {
    expect(trusted().offerValidators([])).toBe(false);
  });

  test('a trust path brings the sets of later heights', () => {
    const path = { genesis, changes: [blockAt(3)], validatorSets: [second] };
    const result = TrustedChain.fromPath({ path, expectedChain: chain, verifySignature: verifyRemembered });
    expect(result.ok && verdict(result.value, 6).ok).toBe(true);
    const forged = { ...path, changes: [{ ...blockAt(3), certificate: blockAt(2).certificate }] };
    const refused = TrustedChain.fromPath({
      path: forged,
      expectedChain: chain,
      verifySignature: verifyRemembered,
    });
    expect(refused).toMatchObject({ ok: false, error: { code: 'header' } });
  });
});
