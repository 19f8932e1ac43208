import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { byFhirPath, DIRECT_RULES, type InvariantScope } from './invariants.ts';
import { isObject, type JsonObject } from './json-object.ts';

const FOLDER = new URL('../../../../vectors/fhir-r4-examples/examples/', import.meta.url);

/** R4's own expressions of the invariants that we also have in our words, and the objects that they stand on. */
const EXPRESSIONS: Readonly<Record<string, readonly [base: string, expression: string]>> = {
  'ext-1': ['Extension', 'extension.exists() != value.exists()'],
  'dom-2': ['DomainResource', 'contained.contained.empty()'],
  'dom-4': ['DomainResource', 'contained.meta.versionId.empty() and contained.meta.lastUpdated.empty()'],
  'dom-5': ['DomainResource', 'contained.meta.security.empty()'],
  'ref-1': [
    'Reference',
    "reference.startsWith('#').not() or (reference.substring(1) in %rootResource.contained.id)",
  ],
  'qty-3': ['Quantity', 'code.empty() or system.exists()'],
  'sqty-1': ['Quantity', 'comparator.empty()'],
  'cpt-2': ['ContactPoint', 'value.empty() or system.exists()'],
  'att-1': ['Attachment', 'data.empty() or contentType.exists()'],
  'per-1': ['Period', 'start.hasValue().not() or end.hasValue().not() or (start <= end)'],
  'obs-6': ['Observation', 'dataAbsentReason.empty() or value.empty()'],
  'obs-7': [
    'Observation',
    'value.empty() or component.code.where(coding.intersect(%resource.code.coding).exists()).empty()',
  ],
};
const KEYS = Object.keys(EXPRESSIONS);

/** By its members, what an object in an example may be, so that the rules of that type apply to it. */
const LOOKS_LIKE: Readonly<Record<string, (value: JsonObject) => boolean>> = {
  Extension: ({ url, resourceType }) => typeof url === 'string' && resourceType === undefined,
  DomainResource: ({ resourceType }) => typeof resourceType === 'string' && resourceType !== 'Bundle',
  Reference: ({ reference, language }) => typeof reference === 'string' && language === undefined,
  Quantity: ({ value, unit, code }) =>
    typeof value === 'number' && (unit !== undefined || code !== undefined),
  ContactPoint: ({ value, system, use }) => typeof value === 'string' && (system ?? use) !== undefined,
  Attachment: ({ contentType, data }) => contentType !== undefined || data !== undefined,
  Period: ({ start, end }) => typeof start === 'string' && typeof end === 'string',
  Observation: ({ resourceType }) => resourceType === 'Observation',
};

function visit(value: unknown, each: (value: JsonObject) => void): void {
  if (isObject(value)) each(value);
  if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(value)) visit(inner, each);
}

function answers(key: string, value: JsonObject, scope: InvariantScope): readonly [boolean, boolean] {
  const [base, expression] = EXPRESSIONS[key] ?? ['', ''];
  return [DIRECT_RULES[key]?.(value, scope) ?? false, byFhirPath({ base, expression }, value, scope)];
}

describe('invariants in our words', () => {
  test('say what FHIRPath says of every object of the official examples that they can stand on', () => {
    const different: string[] = [];
    const counted = new Map(KEYS.map((key) => [key, 0]));
    for (const file of readdirSync(FOLDER)) {
      const resource = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as JsonObject;
      const scope = { resource, root: resource };
      const inFile = new Map<string, number>();
      visit(resource, (value) => {
        for (const key of KEYS) {
          const [base = ''] = EXPRESSIONS[key] ?? [];
          // Five of a kind in a file are enough: most are alike, and FHIRPath is slow.
          const seen = inFile.get(key) ?? 0;
          if (seen >= 5 || !LOOKS_LIKE[base]?.(value)) continue;
          inFile.set(key, seen + 1);
          counted.set(key, (counted.get(key) ?? 0) + 1);
          const [direct, path] = answers(key, value, scope);
          if (direct !== path) different.push(`${file} ${key}`);
        }
      });
    }
    expect(different).toEqual([]);
    expect([...counted].filter(([, count]) => count === 0)).toEqual([]);
  });

  const contained = { resourceType: 'Patient', id: 'p' };
  const scope = (root: JsonObject): InvariantScope => ({ resource: root, root });
  const code = { coding: [{ system: 's', code: 'c' }] };
  test.each<{ key: string; value: JsonObject; root?: JsonObject }>([
    { key: 'ext-1', value: { url: 'x' } },
    { key: 'ext-1', value: { url: 'x', valueCode: 'a', extension: [{ url: 'y' }] } },
    { key: 'dom-2', value: { contained: [{ ...contained, contained: [contained] }] } },
    { key: 'dom-4', value: { contained: [{ ...contained, meta: { versionId: '1' } }] } },
    { key: 'dom-5', value: { contained: [{ ...contained, meta: { security: [{ code: 'R' }] } }] } },
    { key: 'ref-1', value: { reference: '#q' }, root: { contained: [contained] } },
    { key: 'qty-3', value: { value: 1, code: 'kg' } },
    { key: 'sqty-1', value: { value: 1, comparator: '<' } },
    { key: 'cpt-2', value: { value: '555' } },
    { key: 'att-1', value: { data: 'AAAA' } },
    { key: 'per-1', value: { start: '2024-05-02', end: '2024-05-01' } },
    { key: 'per-1', value: { start: '2024-05-01T10:00:00+02:00', end: '2024-05-01T07:00:00Z' } },
    { key: 'obs-6', value: { dataAbsentReason: code, valueString: 'x' } },
    {
      key: 'obs-7',
      value: { code, valueString: 'x', component: [{ code }] },
      root: { resourceType: 'Observation', code },
    },
  ])('$key is broken by $value, and FHIRPath agrees', ({ key, value, root = value }) => {
    expect(answers(key, value, scope(root))).toEqual([false, false]);
  });

  test.each([
    ['another code', { coding: [{ system: 's', code: 'd' }] }],
    ['the same code with a display', { coding: [{ system: 's', code: 'c', display: 'C' }] }],
    ['no coding', { text: 'c' }],
  ])('obs-7 holds for a component with %s, and FHIRPath agrees', (_what, other) => {
    const value = { resourceType: 'Observation', code, valueString: 'x', component: [{ code: other }] };
    expect(answers('obs-7', value, scope(value))).toEqual([true, true]);
  });

  test('obs-7 does not mind the order of members, and FHIRPath agrees', () => {
    const component = [{ code: { coding: [{ code: 'c', system: 's' }] } }];
    const value = { resourceType: 'Observation', code, valueString: 'x', component };
    expect(answers('obs-7', value, scope(value))).toEqual([false, false]);
  });

  test('SEC-15: thousands of codings, components and contained resources take no more than one look at each', () => {
    const some = <Item>(of: (index: number) => Item) =>
      Array.from({ length: 20_000 }, (_, index) => of(index));
    const coding = some((index) => ({ system: 's', code: `${index}` }));
    const component = some((index) => ({ code: { coding: [{ system: 't', code: `${index}` }] } }));
    const observation = { resourceType: 'Observation', code: { coding }, valueString: 'x', component };
    expect(DIRECT_RULES['obs-7']?.(observation, scope(observation))).toBe(true);
    const inner = some((index) => ({ resourceType: 'Patient', id: `${index}` }));
    const link = some((index) => ({ other: { reference: `#${index}` } }));
    const root = { resourceType: 'Patient', contained: inner, link };
    expect(DIRECT_RULES['dom-3']?.(root, scope(root))).toBe(true);
    expect(link.every(({ other }) => DIRECT_RULES['ref-1']?.(other, scope(root)))).toBe(true);
  });

  test('dom-3: a contained resource that nothing refers to, and the three ways to refer', () => {
    const holds = (root: JsonObject) => DIRECT_RULES['dom-3']?.(root, scope(root));
    expect(holds({ contained: [contained] })).toBe(false);
    expect(holds({ contained: [contained], subject: { reference: '#p' } })).toBe(true);
    expect(holds({ contained: [contained], instantiatesCanonical: ['#p'] })).toBe(true);
    expect(holds({ contained: [{ ...contained, generalPractitioner: [{ reference: '#' }] }] })).toBe(true);
  });

  test('a period of two precisions is no error where neither says so; FHIRPath would not answer', () => {
    const rule = (start: string, end: string) => DIRECT_RULES['per-1']?.({ start, end }, scope({}));
    expect(rule('2024', '2024-05')).toBe(true);
    expect(rule('2024-05-03', '2024-05-03T10:00:00Z')).toBe(true);
    expect(rule('2025', '2024-05')).toBe(false);
  });
});
