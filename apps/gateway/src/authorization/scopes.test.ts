import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatScope, grantScopes, isAllowed, parseScope } from './scopes.ts';

const context = fc.constantFrom('patient', 'user', 'system');
const type = fc.constantFrom('*', 'Patient', 'Observation', 'Condition');
const letters = fc.subarray(['c', 'r', 'u', 'd', 's'], { minLength: 1 }).map((chosen) => chosen.join(''));
const scopeText = fc.tuple(context, type, letters).map(([c, t, l]) => `${c}/${t}.${l}`);

function callerWith(...texts: readonly string[]) {
  return { scopes: texts.map(parseScope).filter((scope) => scope !== undefined) };
}

describe('SMART scopes', () => {
  it('reads version 2 and version 1 forms alike', () => {
    expect(parseScope('system/Observation.rs')).toEqual(parseScope('system/Observation.read'));
    expect(parseScope('patient/*.cud')).toEqual(parseScope('patient/*.write'));
    expect(parseScope('user/*.cruds')).toEqual(parseScope('user/*.*'));
  });

  it.each([
    'system/Observation.',
    'system/Observation.sr',
    'system/Observation.rr',
    'system/observation.rs',
    'launch/patient',
    'openid',
    'system/Observation.rs x',
    'admin/*.cruds',
    '',
  ])('refuses %j', (text) => {
    expect(parseScope(text)).toBeUndefined();
  });

  it('writes what it read', () => {
    fc.assert(
      fc.property(scopeText, (text) => {
        const scope = parseScope(text);
        expect(scope && formatScope(scope)).toBe(text);
      }),
    );
  });

  it('never grants more than was asked, nor more than is registered', () => {
    const list = fc.array(scopeText, { maxLength: 4 });
    const interactions = ['create', 'read', 'update', 'delete', 'search-type'] as const;
    fc.assert(
      fc.property(list, list, (asked, most) => {
        const granted = callerWith(...grantScopes(asked, most));
        for (const scope of granted.scopes) {
          const sameContext = (text: string): boolean => text.startsWith(`${scope.context}/`);
          const resource = scope.type === '*' ? 'Basic' : scope.type;
          const one = { scopes: [scope] };
          for (const interaction of interactions) {
            if (!isAllowed(one, resource, interaction)) continue;
            expect(isAllowed(callerWith(...asked.filter(sameContext)), resource, interaction)).toBe(true);
            expect(isAllowed(callerWith(...most.filter(sameContext)), resource, interaction)).toBe(true);
          }
        }
      }),
    );
  });

  it('grants the part of a wide request that is registered', () => {
    expect(grantScopes(['system/*.cruds'], ['system/Observation.rs'])).toEqual(['system/Observation.rs']);
    expect(grantScopes(['user/*.rs'], ['system/*.cruds'])).toEqual([]);
  });

  it('keeps reading and searching apart', () => {
    const reader = callerWith('system/Observation.r');
    expect(isAllowed(reader, 'Observation', 'vread')).toBe(true);
    expect(isAllowed(reader, 'Observation', 'search-type')).toBe(false);
    expect(isAllowed(reader, 'Condition', 'read')).toBe(false);
    expect(isAllowed(callerWith('system/*.s'), 'Condition', 'history-type')).toBe(true);
  });
});
