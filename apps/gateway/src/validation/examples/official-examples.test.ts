import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { checkExample } from './check-example.ts';

const FOLDER = new URL('../../../../../vectors/fhir-r4-examples/', import.meta.url);
const FILES = readdirSync(new URL('examples/', FOLDER));
const REFUSED = JSON.parse(readFileSync(new URL('refused.json', FOLDER), 'utf8')) as Readonly<
  Record<string, string>
>;
const FINDINGS = FILES.map((file) => ({
  file,
  ...checkExample(readFileSync(new URL(`examples/${file}`, FOLDER), 'utf8')),
}));

describe('the official R4 examples', () => {
  test('IOP-03: the official R4 examples round-trip unchanged, 1.10 as 1.10', () => {
    expect(new Set(FILES.map((file) => file.slice(0, file.indexOf('-')))).size).toBe(140);
    expect(FINDINGS.filter(({ isUnchanged }) => !isUnchanged).map(({ file }) => file)).toEqual([]);
  });

  test('IOP-03: they validate, but for those that break R4’s own rules', () => {
    const refused = FINDINGS.filter(({ errors }) => errors.length > 0);
    const unexpected = refused.filter(({ file }) => !Object.hasOwn(REFUSED, file));
    expect(unexpected.map(({ file, errors }) => `${file} ${errors[0]}`)).toEqual([]);
    const listed = FILES.filter((file) => Object.hasOwn(REFUSED, file));
    expect(refused.map(({ file }) => file).sort()).toEqual(listed.sort());
    expect(listed.length).toBeGreaterThan(5);
  });

  test('IOP-03: a changed number is seen: the comparison can fail', () => {
    const text = '{"resourceType":"Observation","valueQuantity":{"value":1.10}}';
    expect(checkExample(text).isUnchanged).toBe(true);
    expect(checkExample(text.replace('"value":', '"value":null,"unit":')).errors).not.toEqual([]);
  });
});
