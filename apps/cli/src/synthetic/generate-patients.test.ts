import { createHash } from 'node:crypto';
import { canonicalText, parseLossless, referencesOf, subjectsOf, toPlain } from '@careledger/fhir';
import { validateResource } from '@careledger/gateway';
import { describe, expect, test } from 'vitest';
import { generatePatients, SYNTHETIC_PATIENTS_MAX, type SyntheticRecord } from './index.ts';
import { DAY } from './time.ts';

const NOW = Date.UTC(2026, 0, 15, 12);
const OPTIONS = { seed: 'careledger', patients: 20, now: NOW };
const records: readonly SyntheticRecord[] = [...generatePatients(OPTIONS)];
const texts = records.map(({ resource }) => canonicalText(resource));

function referenceOf({ resource }: SyntheticRecord): string {
  return `${resource.resourceType}/${resource.id}`;
}
/** Versions of one record, oldest first, as the values of an element. */
function histories(resourceType: string, element: string): readonly string[] {
  const values = new Map<string, string[]>();
  for (const record of records) {
    if (record.resource.resourceType !== resourceType) continue;
    const reference = referenceOf(record);
    values.set(reference, [...(values.get(reference) ?? []), String(record.resource[element])]);
  }
  return [...values.values()].map((list) => list.join(' > '));
}

describe('generatePatients', () => {
  test('makes at least 2,000 records of 20 patients, of every kind, at the custodian where they belong', () => {
    const firsts = records.filter(({ version }) => version === 1);
    expect(firsts.length).toBeGreaterThan(2000);
    const kinds = new Set(firsts.map(({ custodian, resource }) => `${custodian} ${resource.resourceType}`));
    expect([...kinds].sort()).toEqual([
      'claims Claim',
      'claims Coverage',
      'claims ExplanationOfBenefit',
      'claims Organization',
      'claims Patient',
      'clinical AllergyIntolerance',
      'clinical Condition',
      'clinical DocumentReference',
      'clinical Encounter',
      'clinical Immunization',
      'clinical MedicationRequest',
      'clinical Observation',
      'clinical Organization',
      'clinical Patient',
      'clinical Practitioner',
    ]);
    expect(
      firsts.filter(
        ({ custodian, resource }) => custodian === 'clinical' && resource.resourceType === 'Patient',
      ),
    ).toHaveLength(20);
  });

  test('IOP-07: every version of every record passes our validation of R4 without a warning', () => {
    const issues = records.flatMap(({ resource }) =>
      validateResource(toPlain(resource)).map((issue) => `${resource.resourceType} ${JSON.stringify(issue)}`),
    );
    expect(issues).toEqual([]);
  });

  test('the same seed gives the same bytes, another seed other records', () => {
    const again = [...generatePatients(OPTIONS)].map(({ resource }) => canonicalText(resource));
    expect(again).toEqual(texts);
    const other = [...generatePatients({ ...OPTIONS, seed: 'other', patients: 1 })];
    expect(other.some((record) => texts.includes(canonicalText(record.resource)))).toBe(false);
  });

  test('more patients do not change the first ones', () => {
    const [first] = [...generatePatients({ ...OPTIONS, patients: 1 })]
      .map(({ resource }) => canonicalText(resource))
      .slice(-1);
    expect(texts).toContain(first);
  });

  test('records keep their ids over versions, which follow one another without a gap', () => {
    const newest = new Map<string, number>();
    for (const record of records) {
      expect(record.version).toBe((newest.get(referenceOf(record)) ?? 0) + 1);
      newest.set(referenceOf(record), record.version);
    }
    expect(histories('Observation', 'status')).toEqual(
      expect.arrayContaining(['final > amended', 'preliminary > final', 'final > entered-in-error']),
    );
    expect(histories('MedicationRequest', 'status')).toEqual(
      expect.arrayContaining(['active > stopped', 'active > completed']),
    );
    expect(histories('Encounter', 'status')).toContain('in-progress > finished');
    expect(histories('DocumentReference', 'status')).toContain('current > superseded');
  });

  test('a reference leads to what came before at the same custodian', () => {
    const known = new Set<string>();
    const dangling: string[] = [];
    for (const record of records) {
      for (const { expression, reference } of referencesOf(record.resource)) {
        if (!known.has(`${record.custodian} ${reference}`)) dangling.push(expression);
      }
      known.add(`${record.custodian} ${referenceOf(record)}`);
    }
    expect(dangling).toEqual([]);
  });

  test('every record but those of organizations and practitioners has one patient as its subject', () => {
    for (const { resource } of records) {
      const { patients, unresolved } = subjectsOf(resource);
      const isShared = ['Organization', 'Practitioner'].includes(resource.resourceType);
      expect([patients.length, unresolved]).toEqual([isShared ? 0 : 1, []]);
    }
  });

  test('decimals carry all their digits: 1.10 is there, and survives the round trip', () => {
    expect(texts.filter((text) => text.includes('"value":1.10')).length).toBeGreaterThan(10);
    expect(texts.some((text) => /"unit":"mg\/dL","value":\d\.\d0\b/.test(text))).toBe(true);
    expect(texts.map((text) => canonicalText(parseLossless(text)))).toEqual(texts);
  });

  test('attachments are inline, small, and match their size and hash', () => {
    const documents = records.filter(({ resource }) => resource.resourceType === 'DocumentReference');
    for (const { resource } of documents) {
      const content = toPlain(resource).content as unknown as {
        attachment: { data: string; size: number; hash: string };
      }[];
      const { data = '', size, hash } = content[0]?.attachment ?? {};
      const bytes = Buffer.from(data, 'base64');
      expect(bytes.length).toBe(size);
      expect(bytes.length).toBeLessThan(2048);
      expect(createHash('sha1').update(bytes).digest('base64')).toBe(hash);
    }
  });

  test('OFF-16: some records tell of events long before they were recorded; nothing is recorded after now', () => {
    const late = records.filter(
      ({ version, eventAt, recordedAt }) => version === 1 && recordedAt - eventAt > 180 * DAY,
    );
    expect(new Set(late.map(({ resource }) => resource.resourceType))).toEqual(
      new Set(['Immunization', 'Condition', 'AllergyIntolerance', 'Observation']),
    );
    for (const { eventAt, recordedAt } of records) {
      expect(eventAt).toBeLessThanOrEqual(recordedAt);
      expect(recordedAt).toBeLessThanOrEqual(NOW);
    }
    // Late means out of order, too: a timeline by event differs from the order of recording.
    const ofOne = late.find(({ resource }) => resource.resourceType === 'Observation');
    const [patient] = ofOne ? subjectsOf(ofOne.resource).patients : [];
    const events = records
      .filter(({ resource }) => subjectsOf(resource).patients[0] === patient)
      .map(({ eventAt }) => eventAt);
    expect(events).not.toEqual(events.toSorted((left, right) => left - right));
  });

  test('psychiatric records carry their labels', () => {
    const labelled = records.filter(({ resource }) => canonicalText(resource).includes('"code":"PSY"'));
    expect(new Set(labelled.map(({ resource }) => resource.resourceType))).toEqual(
      new Set(['Condition', 'MedicationRequest']),
    );
  });

  test('refuses a number of patients out of its range', () => {
    for (const patients of [0, -1, Number.NaN, SYNTHETIC_PATIENTS_MAX + 1]) {
      expect(() => [...generatePatients({ ...OPTIONS, patients })]).toThrow(RangeError);
    }
  });
});
