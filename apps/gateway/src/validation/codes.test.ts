import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { outsideCode } from './code-systems.ts';
import {
  canonicalQuantity,
  issuesToRecord,
  isUcumUnit,
  UCUM_SYSTEM,
  validateResource,
  validationOf,
} from './index.ts';
import { primitiveProblem } from './primitive-formats.ts';

const LOINC = 'http://loinc.org';
const SNOMED = 'http://snomed.info/sct';
const well = (system: string, code: string) => outsideCode(system, code).isWellFormed;

describe('codes of outside systems', () => {
  test.each([
    [LOINC, ['2160-0', '85354-9', '8480-6', 'LA6576-8', '718-7'], ['2160-1', '85354-8', '2160', 'x-0']],
    [SNOMED, ['22298006', '404684003', '73211009'], ['22298007', '404684030', '12345', '022298006']],
    ['http://www.nlm.nih.gov/research/umls/rxnorm', ['197361'], ['0197361', 'aspirin']],
    ['http://hl7.org/fhir/sid/icd-10-cm', ['E11.9', 'S93.401A', 'Z00'], ['11.9', 'E11.', 'E119999']],
    ['http://hl7.org/fhir/sid/cvx', ['08', '208'], ['8', 'flu']],
    ['http://hl7.org/fhir/sid/ndc', ['0777-3105-02', '50090-2869-0', '00777310502'], ['0777-3105', '12']],
  ])('IOP-05: %s: form and check digit', (system, right, wrong) => {
    expect(right.filter((code) => !well(system, code))).toEqual([]);
    expect(wrong.filter((code) => well(system, code))).toEqual([]);
  });

  test('IOP-05: one wrong digit in a LOINC or SNOMED CT code is always seen', () => {
    const digit = fc.integer({ min: 1, max: 9 });
    const changed = (code: string, at: number, by: number) =>
      code.slice(0, at) + String((Number(code[at]) + by) % 10) + code.slice(at + 1);
    fc.assert(
      fc.property(fc.constantFrom('85354-9', '2160-0'), fc.nat(3), digit, (code, at, by) => {
        expect(well(LOINC, changed(code, at, by))).toBe(false);
      }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('404684003', '22298006'),
        fc.integer({ min: 1, max: 7 }),
        digit,
        (code, at, by) => {
          expect(well(SNOMED, changed(code, at, by))).toBe(false);
        },
      ),
    );
  });

  test('IOP-05: an unknown code is flagged and recorded, never silently fine, and quotes nothing', () => {
    const observation = {
      resourceType: 'Observation',
      status: 'final',
      code: { coding: [{ system: LOINC, code: '2160-1' }] },
      interpretation: [
        {
          coding: [
            { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation', code: 'HHHH' },
          ],
        },
      ],
      method: { coding: [{ system: 'http://chalmers.example', code: 'chalmers' }] },
      valueQuantity: { value: 1, system: UCUM_SYSTEM, code: 'mg/chalmers' },
    };
    const { valid, issues, systemsNotLookedUp } = validationOf(observation);
    expect(valid).toBe(true);
    expect(issues.map(({ severity, expression }) => `${severity} ${expression?.[0]}`)).toEqual([
      'warning Observation.code.coding[0].code',
      'warning Observation.interpretation[0].coding[0].code',
      'warning Observation.value.code',
    ]);
    expect(systemsNotLookedUp).toEqual(['LOINC', 'other']);
    const recorded = issuesToRecord({ issues, systemsNotLookedUp });
    expect(recorded.at(-1)?.details?.text).toBe(
      'Codes of LOINC, other: written as they should be, not looked up',
    );
    expect(JSON.stringify(recorded)).not.toMatch(/chalmers/);
  });

  test('IOP-05: required value sets made of value sets and of branches of a hierarchy are enumerated', () => {
    const immunization = (code: string) => ({
      resourceType: 'Consent',
      status: 'active',
      scope: { text: 'x' },
      category: [{ text: 'x' }],
      policyRule: { text: 'x' },
      provision: { actor: [{ role: { text: 'x' }, reference: { display: 'x' } }], type: code },
    });
    expect(validateResource(immunization('permit'))).toEqual([]);
    expect(validateResource(immunization('allow')).map(({ code }) => code)).toEqual(['code-invalid']);
  });
});

describe('units', () => {
  test('IOP-05: quantities that mean the same have the same canonical form', () => {
    expect(canonicalQuantity(100, 'mg/dL')).toEqual({ value: 1000, unit: 'g.m-3' });
    expect(canonicalQuantity(1, 'g/L')).toEqual(canonicalQuantity(100, 'mg/dL'));
    expect(canonicalQuantity(37, 'Cel')).toEqual(canonicalQuantity(98.6, '[degF]'));
    expect(canonicalQuantity(4, '10*3/uL')).toEqual(canonicalQuantity(4, '10*9/L'));
    expect(canonicalQuantity(60, '/min')).toEqual({ value: 1, unit: 's-1' });
    // Arbitrary units compare with themselves alone.
    expect(canonicalQuantity(2, 'm[IU]/L')).toEqual({ value: 2, unit: 'm[IU]/L' });
    expect(canonicalQuantity(1, 'smoots')).toBeUndefined();
  });

  test.each(['mg/dL', 'mm[Hg]', '{score}', '%', 'mL/min/{1.73_m2}', '[pH]'])('%s is a unit', (unit) => {
    expect(isUcumUnit(unit)).toBe(true);
  });
  test.each(['', 'mgs', 'beats/min', 'celsius', 'x'.repeat(1000), '/'.repeat(64)])('%s is none', (unit) => {
    expect(isUcumUnit(unit)).toBe(false);
  });
});

describe('primitive formats', () => {
  const problem = (type: string, value: unknown) => primitiveProblem(type, value, 100);
  test.each<readonly [string, readonly unknown[], readonly unknown[]]>([
    [
      'date',
      ['2024', '2024-02', '2024-02-29'],
      ['2023-02-29', '2024-13', '24', '2024-1-1', '2024-01-01T10:00:00Z'],
    ],
    [
      'dateTime',
      ['2024', '2024-02-29T23:59:60Z'],
      ['2024-02-30', '2024-01-01T10:00:00', '2024-01-01T24:00:00Z'],
    ],
    [
      'instant',
      ['2024-02-29T10:00:00.123+02:00'],
      ['2024-02-29', '2024-02-29T10:00:00', '2024-02-29T10:00Z'],
    ],
    ['time', ['10:00:00'], ['10:00', '24:00:00', '10:00:00Z']],
    ['id', ['a-1.B'], ['a_1', 'x'.repeat(65), '']],
    ['oid', ['urn:oid:1.2.840'], ['1.2.840', 'urn:oid:3.1', 'urn:oid:1.02']],
    ['uuid', ['urn:uuid:c757873d-ec9a-4326-a141-556f43239520'], ['c757873d-ec9a-4326-a141-556f43239520']],
    ['uri', ['x', 'urn:uuid:C757873D-EC9A-4326-A141-556F43239520'], ['a b', 'urn:oid:x', 'urn:uuid:1']],
    ['code', ['a', 'a b'], [' a', 'a  b', 'a ']],
    ['base64Binary', ['AAAA', 'AA\n=='], ['AAA', 'AA=A', '====', 'A*AA', 'A'.repeat(200)]],
    ['positiveInt', [1, 2_147_483_647], [0, -1, 1.5, 2_147_483_648, '1']],
    ['unsignedInt', [0], [-1, 0.5]],
    ['integer', [-2_147_483_648], [2_147_483_648, 1.5, '1']],
    ['decimal', [1.5, -0.001], ['1.5', Number.POSITIVE_INFINITY]],
    ['boolean', [true, false], ['true', 1]],
    ['string', ['a\n', '\u00a0'], [' \n', 'a\u0000', 1]],
  ])('IOP-03: %s', (type, right, wrong) => {
    expect(right.map((value) => problem(type, value))).toEqual(right.map(() => undefined));
    const accepted = wrong.filter((value) => value !== '' && problem(type, value) === undefined);
    expect(accepted).toEqual([]);
  });
});
