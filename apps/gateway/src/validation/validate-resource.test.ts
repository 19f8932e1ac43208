import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isR4ResourceType, loadDefinitions, VALIDATOR, validateResource, validationOf } from './index.ts';
import { narrativeProblem } from './narrative.ts';

function told(resource: unknown): readonly string[] {
  return validateResource(resource).map(
    ({ severity, code, expression, details }) => `${severity} ${code} ${expression?.[0]}: ${details?.text}`,
  );
}
const OBSERVATION = {
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '2160-0' }] },
  subject: { reference: 'Patient/a' },
  valueQuantity: { value: 1.1, unit: 'mg/dL', system: 'http://unitsofmeasure.org', code: 'mg/dL' },
};

describe('validateResource', () => {
  test('IOP-07: a valid resource has no issues; each broken rule is named at its FHIRPath', () => {
    expect(told(OBSERVATION)).toEqual([]);
    expect(told({ ...OBSERVATION, status: 'finale', code: undefined })).toEqual([
      'error code-invalid Observation.status: A code outside the required value set http://hl7.org/fhir/ValueSet/observation-status',
      'error required Observation.code: Missing required property',
    ]);
    expect(told({ ...OBSERVATION, subject: { reference: 'Practitioner/x' } })).toEqual([
      'error value Observation.subject: A reference to a resource type that is not allowed here',
    ]);
    expect(told({ ...OBSERVATION, component: [], note: [{ text: '' }], method: {} })).toEqual([
      'error structure Observation.component: An array must not be empty',
      'error structure Observation.note[0].text: A string must not be empty',
      'error structure Observation.method: An object must not be empty',
    ]);
    expect(told({ ...OBSERVATION, valueString: 'two values' })).toEqual([
      'error structure Observation.value: A choice of types is made more than once',
    ]);
    expect(told({ ...OBSERVATION, valueQuantity: { ...OBSERVATION.valueQuantity, value: '1.1' } })).toEqual([
      'error structure Observation.value.value: Invalid JSON type: expected number, but got string',
    ]);
    expect(told({ ...OBSERVATION, effectiveDateTime: '2024-02-30' })).toEqual([
      'error structure Observation.effective: Invalid dateTime value',
    ]);
  });

  test('IOP-07: invariants and bindings inside contained resources and bundles are checked', () => {
    const person = { resourceType: 'Patient', gender: 'q', contact: [{ gender: 'female' }] };
    expect(
      told({ ...OBSERVATION, contained: [{ ...person, id: 'p' }], subject: { reference: '#p' } }),
    ).toEqual([
      'error code-invalid Observation.contained[0].gender: A code outside the required value set http://hl7.org/fhir/ValueSet/administrative-gender',
      "error invariant Observation.contained[0].contact[0]: Constraint pat-1 not met: SHALL at least contain a contact's details or a reference to an organization",
    ]);
    const entry = [{ resource: { ...person, contact: undefined } }];
    expect(told({ resourceType: 'Bundle', type: 'collection', entry })).toEqual([
      'error code-invalid Bundle.entry[0].resource.gender: A code outside the required value set http://hl7.org/fhir/ValueSet/administrative-gender',
    ]);
  });

  test('required bindings of Coding and CodeableConcept look at the system too', () => {
    const allergy = (system: string, code: string) => ({
      resourceType: 'AllergyIntolerance',
      patient: { reference: 'Patient/a' },
      clinicalStatus: { coding: [{ system, code }] },
    });
    const system = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical';
    expect(told(allergy(system, 'active'))).toEqual([]);
    expect(validateResource(allergy('http://example.org', 'active'))).toHaveLength(1);
    expect(told(allergy(system, 'actif'))).toEqual([
      'error code-invalid AllergyIntolerance.clinicalStatus: A code outside the required value set http://hl7.org/fhir/ValueSet/allergyintolerance-clinical',
      'warning code-invalid AllergyIntolerance.clinicalStatus.coding[0].code: A code that its code system does not have',
    ]);
  });

  test('primitive extensions and their nulls are valid', () => {
    const extension = [{ url: 'http://example.org/x', valueString: 'y' }];
    const name = [{ given: ['A', null], _given: [null, { extension }], _family: { extension } }];
    expect(told({ resourceType: 'Patient', _birthDate: { extension }, name })).toEqual([]);
    expect(told({ resourceType: 'Patient', birthDate: null })).toEqual([
      'error structure Patient.birthDate: An element must not be null',
      'error structure Patient.birthDate: Invalid null value',
    ]);
  });

  test('issues hold no value of the resource and no name that R4 does not know', () => {
    const secrets = {
      resourceType: 'Patient',
      'Jane Chalmers': true,
      birthDate: 'chalmers',
      gender: 'chalmers',
      maritalStatus: { coding: [{ system: 'chalmers' }], chalmers: [] },
      managingOrganization: { reference: 'Chalmers/chalmers' },
      contained: [{ resourceType: 'Chalmers' }],
      name: 'chalmers',
    };
    const issues = validateResource(secrets);
    expect(issues.length).toBeGreaterThan(1);
    expect(JSON.stringify(issues)).not.toMatch(/chalmers/i);
    // A misspelled element is worth naming, and is R4's own word.
    expect(told({ resourceType: 'Patient', birthdate: '1970-01-01' })).toEqual([
      'error structure Patient.birthdate: R4 defines no such element here',
    ]);
  });

  test('what is no R4 resource is refused: abstract, unknown, vendor and later types', () => {
    for (const resourceType of [
      'Resource',
      'DomainResource',
      'Unicorn',
      'Bot',
      'SubscriptionStatus',
      'constructor',
      '',
    ]) {
      expect(told({ resourceType })).toEqual([
        'error structure Resource.resourceType: R4 defines no such resource type',
      ]);
      expect(isR4ResourceType(resourceType)).toBe(false);
    }
    for (const resource of [null, undefined, 'Patient', 1, [], {}])
      expect(validateResource(resource)).toHaveLength(1);
    // R4 has 148 types, two of them abstract.
    expect(loadDefinitions().resourceTypes.size).toBe(146);
  });

  test('too deep, too many elements or too much text ends the check with one issue', () => {
    let extension: unknown = [{ url: 'http://example.org/x', valueString: 'y' }];
    for (let depth = 0; depth < 30; depth += 1) extension = [{ url: 'http://example.org/x', extension }];
    expect(validateResource({ resourceType: 'Patient', extension }).map(({ code }) => code)).toEqual([
      'too-long',
    ]);
    const limits = { depthMax: 50, valuesMax: 10, charactersMax: 100, attachmentBytesMax: 6 };
    const codesOf = (resource: object) =>
      validateResource({ resourceType: 'Patient', ...resource }, { limits }).map(({ code }) => code);
    expect(codesOf({ name: Array(10).fill({ family: 'x' }) })).toEqual(['too-long']);
    expect(codesOf({ name: [{ family: 'x'.repeat(101) }] })).toEqual(['too-long']);
    const photo = (data: string) => ({ photo: [{ contentType: 'image/png', data }] });
    expect(codesOf(photo('AAAAAAAAAAAA'))).toEqual(['structure']);
    expect(codesOf(photo('AAAAAAAA'))).toEqual([]);
  });

  test('never throws, whatever stands for a resource', () => {
    const known = fc.constantFrom(
      'name',
      'contact',
      'contained',
      'text',
      'extension',
      'link',
      '_birthDate',
      'meta',
      'x',
    );
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, 1.5, 'Patient', '<div>', 'urn:uuid:1'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.oneof(known, fc.constantFrom('resourceType', 'div', 'url', 'given')), tie('value'), {
          maxKeys: 3,
        }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(known, value), (members) => {
        expect(Array.isArray(validateResource({ ...members, resourceType: 'Patient' }))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('LED-28: a validation names the validator, its version and what it found', () => {
    expect(validationOf(OBSERVATION)).toEqual({
      validator: VALIDATOR,
      valid: true,
      issues: [],
      systemsNotLookedUp: ['LOINC'],
    });
    const invalid = validationOf({ ...OBSERVATION, status: 'x' });
    expect(invalid).toMatchObject({ validator: VALIDATOR, valid: false, issues: [{ code: 'code-invalid' }] });
    const core = dirname(createRequire(import.meta.url).resolve('@medplum/core'));
    const { version } = JSON.parse(readFileSync(join(core, '..', '..', 'package.json'), 'utf8'));
    expect(VALIDATOR.version).toMatch(/^2\+fhir-4\.0\.1\./);
    expect(VALIDATOR.version).toContain(`medplum-${version}`);
  });
});

describe('narrative', () => {
  const div = (content: string) => `<div xmlns="http://www.w3.org/1999/xhtml">${content}</div>`;

  test.each([
    ['<p class="x">text<br/>more &amp; more</p>'],
    ['<a href="https://example.org/?a=1&amp;b=2">x</a><a href="#local">y</a><a href="Patient/1">z</a>'],
    ['<img src="data:image/png;base64,AAAA" alt="x"/>'],
    ['a comment <!-- <script> --> is no content'],
    ["<table><tbody><tr><td title='a > b'>x</td></tr></tbody></table>"],
  ])('allows %s', (content) => {
    expect(narrativeProblem(div(content))).toBeUndefined();
  });

  test.each([
    ['a script', div('x<script>alert(1)</script>')],
    ['a script in capitals', div('x<SCRIPT>alert(1)</SCRIPT>')],
    ['an event attribute', div('<p onclick="x()">x</p>')],
    ['an event attribute after a line end', div('<img\nonerror="x()" src="x"/>')],
    ['a javascript link', div('<a href="javascript:x()">x</a>')],
    ['a javascript link by entities', div('<a href="&#106;avascript:x()">x</a>')],
    ['a javascript link with a tab', div('<a href="java\tscript:x()">x</a>')],
    ['a data link that is no image', div('<a href="data:text/html,x">x</a>')],
    ['a frame', div('<iframe src="https://x.example"/>')],
    ['a form', div('<form><input/></form>')],
    ['an object', div('<object data="x"></object>')],
    ['style', div('<style>p{}</style>x')],
    ['a document type', '<!DOCTYPE html><div>x</div>'],
    ['a processing instruction', div('<?x ?>x')],
    ['CDATA', div('<![CDATA[<script>]]>')],
    ['elements that do not close', div('<p>x')],
    ['elements that overlap', div('<b><i>x</b></i>')],
    ['two roots', `${div('x')}<div>y</div>`],
    ['text after the root', `${div('x')}y`],
    ['no div', '<p>x</p>'],
    ['no content', div(' <p> </p>')],
    ['an open tag', '<div>x<'],
    ['too much depth', div(`${'<p>'.repeat(70)}x${'</p>'.repeat(70)}`)],
  ])('refuses %s', (_name, text) => {
    expect(narrativeProblem(text)).toBeDefined();
  });

  test('takes linear time on hostile text', () => {
    const start = performance.now();
    for (const text of [
      '<div '.repeat(50_000),
      `<div ${'a="'.repeat(50_000)}`,
      `<div><!--${'-'.repeat(100_000)}`,
    ]) {
      expect(narrativeProblem(text)).toBeDefined();
    }
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
