import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  canonicalText,
  JsonError,
  LosslessNumber,
  parseLossless,
  toLossless,
  toPlain,
  valueAt,
  withField,
  withoutField,
  withValueAt,
} from './index.ts';

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof JsonError) return error.code;
    throw error;
  }
  return 'accepted';
}

const FHIR_DECIMAL = fc.stringMatching(/^-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,8})?([eE][+-]?[0-9]{1,2})?$/);
const KEY = fc.string({ unit: 'binary' }).filter((key) => key !== '__proto__');
/** JSON texts with odd spacing, escapes and number spellings, and no doubled members. */
const { value: JSON_TEXT } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    FHIR_DECIMAL,
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
    fc.constantFrom('true', 'false', 'null', ' 1.10', '1.10 ', '"\\u00e9\\/"', '-0', '1E5'),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => `[ ${items.join(' ,\n')} ]`),
    fc
      .uniqueArray(fc.tuple(KEY, tie('value')), { maxLength: 5, selector: ([key]) => key })
      .map((members) => `{${members.map(([key, value]) => `${JSON.stringify(key)} :\t${value}`).join(',')}}`),
  ),
}));

describe('lossless JSON', () => {
  test('LED-28: a decimal keeps its digits through parse, edit and canonical text (1.10 stays 1.10)', () => {
    const text = '{"valueQuantity":{"value":1.10,"unit":"mg/dL"},"resourceType":"Observation"}';
    const edited = withField(parseLossless(text) as Record<string, never>, 'id', 'a');
    expect(canonicalText(edited)).toBe(
      '{"id":"a","resourceType":"Observation","valueQuantity":{"unit":"mg/dL","value":1.10}}',
    );
  });

  test('canonical text is a fixed point, and says what JSON.parse says', () => {
    fc.assert(
      fc.property(JSON_TEXT, (text) => {
        const value = parseLossless(text);
        const canonical = canonicalText(value);
        expect(canonicalText(parseLossless(canonical))).toBe(canonical);
        expect(toPlain(value)).toEqual(JSON.parse(text));
        expect(JSON.parse(canonical)).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  test('canonical text does not depend on the order of members or on white space', () => {
    fc.assert(
      fc.property(fc.uniqueArray(KEY, { maxLength: 8 }), (keys) => {
        const text = (names: readonly string[]) =>
          `{${names.map((key) => `${JSON.stringify(key)}:0.50`).join(' , ')}}`;
        expect(canonicalText(parseLossless(text(keys)))).toBe(
          canonicalText(parseLossless(text(keys.toReversed()))),
        );
      }),
    );
  });

  test('a member named twice is refused wherever it stands, spelled alike or by escapes', () => {
    fc.assert(
      fc.property(KEY, JSON_TEXT, (key, value) => {
        const name = JSON.stringify(key);
        expect(codeOf(() => parseLossless(`[{${name}:${value},"x\\u0000x":1,${name}:${value}}]`))).toBe(
          'json/duplicate-key',
        );
      }),
    );
    expect(codeOf(() => parseLossless('{"a":1,"\\u0061":2}'))).toBe('json/duplicate-key');
  });

  test('never accepts what JSON.parse refuses, and ends with a JsonError', () => {
    const mutation = fc.tuple(JSON_TEXT, fc.nat(), fc.string({ unit: 'binary-ascii', maxLength: 2 }));
    fc.assert(
      fc.property(mutation, ([text, position, insert]) => {
        const at = position % (text.length + 1);
        const mutated = text.slice(0, at) + insert + text.slice(at + 1);
        if (codeOf(() => parseLossless(mutated)) === 'accepted')
          expect(() => JSON.parse(mutated)).not.toThrow();
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['json/syntax', '', 'nothing'],
    ['json/syntax', '{"a":1}}', 'text after the value'],
    ['json/syntax', '{"a":1,}', 'a comma before the end'],
    ['json/syntax', "{'a':1}", 'single quotes'],
    ['json/syntax', '"a\nb"', 'a raw line end in a string'],
    ['json/syntax', '"\\x"', 'an unknown escape'],
    ['json/syntax', '"\\u12g4"', 'a broken escape'],
    ['json/syntax', '"open', 'an open string'],
    ['json/syntax', '[1', 'an open array'],
    ['json/syntax', '\ufeff{}', 'a byte order mark'],
    ['json/syntax', 'NaN', 'NaN'],
    ['json/syntax', '+1', 'a plus sign'],
    ['json/syntax', '.5', 'no leading digit'],
    ['json/number', '01', 'a leading zero'],
    ['json/number', '1.', 'no fraction digits'],
    ['json/number', '1e', 'no exponent digits'],
    ['json/number', '0x10', 'hexadecimal'],
    ['json/number', '1e999', 'beyond a double'],
    ['json/number', '1'.repeat(65), 'too many digits'],
    ['json/lone-surrogate', '"\\ud800"', 'an escaped lone surrogate'],
    ['json/lone-surrogate', '"\ud800"', 'a raw lone surrogate'],
    ['json/lone-surrogate', '{"\\udc00":1}', 'a lone surrogate in a name'],
    ['json/forbidden-key', '{"__proto__":{"admin":true}}', 'a member named __proto__'],
    ['json/too-deep', '['.repeat(65), 'depth beyond the limit'],
  ])('%s for %j (%s)', (code, text) => {
    expect(codeOf(() => parseLossless(text))).toBe(code);
  });

  test('limits are exact and named by the caller', () => {
    const limits = { depthMax: 3, charactersMax: 10, numberCharactersMax: 4 };
    expect(codeOf(() => parseLossless('[[[1.10]]]', limits))).toBe('accepted');
    expect(codeOf(() => parseLossless('[[[[1]]]]', limits))).toBe('json/too-deep');
    expect(codeOf(() => parseLossless('[1, 2, 3, 4]', limits))).toBe('json/too-large');
    expect(codeOf(() => parseLossless('12345', limits))).toBe('json/number');
  });

  test('an error says where and why, never what stood there', () => {
    const text = '{"family":"Chalmers","family":"Windsor"}';
    expect(() => parseLossless(text)).toThrow(/^an object names a member twice \(at offset 29\)$/);
  });

  test('members named as on Object.prototype are members like others', () => {
    const text = '{"constructor":1,"hasOwnProperty":2,"toString":3}';
    expect(canonicalText(parseLossless(text))).toBe(text);
  });
});

describe('RFC 8785', () => {
  test('literals, strings and member order of its section 3.2.2, with numbers as written', () => {
    const text = `{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
      "literals": [null, true, false]
    }`;
    expect(canonicalText(parseLossless(text))).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test('members are sorted by UTF-16 code units (section 3.2.3)', () => {
    const text = `{
      "\\u20ac": "Euro Sign", "\\r": "Carriage Return", "\\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
      "\\ud83d\\ude00": "Emoji: Grinning Face", "\\u0080": "Control", "\\u00f6": "Latin Small Letter O With Diaeresis"
    }`;
    expect(Object.values(JSON.parse(canonicalText(parseLossless(text)).replace('"1"', '"one"')))).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
  });

  test('every control character is escaped as section 3.2.2.2 says', () => {
    const controls = String.fromCharCode(...Array(33).keys());
    expect(canonicalText(controls)).toBe(
      '"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f\\u0010\\u0011' +
        '\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f "',
    );
    expect(codeOf(() => canonicalText('\ud800'))).toBe('json/lone-surrogate');
  });
});

describe('editing', () => {
  const value = parseLossless('{"name":[{"given":["A","B"]}],"value":1.10}') as Record<string, never>;

  test('changes one place, shares the rest, and leaves the original alone', () => {
    const edited = withValueAt(value, ['name', 0, 'given', 1], 'C');
    expect(canonicalText(edited)).toBe('{"name":[{"given":["A","C"]}],"value":1.10}');
    expect(valueAt(value, ['name', 0, 'given', 1])).toBe('B');
    expect(valueAt(edited, ['value'])).toBe(value.value);
  });

  test('makes what is missing on the way and refuses paths that do not fit', () => {
    expect(canonicalText(withValueAt({}, ['meta', 'tag', 0, 'code'], 'x'))).toBe(
      '{"meta":{"tag":[{"code":"x"}]}}',
    );
    expect(() => withValueAt(value, ['name', 2], 'x')).toThrow(RangeError);
    expect(() => withValueAt(value, ['value', 'unit'], 'x')).toThrow(RangeError);
    expect(valueAt(value, ['name', 'given'])).toBeUndefined();
    expect(valueAt(value, ['toString'])).toBeUndefined();
  });

  test('takes members out', () => {
    expect(canonicalText(withoutField(value, 'name'))).toBe('{"value":1.10}');
    expect(withoutField(value, 'id')).toBe(value);
  });

  test('values of our own may say how many digits count', () => {
    const lossless = toLossless({ value: new LosslessNumber('1.10'), count: 2, skipped: undefined });
    expect(canonicalText(lossless)).toBe('{"count":2,"value":1.10}');
    expect(() => toLossless({ value: Number.NaN })).toThrow(TypeError);
  });
});
