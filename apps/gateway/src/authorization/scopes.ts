import type { Caller, Scope } from '../caller.ts';
import { bothRestrictions, formatRestriction, parseRestriction } from './scope-restriction.ts';

/** FHIR R4's interactions (http.html), as SMART App Launch 2 groups them. */
export type Interaction =
  | 'create'
  | 'read'
  | 'vread'
  | 'history-instance'
  | 'update'
  | 'patch'
  | 'delete'
  | 'search-type'
  | 'history-type'
  | 'search-system'
  | 'history-system';

type Permission = 'create' | 'read' | 'update' | 'delete' | 'search';

const PERMISSION: Readonly<Record<Interaction, Permission>> = {
  create: 'create',
  read: 'read',
  vread: 'read',
  'history-instance': 'read',
  update: 'update',
  patch: 'update',
  delete: 'delete',
  'search-type': 'search',
  'history-type': 'search',
  'search-system': 'search',
  'history-system': 'search',
};

const FORM = /^(patient|user|system)\/(\*|[A-Z][A-Za-z]{0,63})\.(read|write|\*|c?r?u?d?s?)(?:\?(.+))?$/;

/** SMART App Launch 1 words and what they mean in version 2's letters. */
const VERSION_1: Readonly<Record<string, string>> = { read: 'rs', write: 'cud', '*': 'cruds' };

/** The most scopes that one token request may name. */
export const SCOPES_MAX = 64;

/**
 * Reads one SMART scope: version 2 (`system/Observation.rs`), with search parameters
 * (`patient/Observation.rs?category=laboratory`), or version 1 (`patient/*.read`).
 *
 * @returns `undefined` for anything else: what is not understood is not granted.
 */
export function parseScope(text: string): Scope | undefined {
  const match = FORM.exec(text);
  if (!match) return undefined;
  const [, context, type, granted, query] = match;
  const word = VERSION_1[granted ?? ''];
  const letters = word ?? granted ?? '';
  if (letters === '' || type === undefined) return undefined;
  const restriction = query === undefined ? undefined : parseRestriction(query);
  if (query !== undefined && (word !== undefined || type === '*' || !restriction)) return undefined;
  return {
    context: context as Scope['context'],
    type,
    create: letters.includes('c'),
    read: letters.includes('r'),
    update: letters.includes('u'),
    delete: letters.includes('d'),
    search: letters.includes('s'),
    ...(restriction ? { restriction } : {}),
  };
}

/** Version 2 text of a scope; empty when it permits nothing. */
export function formatScope(scope: Scope): string {
  const letters = [
    scope.create ? 'c' : '',
    scope.read ? 'r' : '',
    scope.update ? 'u' : '',
    scope.delete ? 'd' : '',
    scope.search ? 's' : '',
  ].join('');
  if (letters === '') return '';
  const query = scope.restriction ? `?${formatRestriction(scope.restriction)}` : '';
  return `${scope.context}/${scope.type}.${letters}${query}`;
}

/** What two scopes both permit; `undefined` when that is nothing. The search parameters of both stay. */
export function intersectScopes(asked: Scope, most: Scope): Scope | undefined {
  if (asked.context !== most.context) return undefined;
  if (asked.type !== most.type && asked.type !== '*' && most.type !== '*') return undefined;
  const restriction = bothRestrictions(asked.restriction, most.restriction);
  const common = {
    context: asked.context,
    type: asked.type === '*' ? most.type : asked.type,
    create: asked.create && most.create,
    read: asked.read && most.read,
    update: asked.update && most.update,
    delete: asked.delete && most.delete,
    search: asked.search && most.search,
    ...(restriction ? { restriction } : {}),
  };
  return formatScope(common) === '' ? undefined : common;
}

/** What of the asked scopes a client is granted: never more than it is registered for. Version 2 texts. */
export function grantScopes(asked: readonly string[], most: readonly string[]): readonly string[] {
  const parsed = asked.slice(0, SCOPES_MAX).map(parseScope);
  const ceilings = most.map(parseScope);
  return narrowScopes(parsed.filter(isKnown), ceilings.filter(isKnown)).map(formatScope);
}

function isKnown(scope: Scope | undefined): scope is Scope {
  return scope !== undefined;
}

/** Every scope cut down to what one of the ceilings permits, each once. */
export function narrowScopes(scopes: readonly Scope[], ceilings: readonly Scope[]): readonly Scope[] {
  const narrowed = new Map<string, Scope>();
  for (const scope of scopes) {
    for (const ceiling of ceilings) {
      const common = intersectScopes(scope, ceiling);
      if (common) narrowed.set(formatScope(common), common);
    }
  }
  return [...narrowed.values()];
}

/** Does this scope cover this interaction on this resource type, in its restriction's bounds? */
export function covers(scope: Scope, type: string, interaction: Interaction): boolean {
  return (scope.type === '*' || scope.type === type) && scope[PERMISSION[interaction]];
}

/**
 * Do the caller's scopes cover this interaction on this resource type? Whose records is another question, and which of
 * them when the scope is restricted: who asks this must judge `restriction` too.
 */
export function isAllowed(caller: Pick<Caller, 'scopes'>, type: string, interaction: Interaction): boolean {
  return caller.scopes.some((scope) => covers(scope, type, interaction));
}

/** {@link isAllowed}, for who does not look at single records: a restricted scope does not count. */
export function isAllowedWithoutRestriction(
  caller: Pick<Caller, 'scopes'>,
  type: string,
  interaction: Interaction,
): boolean {
  return caller.scopes.some((scope) => !scope.restriction && covers(scope, type, interaction));
}
