import { CborError, equalBytes, type PublicKey, toHex } from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import {
  decodeBlock,
  encodeBlock,
  encodeHeader,
  headerCodec,
  headerHash,
  SEAL_BYTES_MAX,
  sortValidators,
  transactionResultCodec,
  validatorSetCodec,
  validatorsHash,
} from './block-codecs.ts';
import { GENESIS_TIME, makeTestChain, testValidators } from './test-chain.ts';

const { blocks, chain } = makeTestChain({ length: 1 });
const [block] = blocks as [(typeof blocks)[number]];

describe('blocks', () => {
  test('a block comes back from its bytes', () => {
    expect(decodeBlock(encodeBlock(block))).toEqual({ ok: true, value: block });
  });

  test('LED-13: every header holds the block time in milliseconds, and its hash covers it', () => {
    expect(block.header.time).toBe(GENESIS_TIME + 1000);
    expect(new Date(block.header.time).toISOString()).toBe('2027-01-15T08:00:01.000Z');
    expect(headerCodec.decode(encodeHeader(block.header)).time).toBe(block.header.time);
    for (const time of [-1, 0.5, Number.NaN]) {
      expect(() => encodeHeader({ ...block.header, time }), String(time)).toThrow(CborError);
    }
    const later = { ...block.header, time: block.header.time + 1 };
    expect(equalBytes(headerHash(later), headerHash(block.header))).toBe(false);
  });

  test('a change of any header field is another hash', () => {
    const other = (hash: Uint8Array) => hash.map((byte) => byte ^ 1);
    const { header } = block;
    const changed = [
      { ...header, version: 2 },
      { ...header, chain: other(header.chain) as typeof chain },
      { ...header, engine: { id: 'pbft', version: 2 } },
      { ...header, height: 2 },
      { ...header, time: header.time + 1 },
      { ...header, previousHash: other(header.previousHash) },
      { ...header, transactionsRoot: other(header.transactionsRoot) },
      { ...header, resultsRoot: other(header.resultsRoot) },
      { ...header, stateRoot: other(header.stateRoot) },
      { ...header, historyRoot: other(header.historyRoot) },
      { ...header, validatorsHash: other(header.validatorsHash) },
      { ...header, nextValidatorsHash: other(header.nextValidatorsHash) },
      { ...header, proposer: other(header.proposer) as PublicKey },
      { ...header, nonce: 2 },
      { ...header, seal: Uint8Array.of(1) },
    ];
    expect(changed.length).toBe(Object.keys(header).length);
    const hashes = [header, ...changed].map((each) => toHex(headerHash(each)));
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test('a seal holds at most 1 KiB', () => {
    const seal = new Uint8Array(SEAL_BYTES_MAX);
    expect(encodeHeader({ ...block.header, seal }).length).toBeGreaterThan(SEAL_BYTES_MAX);
    const over = { ...block.header, seal: new Uint8Array(SEAL_BYTES_MAX + 1) };
    expect(() => encodeHeader(over)).toThrow(/^seal: /);
  });

  test('malformed blocks are refused with the field, never its content', () => {
    const encoded = encodeBlock(block);
    const cut = decodeBlock(encoded.slice(0, -1));
    expect(cut).toMatchObject({ ok: false, error: { code: 'block/malformed' } });
    const limited = decodeBlock(encoded, { bytesMax: encoded.length - 1 });
    expect(limited).toMatchObject({ ok: false, error: { code: 'block/malformed' } });
  });

  test('attributes of an event are canonical whatever the order in which they were written', () => {
    const result = (attributes: Record<string, string>) =>
      transactionResultCodec.encode({ code: 0, events: [{ type: 'a/b', attributes }], gas: 1 });
    expect(result({ b: '2', a: '1' })).toEqual(result({ a: '1', b: '2' }));
    expect(transactionResultCodec.decode(result({ b: '2', a: '1' })).events[0]?.attributes).toEqual({
      a: '1',
      b: '2',
    });
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`name-${index}`, 'x']));
    expect(() => result(many)).toThrow(CborError);
  });
});

describe('validator sets', () => {
  const validators = testValidators(0);

  test('the hash does not depend on the order', () => {
    expect(validatorsHash(validators.toReversed())).toEqual(validatorsHash(validators));
  });

  test('the hash covers key, power, node and organization', () => {
    const [first, ...rest] = validators as [(typeof validators)[number]];
    const hashes = [
      first,
      { ...first, power: 11 },
      { ...first, node: `${first.node}-x` as typeof first.node },
      { ...first, organization: `${first.organization}-x` as typeof first.organization },
    ].map((changed) => toHex(validatorsHash([changed, ...rest])));
    expect(new Set(hashes).size).toBe(4);
  });

  test('a set that is empty, unsorted, has a key twice or power nobody can have is refused', () => {
    const [first, second] = validators as [(typeof validators)[number], (typeof validators)[number]];
    expect(() => validatorsHash([])).toThrow(CborError);
    expect(() => validatorsHash([first, { ...first, power: 5 }])).toThrow(CborError);
    expect(() => validatorSetCodec.encode([second, first])).toThrow(CborError);
    for (const power of [0, -1, 0.5, 2 ** 32 + 1]) {
      expect(() => validatorsHash([{ ...first, power }, second]), String(power)).toThrow(CborError);
    }
    expect(sortValidators([second, first])).toEqual([first, second]);
  });
});
