import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { COMPARTMENT_FILE, compartmentSource } from './generate-compartment.ts';

test('the Patient compartment in packages/fhir is what R4 defines', () => {
  const source = compartmentSource();
  expect(readFileSync(COMPARTMENT_FILE, 'utf8')).toBe(source);
  // R4 lists 67 resource types with criteria, Patient among them.
  expect(source.match(/^ {2}[A-Z]/gm)).toHaveLength(67);
  expect(source).toContain("  Observation: ['subject', 'performer'],");
});
