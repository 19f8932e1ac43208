import type { Scope } from '../caller.ts';

/** Search parameters of one granular scope: `?category=laboratory&status=final`. */
type Restriction = NonNullable<Scope['restriction']>;

/** The most search parameters of one scope. */
export const RESTRICTIONS_MAX = 8;
/** The longest value of one of them, in characters. */
export const RESTRICTION_VALUE_MAX = 256;

const NAME = /^[a-z][A-Za-z0-9-]{0,63}(?::[a-z][A-Za-z-]{0,31})?$/;
/** Parameters of every resource that choose records. The others that begin with `_` shape the answer. */
const COMMON_NAMES: ReadonlySet<string> = new Set([
  '_id',
  '_lastUpdated',
  '_profile',
  '_security',
  '_source',
  '_tag',
]);
/** What a scope may not hold unescaped: separators of its own, and what OAuth leaves out (RFC 6749, section 3.3). */
const ESCAPED = /[^A-Za-z0-9\-._~:/|,;!$'()*@]/gu;

function decode(text: string): string | undefined {
  // A plus is a blank in forms and itself elsewhere: only `%20` and `%2B` say which.
  if (text.includes('+')) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Reads the search parameters of a scope; `undefined` when one of them is not understood. */
export function parseRestriction(query: string): Restriction | undefined {
  const pairs = query.split('&');
  if (pairs.length > RESTRICTIONS_MAX) return undefined;
  const restriction: (readonly [string, string])[] = [];
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const name = at > 0 ? decode(pair.slice(0, at)) : undefined;
    const value = decode(pair.slice(at + 1));
    if (name === undefined || !(COMMON_NAMES.has(name) || NAME.test(name))) return undefined;
    if (value === undefined || value === '' || value.length > RESTRICTION_VALUE_MAX) return undefined;
    restriction.push([name, value]);
  }
  return restriction;
}

/** The text of a restriction, of characters that a scope may hold. */
export function formatRestriction(restriction: Restriction): string {
  const escaped = (text: string): string => text.replace(ESCAPED, encodeURIComponent);
  return restriction.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join('&');
}

/** The restrictions of two scopes that meet: every parameter of both must hold. */
export function bothRestrictions(
  left: Restriction | undefined,
  right: Restriction | undefined,
): Restriction | undefined {
  if (!left || !right) return left ?? right;
  const added = right.filter(([name, value]) => !left.some((pair) => pair[0] === name && pair[1] === value));
  return [...left, ...added];
}
