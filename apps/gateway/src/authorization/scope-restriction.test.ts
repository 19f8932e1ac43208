import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatScope, grantScopes, isAllowed, isAllowedWithoutRestriction, parseScope } from './scopes.ts';

const LABORATORY =
  'patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory';

describe('IOP-03: granular scopes', () => {
  it('carry their search parameters, decoded and in order', () => {
    expect(parseScope(LABORATORY)?.restriction).toEqual([
      ['category', 'http://terminology.hl7.org/CodeSystem/observation-category|laboratory'],
    ]);
    expect(parseScope('user/Observation.rs?status=final&code:in=urn%3Ax%26y')?.restriction).toEqual([
      ['status', 'final'],
      ['code:in', 'urn:x&y'],
    ]);
  });

  it('are written as they were read', () => {
    expect(formatScope(parseScope(LABORATORY) ?? expect.fail())).toBe(LABORATORY);
    const value = fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' });
    fc.assert(
      fc.property(value, (text) => {
        const written = `patient/Observation.rs?code=${encodeURIComponent(text)}`;
        const scope = parseScope(written) ?? expect.fail();
        expect(formatScope(scope)).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/);
        expect(parseScope(formatScope(scope))).toEqual(scope);
        expect(scope.restriction).toEqual([['code', text]]);
      }),
    );
  });

  it.each([
    'patient/Observation.rs?',
    'patient/Observation.rs?category',
    'patient/Observation.rs?=x',
    'patient/Observation.rs?category=',
    'patient/Observation.rs?category=a+b',
    'patient/Observation.rs?category=%E0%A4%A',
    'patient/Observation.rs?_count=1',
    'patient/Observation.rs?_has:Group:member:_id=1',
    'patient/Observation.rs?patient.name=x',
    'patient/*.rs?category=laboratory',
    'patient/Observation.read?category=laboratory',
    `patient/Observation.rs?code=${'x'.repeat(257)}`,
    `patient/Observation.rs?${'code=a&'.repeat(8)}code=a`,
  ])('like %j are not granted', (text) => {
    expect(parseScope(text)).toBeUndefined();
  });

  it('keep both restrictions where two meet, whichever side is the ceiling', () => {
    const both = 'patient/Observation.rs?category=laboratory&status=final';
    const [asked, most] = ['patient/Observation.rs?category=laboratory', 'patient/*.rs'];
    expect(grantScopes([asked], ['patient/Observation.rs?status=final'])).toEqual([both]);
    expect(grantScopes([asked], [most])).toEqual([asked]);
    expect(grantScopes([most], [asked])).toEqual([asked]);
    expect(grantScopes([asked], [asked])).toEqual([asked]);
    expect(grantScopes([asked], ['patient/Observation.rs?category=vital-signs'])).toEqual([
      'patient/Observation.rs?category=laboratory&category=vital-signs',
    ]);
  });

  it('do not count where nobody judges single records', () => {
    const caller = { scopes: [parseScope(LABORATORY) ?? expect.fail()] };
    expect(isAllowed(caller, 'Observation', 'read')).toBe(true);
    expect(isAllowedWithoutRestriction(caller, 'Observation', 'read')).toBe(false);
  });
});
