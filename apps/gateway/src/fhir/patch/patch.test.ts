import { canonicalText, isResource, type LosslessResource, parseLossless } from '@careledger/fhir';
import { describe, expect, it } from 'vitest';
import { FhirError } from '../fhir-error.ts';
import { applyFhirPathPatch } from './fhirpath-patch.ts';
import { applyJsonPatch } from './json-patch.ts';
import { PATCH_OPERATIONS_MAX } from './patch-error.ts';

function tree(text: string): LosslessResource {
  const value = parseLossless(text);
  if (!isResource(value)) throw new Error('no resource');
  return value;
}

/** What a patch does: the text it leaves, or the status it is refused with. */
function outcome(work: () => Parameters<typeof canonicalText>[0]): string | number {
  try {
    return canonicalText(work());
  } catch (error) {
    if (error instanceof FhirError) return error.status;
    throw error;
  }
}

const OBSERVATION =
  '{"component":[{"code":{"text":"a"}},{"code":{"text":"b"}}],"note":[{"text":"x/y"}],"resourceType":"Observation","status":"final","valueQuantity":{"value":1.10}}';

describe('JSON Patch on the lossless tree (RFC 6902)', () => {
  const patched = (...operations: object[]) =>
    outcome(() => applyJsonPatch(tree(OBSERVATION), parseLossless(JSON.stringify(operations))));

  it('IOP-03: what a patch does not touch keeps its text, down to the digits of its numbers', () => {
    const before = OBSERVATION.replace('"final"', '"amended"');
    expect(patched({ op: 'replace', path: '/status', value: 'amended' })).toBe(before);
    expect(patched({ op: 'copy', from: '/valueQuantity/value', path: '/valueQuantity/low' })).toContain(
      '"low":1.10,"value":1.10',
    );
  });

  it.each([
    [
      'adds to the end',
      { op: 'add', path: '/note/-', value: { text: 'z' } },
      '[{"text":"x/y"},{"text":"z"}]',
    ],
    ['adds before', { op: 'add', path: '/note/0', value: { text: 'z' } }, '[{"text":"z"},{"text":"x/y"}]'],
    ['adds a member', { op: 'add', path: '/a~1b~0c', value: 1 }, '"a/b~c":1'],
    ['removes an item', { op: 'remove', path: '/component/0' }, '"component":[{"code":{"text":"b"}}]'],
    ['replaces within', { op: 'replace', path: '/component/1/code/text', value: 'c' }, '{"text":"c"}'],
    [
      'moves',
      { op: 'move', from: '/component/1', path: '/component/0' },
      '[{"code":{"text":"b"}},{"code":{"text":"a"}}]',
    ],
    ['tests numbers by value', { op: 'test', path: '/valueQuantity/value', value: 1.1 }, '1.10'],
  ])('%s', (_name, operation, expected) => {
    expect(patched(operation)).toContain(expected);
  });

  it.each([
    ['a member that is not there', { op: 'remove', path: '/nothing' }, 422],
    ['an index beyond the end', { op: 'add', path: '/note/2', value: {} }, 422],
    ['an index that is none', { op: 'replace', path: '/note/01', value: {} }, 422],
    ['a test that does not hold', { op: 'test', path: '/status', value: 'final' }, 422],
    ['a member of a primitive', { op: 'add', path: '/status/x', value: 1 }, 422],
    ['the whole resource', { op: 'remove', path: '' }, 422],
    ['an unknown operation', { op: 'increment', path: '/status' }, 400],
    ['no value', { op: 'add', path: '/status' }, 400],
    ['no pointer', { op: 'remove', path: 'status' }, 400],
    ['an escape that is none', { op: 'remove', path: '/a~2' }, 400],
    ['a prototype', { op: 'add', path: '/__proto__/polluted', value: true }, 400],
    ['a constructor', { op: 'add', path: '/constructor', value: {} }, 400],
    ['into itself', { op: 'move', from: '/component', path: '/component/0' }, 400],
  ])('is refused as a whole for %s', (_name, operation, status) => {
    expect(patched({ op: 'replace', path: '/status', value: 'amended' }, operation)).toBe(status);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('has limits: on operations, and on what copies of copies grow to', () => {
    const many = Array.from({ length: PATCH_OPERATIONS_MAX + 1 }, () => ({
      op: 'test',
      path: '/status',
      value: 'final',
    }));
    expect(patched(...many)).toBe(413);
    const doubling = Array.from({ length: 60 }, (_, index) => ({ op: 'copy', from: '', path: `/x${index}` }));
    expect(patched(...doubling)).toBe(413);
    expect(patched()).toBe(400);
  });
});

describe('FHIRPath Patch on the lossless tree', () => {
  const PATIENT =
    '{"active":true,"birthDate":"1970-01-01","contact":[{"name":{"family":"A"}}],"extension":[{"url":"urn:x","valueDecimal":1.10}],"identifier":[{"system":"a","value":"1"},{"system":"b","value":"2"}],"multipleBirthInteger":2,"resourceType":"Patient"}';
  const operation = (parts: Record<string, unknown>) => ({
    name: 'operation',
    part: Object.entries(parts).map(([name, value]) => {
      if (name === 'type') return { name, valueCode: value };
      if (typeof value === 'number') return { name, valueInteger: value };
      return typeof value === 'object' ? { name, ...value } : { name, valueString: value };
    }),
  });
  const patched = (...operations: Record<string, unknown>[]) =>
    outcome(() => {
      const parameters = { resourceType: 'Parameters', parameter: operations.map(operation) };
      return applyFhirPathPatch(tree(PATIENT), tree(JSON.stringify(parameters)));
    });

  it('IOP-03: what it does not touch keeps its text', () => {
    const after = PATIENT.replace('1970-01-01', '1971-02-03');
    const value = { valueDate: '1971-02-03' };
    expect(patched({ type: 'replace', path: 'Patient.birthDate', value })).toBe(after);
  });

  it.each([
    [
      'adds to a list',
      { type: 'add', path: 'Patient', name: 'identifier', value: { valueIdentifier: { value: '3' } } },
      '{"value":"3"}]',
    ],
    [
      'adds to a list that is not there',
      { type: 'add', path: 'Patient', name: 'name', value: { valueHumanName: { family: 'B' } } },
      '"name":[{"family":"B"}]',
    ],
    [
      'adds a single element',
      { type: 'add', path: 'Patient', name: 'gender', value: { valueCode: 'female' } },
      '"gender":"female"',
    ],
    [
      'adds a choice',
      { type: 'add', path: 'Patient', name: 'deceased', value: { valueBoolean: true } },
      '"deceasedBoolean":true',
    ],
    [
      'adds deeper',
      { type: 'add', path: 'Patient.contact[0].name', name: 'given', value: { valueString: 'C' } },
      '{"family":"A","given":["C"]}',
    ],
    [
      'adds an element without a type of its own',
      {
        type: 'add',
        path: 'Patient',
        name: 'contact',
        value: {
          part: [
            { name: 'name', valueHumanName: { family: 'D' } },
            { name: 'gender', valueCode: 'male' },
          ],
        },
      },
      '{"gender":"male","name":{"family":"D"}}',
    ],
    [
      'inserts',
      { type: 'insert', path: 'Patient.identifier', value: { valueIdentifier: { value: '0' } }, index: 0 },
      '"identifier":[{"value":"0"},{"system":"a"',
    ],
    [
      'deletes one',
      { type: 'delete', path: "Patient.identifier.where(system = 'a')" },
      '"identifier":[{"system":"b"',
    ],
    [
      'deletes the last of a list with its list',
      { type: 'delete', path: 'Patient.contact[0]' },
      '"birthDate":"1970-01-01","extension"',
    ],
    ['deletes nothing where there is nothing', { type: 'delete', path: 'Patient.gender' }, '"active":true'],
    ['deletes a choice', { type: 'delete', path: 'Patient.multipleBirth' }, '"value":"2"}],"resourceType"'],
    [
      'replaces a choice by another type',
      { type: 'replace', path: 'Patient.multipleBirth', value: { valueBoolean: true } },
      '"multipleBirthBoolean":true',
    ],
    [
      'replaces in a list',
      { type: 'replace', path: "Patient.identifier.where(system = 'b').value", value: { valueString: '9' } },
      '"value":"9"',
    ],
    [
      'moves',
      { type: 'move', path: 'Patient.identifier', source: 1, destination: 0 },
      '"identifier":[{"system":"b"',
    ],
  ])('%s', (_name, one, expected) => {
    const after = patched(one);
    expect(after).toContain(expected);
    expect(after).toContain('"valueDecimal":1.10');
  });

  it.each([
    [
      'an element that is there already',
      { type: 'add', path: 'Patient', name: 'birthDate', value: { valueDate: '2000' } },
      422,
    ],
    ['several elements', { type: 'delete', path: 'Patient.identifier' }, 422],
    ['no element', { type: 'replace', path: 'Patient.gender', value: { valueCode: 'male' } }, 422],
    ['the resource itself', { type: 'delete', path: 'Patient' }, 422],
    [
      'an index beyond the list',
      { type: 'insert', path: 'Patient.identifier', value: { valueString: 'x' }, index: 3 },
      422,
    ],
    [
      'a computed value',
      { type: 'replace', path: "Patient.identifier[0].value = '1'", value: { valueString: 'x' } },
      422,
    ],
    ['a function that computes', { type: 'delete', path: 'Patient.repeat(contact)' }, 400],
    ['a function behind a comment', { type: 'delete', path: "Patient.identifier.trace/**/('x')" }, 400],
    ['a function in quotes', { type: 'delete', path: "Patient.identifier.`trace`('x')" }, 400],
    [
      'a function between quotes in comments',
      { type: 'delete', path: "Patient.identifier/* ' */.where(value.matches('(a+)+$'))/* ' */" },
      400,
    ],
    ['a variable', { type: 'delete', path: 'Patient.identifier.where(%context.exists())' }, 400],
    ['what is no FHIRPath', { type: 'delete', path: 'Patient.(' }, 400],
    ['an unknown operation', { type: 'upsert', path: 'Patient' }, 400],
    ['no value', { type: 'add', path: 'Patient', name: 'gender' }, 400],
    ['a prototype', { type: 'add', path: 'Patient', name: '__proto__', value: { valueString: 'x' } }, 400],
  ])('is refused as a whole for %s', (_name, one, status) => {
    expect(patched({ type: 'delete', path: 'Patient.active' }, one)).toBe(status);
  });
});
