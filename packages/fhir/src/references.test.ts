import { describe, expect, test } from 'vitest';
import { canonicalText, parseLossless, parseReference, referencesOf, rewriteReferences } from './index.ts';

describe('parseReference', () => {
  test.each([
    ['Patient/a', { kind: 'relative', type: 'Patient', id: 'a' }],
    ['Patient/a/_history/2', { kind: 'relative', type: 'Patient', id: 'a', version: '2' }],
    [
      'https://h.example/fhir/Patient/a',
      { kind: 'absolute', base: 'https://h.example/fhir/', type: 'Patient', id: 'a' },
    ],
    ['#p', { kind: 'contained', id: 'p' }],
    ['#', { kind: 'contained', id: '' }],
    ['urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a', { kind: 'urn' }],
    ['Practitioner?identifier=http://a|1', { kind: 'conditional', type: 'Practitioner' }],
    ['https://h.example/something', { kind: 'absolute' }],
    ['Patient', { kind: 'malformed' }],
    ['Patient/a b', { kind: 'malformed' }],
    ['Patient/../Patient/a', { kind: 'malformed' }],
  ])('%s', (text, parsed) => {
    expect(parseReference(text)).toEqual(parsed);
  });
});

describe('referencesOf', () => {
  test('finds references at any depth with their FHIRPath, and no elements that only share the name', () => {
    const resource = {
      resourceType: 'Immunization',
      patient: { reference: 'Patient/a' },
      education: [{ reference: 'https://cdc.example/vis' }],
      extension: [{ url: 'x', valueExpression: { language: 'text/cql', reference: 'https://x.example' } }],
      contained: [
        { resourceType: 'DetectedIssue', reference: 'https://x.example', author: { reference: '#' } },
      ],
      reaction: [{}, { detail: { reference: 'Observation/o' } }],
    };
    expect(referencesOf(resource).map(({ expression, reference }) => [expression, reference])).toEqual([
      ['Immunization.patient', 'Patient/a'],
      ['Immunization.contained[0].author', '#'],
      ['Immunization.reaction[1].detail', 'Observation/o'],
    ]);
  });
});

describe('rewriteReferences', () => {
  const mapping = (reference: string) =>
    reference === 'urn:uuid:1' ? 'Patient/a' : reference === 'urn:uuid:2' ? 'Binary/b' : undefined;

  test('rewrites references, attachments and narrative links, and nothing else', () => {
    const text = `{"resourceType":"DocumentReference",
      "content":[{"attachment":{"url":"urn:uuid:2","size":1.0}}],
      "identifier":[{"system":"urn:ietf:rfc:3986","value":"urn:uuid:1"}],
      "subject":{"reference":"urn:uuid:1"},"author":[{"reference":"urn:uuid:3"}],
      "text":{"div":"<div><a href=\\"urn:uuid:1\\">x</a></div>"}}`;
    const before = parseLossless(text);
    expect(canonicalText(rewriteReferences(before, mapping))).toBe(
      '{"author":[{"reference":"urn:uuid:3"}],"content":[{"attachment":{"size":1.0,"url":"Binary/b"}}],' +
        '"identifier":[{"system":"urn:ietf:rfc:3986","value":"urn:uuid:1"}],"resourceType":"DocumentReference",' +
        '"subject":{"reference":"Patient/a"},"text":{"div":"<div><a href=\\"Patient/a\\">x</a></div>"}}',
    );
  });

  test('returns the same tree when nothing changes', () => {
    const value = parseLossless(
      '{"resourceType":"Condition","subject":{"reference":"Patient/x"},"note":[{"text":"y"}]}',
    );
    expect(rewriteReferences(value, mapping)).toBe(value);
  });
});
