import { describe, expect, test } from 'vitest';
import { confidentialityOf, labelsOf, type SubjectsOptions, subjectsOf } from './index.ts';

function patients(resource: Record<string, unknown> & { resourceType: string }, options?: SubjectsOptions) {
  return subjectsOf(resource, options).patients;
}
function reasons(resource: Record<string, unknown> & { resourceType: string }, options?: SubjectsOptions) {
  return subjectsOf(resource, options).unresolved.map(({ expression, reason }) => `${expression}: ${reason}`);
}

describe('subjectsOf', () => {
  test('a Patient is its own subject, and that of who it is linked with', () => {
    expect(patients({ resourceType: 'Patient', id: 'a' })).toEqual(['Patient/a']);
    const linked = { resourceType: 'Patient', id: 'b', link: [{ other: { reference: 'Patient/a' } }] };
    expect(patients(linked)).toEqual(['Patient/a', 'Patient/b']);
    expect(reasons({ resourceType: 'Patient' })).toEqual(['Patient: no-id']);
  });

  test('Organization and Practitioner have none', () => {
    expect(subjectsOf({ resourceType: 'Organization', id: 'o' })).toEqual({ patients: [], unresolved: [] });
    expect(subjectsOf({ resourceType: 'Practitioner', id: 'p' })).toEqual({ patients: [], unresolved: [] });
  });

  test('a versioned reference names the same patient, once', () => {
    const observation = {
      resourceType: 'Observation',
      subject: { reference: 'Patient/a/_history/3' },
      performer: [{ reference: 'Practitioner/x' }, { reference: 'Patient/a' }, { reference: 'Patient/b' }],
      encounter: { reference: 'Encounter/e' },
    };
    expect(patients(observation)).toEqual(['Patient/a', 'Patient/b']);
  });

  test('a path goes through every item of every list on its way', () => {
    const participant = ['Patient/a', 'Practitioner/x', 'Patient/b'].map((reference) => ({
      actor: { reference },
    }));
    expect(patients({ resourceType: 'Appointment', participant })).toEqual(['Patient/a', 'Patient/b']);
  });

  test('contained resources bring their subjects', () => {
    const claim = {
      resourceType: 'Claim',
      patient: { reference: 'Patient/a' },
      contained: [{ resourceType: 'Coverage', id: 'c', beneficiary: { reference: 'Patient/child' } }],
    };
    expect(patients(claim)).toEqual(['Patient/a', 'Patient/child']);
  });

  test('a contained patient has no identity outside and is reported', () => {
    const contained = [{ resourceType: 'Patient', id: 'p' }];
    const condition = { resourceType: 'Condition', subject: { reference: '#p' }, contained };
    expect(reasons(condition)).toEqual(['Condition.subject: contained-patient']);
    expect(reasons({ ...condition, contained: [] })).toEqual(['Condition.subject: not-resolved']);
    const byPractitioner = {
      resourceType: 'Condition',
      subject: { reference: 'Patient/a' },
      asserter: { reference: '#d' },
      contained: [{ resourceType: 'Practitioner', id: 'd' }],
    };
    expect(subjectsOf(byPractitioner)).toEqual({ patients: ['Patient/a'], unresolved: [] });
  });

  test('a subject by identifier alone is reported, a performer by identifier is not', () => {
    const identifier = { system: 'urn:mrn', value: '1' };
    expect(reasons({ resourceType: 'Condition', subject: { identifier } })).toEqual([
      'Condition.subject: identifier-only',
    ]);
    const observation = {
      resourceType: 'Observation',
      performer: [{ identifier }, { type: 'Patient', identifier }, { display: 'Dr. X' }],
    };
    expect(reasons(observation)).toEqual(['Observation.performer[1]: identifier-only']);
  });

  test('references that nobody resolved are reported, and those to other servers', () => {
    const of = (reference: string) => ({ resourceType: 'Encounter', subject: { reference } });
    expect(reasons(of('urn:uuid:5b1c3b1e-7d0c-4b4e-8f5e-0c6d1c7b1a11'))).toEqual([
      'Encounter.subject: not-resolved',
    ]);
    expect(reasons(of('Patient?identifier=1'))).toEqual(['Encounter.subject: not-resolved']);
    expect(reasons(of('https://other.example/fhir/Patient/a'))).toEqual(['Encounter.subject: elsewhere']);
    expect(reasons(of('the patient in bed 4'))).toEqual(['Encounter.subject: malformed']);
    const ownBases = ['https://own.example/fhir/'];
    expect(patients(of('https://own.example/fhir/Patient/a'), { ownBases })).toEqual(['Patient/a']);
  });

  test('types that R4 leaves out of the compartment have the patients they name', () => {
    expect(patients({ resourceType: 'Device', patient: { reference: 'Patient/a' } })).toEqual(['Patient/a']);
    expect(patients({ resourceType: 'Device' })).toEqual([]);
    expect(reasons({ resourceType: 'GuidanceResponse', subject: { reference: 'urn:uuid:1' } })).toEqual([
      'GuidanceResponse.subject: not-resolved',
    ]);
  });

  test("a resource type named as on Object.prototype is nobody's", () => {
    expect(patients({ resourceType: 'constructor' })).toEqual([]);
  });
});

describe('labelsOf', () => {
  test('finds labels wherever R4 puts them, each once', () => {
    const system = 'http://terminology.hl7.org/CodeSystem/v3-ActCode';
    const resource = {
      resourceType: 'DocumentReference',
      meta: { security: [{ system, code: 'PSY' }, { display: 'no code' }] },
      securityLabel: [
        {
          coding: [
            { system, code: 'PSY' },
            { system, code: 'HIV' },
          ],
        },
      ],
      contained: [{ resourceType: 'Observation', meta: { security: [{ system, code: '42CFRPart2' }] } }],
    };
    expect(labelsOf(resource).map(({ code }) => code)).toEqual(['PSY', 'HIV', '42CFRPart2']);
    expect(labelsOf({ resourceType: 'Composition', confidentiality: 'R' })).toEqual([
      { system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'R' },
    ]);
  });

  test('the strictest confidentiality counts, and none means normal', () => {
    const system = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality';
    expect(confidentialityOf([])).toBe('N');
    expect(confidentialityOf([{ system, code: 'L' }])).toBe('L');
    expect(
      confidentialityOf([
        { system, code: 'V' },
        { system, code: 'N' },
      ]),
    ).toBe('V');
  });
});

test('a Patient inside a Bundle is one of those whom the Bundle is about', () => {
  const about = { resource: { resourceType: 'Observation', subject: { reference: 'Patient/a' } } };
  const inline = (patient: object) => ({ resource: { resourceType: 'Patient', ...patient } });
  const bundle = (...entry: readonly object[]) => ({ resourceType: 'Bundle', type: 'collection', entry });
  expect(subjectsOf(bundle(about, inline({ id: 'b' })))).toEqual({
    patients: ['Patient/a', 'Patient/b'],
    unresolved: [],
  });
  const nested = subjectsOf(bundle(about, { resource: bundle(inline({ name: [{ family: 'X' }] })) }));
  expect(nested.patients).toEqual(['Patient/a']);
  expect(nested.unresolved).toEqual([
    { expression: 'Bundle.entry[1].resource.entry[0].resource', reason: 'no-id' },
  ]);
});
