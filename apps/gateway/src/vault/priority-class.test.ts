import { describe, expect, it } from 'vitest';
import { priorityOf } from './priority-class.ts';

const concept = (system: string, code: string) => ({ coding: [{ system, code }] });
const severe = { severity: concept('http://snomed.info/sct', '24484000') };
const classOf = (type: string, record: object, before?: object) =>
  priorityOf(
    type,
    [record, ...(before ? [before] : [])].map((each) => JSON.stringify(each)),
  );

describe('OFF-17: what is critical', () => {
  it.each([
    ['AllergyIntolerance', {}],
    ['DetectedIssue', {}],
    ['Flag', { status: 'active' }],
    ['MedicationRequest', { status: 'active' }],
    ['MedicationStatement', { status: 'active' }],
    ['Condition', severe],
    ['Observation', { code: concept('http://loinc.org', '882-1') }],
    [
      'Observation',
      {
        interpretation: [concept('http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation', 'HH')],
      },
    ],
  ])('%s %j is', (type, record) => {
    expect(classOf(type, record)).toBe('critical');
  });

  it.each([
    ['Patient', {}],
    ['MedicationRequest', { status: 'draft' }],
    ['Condition', { severity: concept('http://snomed.info/sct', '255604002') }],
    ['Condition', { severity: concept('http://example.org/own', '24484000') }],
    ['Observation', { code: concept('http://loinc.org', '2345-7') }],
    ['Observation', { code: 'not a concept', interpretation: 'HH' }],
    ['Encounter', severe],
  ])('%s %j is not', (type, record) => {
    expect(classOf(type, record)).toBe('routine');
  });

  it('that something critical no longer holds is critical too', () => {
    expect(classOf('MedicationRequest', { status: 'stopped' }, { status: 'active' })).toBe('critical');
    expect(priorityOf('Condition', ['', JSON.stringify(severe)])).toBe('critical');
    expect(priorityOf('Condition', [''])).toBe('routine');
  });
});
