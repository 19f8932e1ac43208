import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalText } from '@careledger/fhir';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ImportError, type ImportReport, importResources } from './index.ts';
import { MemoryTarget } from './memory-target.ts';

const SOURCE = 'test-hospital';
let folder: string;
let target: MemoryTarget;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'careledger-import-'));
  target = new MemoryTarget();
});
afterEach(() => rm(folder, { recursive: true }));

function put(name: string, content: unknown): Promise<void> {
  return writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
}
function bundle(...entry: unknown[]) {
  return { resourceType: 'Bundle', type: 'transaction', entry };
}
function run(into: MemoryTarget = target): Promise<ImportReport> {
  return importResources({ path: folder, source: SOURCE, target: into });
}
function idOf(fullUrl: string, source = SOURCE): string {
  return new MemoryTarget().idFor({ source, fullUrl });
}
function counts({ read, created, updated, unchanged, flagged, refused }: ImportReport) {
  return { read, created, updated, unchanged, flagged, refused };
}
function findings(report: ImportReport): readonly string[] {
  return report.findings.map(
    ({ file, entry, outcome, code, expression }) =>
      `${file} ${entry ?? '-'} ${outcome} ${code} ${expression}`,
  );
}
function stored(fullUrl: string): string {
  const record = target.records().find(({ versions }) => versions[0]?.fullUrl === fullUrl);
  return canonicalText(record?.versions.at(-1)?.resource ?? null);
}

const PATIENT = { fullUrl: 'urn:uuid:p', resource: { resourceType: 'Patient', id: 'p', gender: 'female' } };
const CONDITION = {
  fullUrl: 'urn:uuid:c',
  resource: { resourceType: 'Condition', subject: { reference: 'urn:uuid:p' }, code: { text: 'x' } },
};
const patientId = idOf('urn:uuid:p');

describe('importResources', () => {
  test('rewrites urn:uuid references to stable ids, whatever the order of entries and files', async () => {
    await put('a.json', bundle(CONDITION));
    await put('b.json', bundle(PATIENT));
    expect(counts(await run())).toEqual({
      read: 2,
      created: 2,
      updated: 0,
      unchanged: 0,
      flagged: 0,
      refused: 0,
    });
    expect(stored('urn:uuid:c')).toBe(
      `{"code":{"text":"x"},"id":"${idOf('urn:uuid:c')}","resourceType":"Condition",` +
        `"subject":{"reference":"Patient/${patientId}"}}`,
    );
    expect(patientId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(idOf('urn:uuid:p', 'other')).not.toBe(patientId);
  });

  test('keeps decimals as written: 1.10 comes out as 1.10', async () => {
    const observation = `{"fullUrl":"urn:uuid:o","resource":{"resourceType":"Observation","status":"final",
      "code":{"text":"creatinine"},"subject":{"reference":"urn:uuid:p"},"valueQuantity":{"value":1.10}}}`;
    await put(
      'a.json',
      `{"resourceType":"Bundle","type":"collection","entry":[${JSON.stringify(PATIENT)},${observation}]}`,
    );
    await run();
    expect(stored('urn:uuid:o')).toContain('"valueQuantity":{"value":1.10}');
  });

  test('a second run changes nothing; a changed entry becomes the next version', async () => {
    await put('a.json', bundle(PATIENT, CONDITION));
    await run();
    expect(counts(await run())).toEqual({
      read: 2,
      created: 0,
      updated: 0,
      unchanged: 2,
      flagged: 0,
      refused: 0,
    });
    await put(
      'a.json',
      bundle({ ...PATIENT, resource: { ...PATIENT.resource, gender: 'other' } }, CONDITION),
    );
    expect(counts(await run())).toEqual({
      read: 2,
      created: 0,
      updated: 1,
      unchanged: 1,
      flagged: 0,
      refused: 0,
    });
    expect(target.records().map(({ versions }) => versions.length)).toEqual([2, 1]);
  });

  test('versionId and lastUpdated of the source make no difference', async () => {
    await put('a.json', bundle(PATIENT));
    await run();
    const meta = { versionId: '7', lastUpdated: '2024-01-01T00:00:00Z' };
    await put('a.json', bundle({ ...PATIENT, resource: { ...PATIENT.resource, meta } }));
    expect((await run()).unchanged).toBe(1);
  });

  test('names the broken file and the broken line; the rest is loaded', async () => {
    await put('a.json', '{"resourceType":"Bundle","type":"transaction","entry":[');
    await put(
      'b.json',
      bundle(PATIENT, { fullUrl: 'urn:uuid:none' }, { resource: { resourceType: 'Unicorn' } }),
    );
    await put(
      'c.ndjson',
      '{"resourceType":"Organization","name":"A"}\n{"a":1,"a":2}\n\n{"resourceType":"Organization","name":"B"}',
    );
    await put('d.json', { resourceType: 'Bundle', type: 'document', entry: [PATIENT] });
    await put('e.json', '[]');
    await put('readme.txt', 'not read');
    await writeFile(join(folder, 'f.json'), Uint8Array.of(0x22, 0xff, 0x22));
    const report = await run();
    expect(findings(report)).toEqual([
      'a.json - refused import/unreadable Resource',
      'b.json 1 refused import/not-a-resource Resource',
      'c.ndjson 2 refused import/unreadable Resource',
      'd.json - refused import/not-importable Bundle.type',
      'e.json - refused import/not-importable Resource',
      'f.json - refused import/unreadable Resource',
      'b.json 2 refused import/not-a-resource Resource.resourceType',
    ]);
    expect(report).toMatchObject({ files: 6, brokenFiles: 4, read: 6, created: 3, refused: 3 });
    expect(report.findings[0]?.text).toMatch(/^json\/syntax: .* \(at offset 55\)$/);
  });

  test('stores invalid data that exists elsewhere with its validation result, and flags it', async () => {
    const resource = {
      ...CONDITION.resource,
      code: { text: '' },
      onsetDateTime: 'last spring',
      _x: 'secret',
    };
    await put('a.json', bundle(PATIENT, { ...CONDITION, resource }));
    const report = await run();
    expect(counts(report)).toMatchObject({ created: 2, flagged: 1, refused: 0 });
    // A place may break more than one rule.
    expect([...new Set(findings(report))]).toEqual([
      'a.json 1 flagged import/invalid Condition.code.text',
      'a.json 1 flagged import/invalid Condition.onset',
      'a.json 1 flagged import/invalid Condition.(unknown)',
    ]);
    expect(JSON.stringify(report)).not.toMatch(/spring|secret|_x/);
    const validation = target.records()[1]?.versions[0]?.validation;
    expect(validation).toMatchObject({ valid: false, validator: { name: 'careledger-r4' } });
    expect((await run()).unchanged).toBe(2);
  });

  test('refuses what is about a patient who is not here', async () => {
    const about = (subject: unknown) => ({ resource: { ...CONDITION.resource, subject } });
    await put(
      'a.json',
      bundle(
        about({ reference: 'urn:uuid:nobody' }),
        about({ reference: 'Patient/nobody' }),
        about({ identifier: { system: 'urn:mrn', value: '12345678' } }),
        about({ reference: 'https://elsewhere.example/Patient/1' }),
        about({ reference: 'Patient/native' }),
      ),
    );
    target.native.add('Patient/native');
    const report = await run();
    expect(findings(report)).toEqual([
      'a.json 0 refused import/patient-not-found Condition.subject',
      'a.json 1 refused import/patient-not-found Condition.subject',
      'a.json 2 refused import/subject-unresolved Condition.subject',
      'a.json 3 refused import/subject-unresolved Condition.subject',
    ]);
    expect(counts(report)).toMatchObject({ created: 1, refused: 4 });
    expect(JSON.stringify(report)).not.toContain('12345678');
  });

  test('refuses the records of a refused patient too', async () => {
    const name = Array.from({ length: 60_000 }, () => ({ text: 'x' }));
    await put('a.json', bundle(CONDITION, { ...PATIENT, resource: { ...PATIENT.resource, name } }));
    expect(findings(await run())).toEqual([
      'a.json 1 refused import/too-large Patient.name[49998]',
      'a.json 0 refused import/patient-not-found Condition.subject',
    ]);
  });

  test('resolves conditional references within the import, flags those that match none or several', async () => {
    const practitioner = (value: string) => ({
      resource: {
        resourceType: 'Practitioner',
        id: value,
        identifier: [{ system: 'http://npi', value: value.slice(0, 1) }],
      },
    });
    const asserted = (fullUrl: string, reference: string) => ({
      fullUrl,
      resource: { ...CONDITION.resource, asserter: { reference } },
    });
    await put(
      'a.json',
      bundle(
        PATIENT,
        practitioner('1'),
        practitioner('2a'),
        practitioner('2b'),
        asserted('urn:uuid:one', 'Practitioner?identifier=http%3A%2F%2Fnpi|1'),
        asserted('urn:uuid:two', 'Practitioner?identifier=http://npi|2'),
        asserted('urn:uuid:none', 'Practitioner?identifier=http://npi|3'),
      ),
    );
    const report = await run();
    expect(findings(report)).toEqual([
      'a.json 5 flagged import/reference-ambiguous Condition.asserter',
      'a.json 6 flagged import/reference-not-found Condition.asserter',
    ]);
    expect(stored('urn:uuid:one')).toContain(
      `"asserter":{"reference":"Practitioner/${idOf('Practitioner/1')}"}`,
    );
    expect(stored('urn:uuid:two')).toContain('Practitioner?identifier=http://npi|2');
  });

  test('resolves relative references against the server of the entry', async () => {
    const at = (path: string, resource: unknown) => ({
      fullUrl: `https://ehr.example/fhir/${path}`,
      resource,
    });
    const encounter = { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' } };
    await put('a.json', {
      resourceType: 'Bundle',
      type: 'searchset',
      entry: [
        at('Patient/9', { resourceType: 'Patient', id: '9' }),
        at('Encounter/1', { ...encounter, subject: { reference: 'Patient/9/_history/2' } }),
        at('Encounter/2', { ...encounter, subject: { reference: 'https://ehr.example/fhir/Patient/9' } }),
        { search: { mode: 'outcome' }, resource: { resourceType: 'OperationOutcome', issue: [] } },
      ],
    });
    expect(counts(await run())).toMatchObject({ read: 3, created: 3, refused: 0, flagged: 0 });
    const reference = `{"reference":"Patient/${idOf('https://ehr.example/fhir/Patient/9')}"}`;
    expect(stored('https://ehr.example/fhir/Encounter/1')).toContain(reference);
    expect(stored('https://ehr.example/fhir/Encounter/2')).toContain(reference);
  });

  test('the same entry twice is one record; the same fullUrl with other content is refused', async () => {
    await put('a.json', bundle(PATIENT, PATIENT));
    await put('b.json', bundle({ ...PATIENT, resource: { ...PATIENT.resource, gender: 'other' } }));
    const report = await run();
    expect(report).toMatchObject({ read: 3, distinct: 1, created: 1, unchanged: 1, refused: 1 });
    expect(findings(report)).toEqual(['b.json 0 refused import/conflict Patient']);
    expect(counts(await run())).toMatchObject({ created: 0, updated: 0, unchanged: 2, refused: 1 });
  });

  test('an interrupted import goes on: both runs together leave what one run leaves', async () => {
    const organizations = Array.from({ length: 250 }, (_, index) => ({
      fullUrl: `urn:uuid:o${index}`,
      resource: { resourceType: 'Organization', name: `O${index}` },
    }));
    await put('a.json', bundle(PATIENT, ...organizations, CONDITION));
    const controller = new AbortController();
    const interrupted = importResources({
      path: folder,
      source: SOURCE,
      target,
      signal: controller.signal,
      onProgress: ({ created }) => created > 100 && controller.abort(),
    });
    await expect(interrupted).rejects.toThrow(/abort/);
    expect(target.records()).toHaveLength(101);
    expect(counts(await run())).toEqual({
      read: 252,
      created: 151,
      updated: 0,
      unchanged: 101,
      flagged: 0,
      refused: 0,
    });
    const whole = new MemoryTarget();
    await run(whole);
    expect(target.contents()).toEqual(whole.contents());
  });

  test('a path that is not there is an error with a code and help', async () => {
    const error = await importResources({ path: join(folder, 'nowhere'), source: SOURCE, target }).catch(
      (cause) => cause,
    );
    expect(error).toBeInstanceOf(ImportError);
    expect(error).toMatchObject({ code: 'import/no-such-path', help: expect.stringContaining('.ndjson') });
  });
});
