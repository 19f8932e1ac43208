import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeCbor } from './cbor-encode.ts';
import { CborError, type CborValue } from './cbor-value.ts';
import { bool, bytes, fixedBytes, list, oneOf, optional, struct, text, uint } from './codec.ts';

const visit = struct({
  id: fixedBytes(2),
  name: text({ bytesMax: 8, pattern: /^[a-z]+$/ }),
  open: bool,
  kind: oneOf(['in', 'out']),
  stays: list(struct({ from: uint, note: optional(bytes({ bytesMax: 3 })) }), { countMax: 2 }),
});
const sample = {
  id: Uint8Array.of(1, 2),
  name: 'ward',
  open: true,
  kind: 'in' as const,
  stays: [{ from: 1 }, { from: 2, note: Uint8Array.of(7) }],
};

function fields(change: Record<string, CborValue | undefined>): Uint8Array {
  const map = new Map(visit.toCbor(sample) as ReadonlyMap<string, CborValue>);
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) map.delete(name);
    else map.set(name, value);
  }
  return encodeCbor(map);
}

describe('codecs', () => {
  test('a value comes back as it was', () => {
    expect(visit.decode(visit.encode(sample))).toEqual(sample);
  });

  test('an optional field that is absent stays absent', () => {
    const note: Uint8Array | undefined = visit.decode(visit.encode(sample)).stays[0]?.note;
    expect(note).toBeUndefined();
    expect('note' in (visit.decode(visit.encode(sample)).stays[0] ?? {})).toBe(false);
  });

  test.each<[string, Record<string, CborValue | undefined>, RegExp]>([
    ['a missing field', { name: undefined }, /the field name is missing/],
    ['an unknown field', { other: 1 }, /a field is not known here/],
    ['an integer key', { name: 7 }, /^name: not text/],
    ['bytes of another length', { id: Uint8Array.of(1) }, /^id: not 2 bytes long/],
    ['a text of another form', { name: 'Ward' }, /^name: not of the agreed form/],
    ['a text too long', { name: 'wardwardw' }, /^name: longer than 8 bytes/],
    ['another word', { kind: 'up' }, /^kind: not one of in, out/],
    ['a list too long', { stays: [1, 2, 3] }, /^stays: more than 2 items/],
    ['a deep field', { stays: [new Map([['from', -1]])] }, /^stays\[0\]\.from: not an unsigned integer/],
    [
      'null for an optional',
      {
        stays: [
          new Map<string, CborValue>([
            ['from', 1],
            ['note', null],
          ]),
        ],
      },
      /note: not a byte string/,
    ],
  ])('refuses %s and names the field, never its content', (_, change, message) => {
    expect(() => visit.decode(fields(change))).toThrow(CborError);
    expect(() => visit.decode(fields(change))).toThrow(message);
  });

  test('a length in bytes counts bytes, not characters', () => {
    expect(() => text({ bytesMax: 3 }).encode('üü')).toThrow(CborError);
    expect(text({ bytesMax: 4 }).decode(text({ bytesMax: 4 }).encode('üü'))).toBe('üü');
  });

  test('encoding refuses what decoding would refuse', () => {
    expect(() => uint.encode(-1)).toThrow(CborError);
    expect(() => uint.encode(0.5)).toThrow(CborError);
    expect(() => visit.encode({ ...sample, stays: [{ from: 1 }, { from: 2 }, { from: 3 }] })).toThrow(
      /stays/,
    );
    expect(() => visit.encode({ ...sample, name: 'UPPER' })).toThrow(/^name: /);
  });

  test('no bytes make a codec throw anything but a CborError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (input) => {
        try {
          visit.decode(input);
        } catch (error) {
          expect(error).toBeInstanceOf(CborError);
        }
      }),
    );
  });
});
