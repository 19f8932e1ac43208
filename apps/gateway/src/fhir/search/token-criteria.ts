import {
  boundValueSet,
  type Criterion,
  type IndexedParameter,
  type TokenKind,
} from '../../index-store/index.ts';
import { loadDefinitions } from '../../validation/index.ts';
import { invalidParameter } from '../fhir-error.ts';
import { VALUE_SET_CODES_MAX } from './limits.ts';
import { sayable, splitValue, unescaped, unsupportedModifier } from './search-context.ts';

export type TokenFor = (kind: TokenKind, value: string) => Uint8Array;

/** `system|code`, `|code`, `system|` and `code` (FHIR R4, search, section 3.1.1.4.10). */
export function codeTokens(
  one: string,
  kind: 'value' | 'identifier',
  tokenFor: TokenFor,
  hasOwnSystem: (system: string, code: string) => boolean = () => false,
): readonly Uint8Array[] {
  const [first = '', second, ...rest] = splitValue(one, '|').map(unescaped);
  if (second === undefined) return [tokenFor(kind, first)];
  const code = [second, ...rest].join('|');
  if (code === '' && first !== '') return [tokenFor('system', first)];
  const token = tokenFor(kind, `${first}|${code}`);
  // An element of type `code` has the system of its binding, and does not say it.
  return hasOwnSystem(first, code) ? [token, tokenFor(kind, `|${code}`)] : [token];
}

const lookups = new WeakMap<IndexedParameter, ((system: string, code: string) => boolean) | null>();

/** Does the parameter stand for a `code` whose binding has this code of this system? */
export function isBoundTo(parameter: IndexedParameter, system: string, code: string): boolean {
  let lookup = lookups.get(parameter);
  if (lookup === undefined) {
    const valueSets = parameter.branches.flatMap((branch) =>
      'general' in branch ? [] : (boundValueSet(branch) ?? []),
    );
    const found = valueSets.flatMap((url) => loadDefinitions().valueSet(url) ?? []);
    lookup = found.length === 0 ? null : (of, is) => found.some((valueSet) => valueSet.has(of, is));
    lookups.set(parameter, lookup);
  }
  return lookup?.(system, code) ?? false;
}

/** The codes of a value set of R4. @throws {@link FhirError} 400 where this server does not know them all. */
function codingsIn(name: string, url: string): readonly (readonly [string, string])[] {
  const codings = loadDefinitions().valueSet(url)?.codings();
  if (!codings)
    throw invalidParameter(sayable(name), 'This server does not know the codes of this value set.');
  if (codings.length > VALUE_SET_CODES_MAX) {
    throw invalidParameter(sayable(name), `A value set has more than ${VALUE_SET_CODES_MAX} codes.`);
  }
  return codings;
}

function valueSetTokens(
  name: string,
  parameter: IndexedParameter,
  url: string,
  tokenFor: TokenFor,
): readonly Uint8Array[] {
  return codingsIn(name, url).flatMap(([system, code]) => {
    const token = tokenFor('value', `${system}|${code}`);
    return isBoundTo(parameter, system, code) ? [token, tokenFor('value', `|${code}`)] : [token];
  });
}

/** `system|code|value`: an identifier of a type. */
function typedToken(name: string, one: string, tokenFor: TokenFor): Uint8Array {
  const parts = splitValue(one, '|').map(unescaped);
  if (parts.length === 3 && parts[1] !== '' && parts[2] !== '') return tokenFor('of-type', parts.join('|'));
  throw invalidParameter(
    sayable(name),
    ':of-type takes the system, the code and the value of an identifier.',
  );
}

/** The condition of a token parameter, its `:text` and `:missing` apart. */
export function tokenCriterion(
  name: string,
  parameter: IndexedParameter,
  modifier: string | undefined,
  alternatives: readonly string[],
  tokenFor: TokenFor,
): Criterion {
  const each = (tokensOf: (one: string) => readonly Uint8Array[], negate: boolean): Criterion => {
    return { kind: 'tokens', any: alternatives.flatMap(tokensOf), negate };
  };
  switch (modifier) {
    case undefined:
    case 'not':
      return each(
        (one) => codeTokens(one, 'value', tokenFor, (system, code) => isBoundTo(parameter, system, code)),
        modifier === 'not',
      );
    case 'in':
    case 'not-in':
      return each((one) => valueSetTokens(name, parameter, unescaped(one), tokenFor), modifier === 'not-in');
    case 'of-type':
      return each((one) => [typedToken(name, one, tokenFor)], false);
    default:
      return unsupportedModifier(name);
  }
}
