import type { ElementDefinition, StructureDefinition } from '@medplum/fhirtypes';

/** A profile of our own, to test with: what guides do with slices, fixed values and types, in one small place. */
export const WARD_URL = 'http://example.org/ward-observation';

const BASE = 'http://hl7.org/fhir/StructureDefinition/';

function element(id: string, rest: Partial<ElementDefinition>): ElementDefinition {
  const path = id
    .split('.')
    .map((step) => step.split(':', 1)[0])
    .join('.');
  const base = { path, min: 0, max: rest.max === '*' ? '*' : '1' };
  return { id, path, min: 0, max: '1', base, ...rest } as ElementDefinition;
}

function profileOf(type: string, url: string, elements: readonly ElementDefinition[]): StructureDefinition {
  return {
    resourceType: 'StructureDefinition',
    url,
    version: '1.0.0',
    name: url.slice(url.lastIndexOf('/') + 1),
    status: 'active',
    kind: type === 'Extension' ? 'complex-type' : 'resource',
    abstract: false,
    fhirVersion: '4.0.1',
    type,
    derivation: 'constraint',
    baseDefinition: BASE + type,
    snapshot: { element: [...elements] },
  };
}

const type = (code: string, targetProfile?: string[]) => [
  { code, ...(targetProfile ? { targetProfile } : {}) },
];

export const WARD_PROFILE: StructureDefinition = profileOf('Observation', WARD_URL, [
  element('Observation', {}),
  element('Observation.identifier', {
    max: '*',
    type: type('Identifier'),
    slicing: { discriminator: [{ type: 'pattern', path: '$this' }], rules: 'closed' },
  }),
  element('Observation.identifier:bed', {
    max: '1',
    type: type('Identifier'),
    sliceName: 'bed',
    patternIdentifier: { system: 'http://ward.example/bed' },
  }),
  element('Observation.identifier:bed.value', { min: 1, maxLength: 8, type: type('string') }),
  element('Observation.status', { min: 1, type: type('code'), fixedCode: 'final' }),
  element('Observation.code', {
    min: 1,
    type: type('CodeableConcept'),
    patternCodeableConcept: { coding: [{ system: 'http://loinc.org', code: '8480-6' }] },
  }),
  element('Observation.subject', { type: type('Reference', [`${BASE}Patient`]) }),
  element('Observation.value[x]', {
    type: type('Quantity'),
    slicing: { discriminator: [{ type: 'type', path: '$this' }], rules: 'open' },
  }),
  element('Observation.value[x]:valueQuantity', { type: type('Quantity'), sliceName: 'valueQuantity' }),
  element('Observation.value[x]:valueQuantity.unit', { min: 1, type: type('string') }),
]);

export const WARD_TAG: StructureDefinition = profileOf('Extension', 'http://example.org/ward-tag', [
  element('Extension', {}),
  element('Extension.url', { min: 1, type: type('uri'), fixedUri: 'http://example.org/ward-tag' }),
  element('Extension.value[x]', { min: 1, type: type('code') }),
]);
