import type { Caller, Scope } from '../caller.ts';

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

const FORM = /^(patient|user|system)\/(\*|[A-Z][A-Za-z]{0,63})\.(read|write|\*|c?r?u?d?s?)$/;

/** SMART App Launch 1 words and what they mean in version 2's letters. */
const VERSION_1: Readonly<Record<string, string>> = { read: 'rs', write: 'cud', '*': 'cruds' };

/** The most scopes that one token request may name. */
export const SCOPES_MAX = 64;

/**
 * Reads one SMART scope, version 2 (`system/Observation.rs`) or 1 (`patient/*.read`).
 *
 * @returns `undefined` for anything else, also for a scope with a search restriction (`?category=...`): what is not
 * enforced is not granted.
 */
export function parseScope(text: string): Scope | undefined {
  const match = FORM.exec(text);
  if (!match) return undefined;
  const [, context, type, granted] = match;
  const letters = VERSION_1[granted ?? ''] ?? granted ?? '';
  if (letters === '' || type === undefined) return undefined;
  return {
    context: context as Scope['context'],
    type,
    create: letters.includes('c'),
    read: letters.includes('r'),
    update: letters.includes('u'),
    delete: letters.includes('d'),
    search: letters.includes('s'),
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
  return letters === '' ? '' : `${scope.context}/${scope.type}.${letters}`;
}

function intersect(asked: Scope, most: Scope): Scope | undefined {
  if (asked.context !== most.context) return undefined;
  if (asked.type !== most.type && asked.type !== '*' && most.type !== '*') return undefined;
  return {
    context: asked.context,
    type: asked.type === '*' ? most.type : asked.type,
    create: asked.create && most.create,
    read: asked.read && most.read,
    update: asked.update && most.update,
    delete: asked.delete && most.delete,
    search: asked.search && most.search,
  };
}

/** What of the asked scopes a client is granted: never more than it is registered for. Version 2 texts. */
export function grantScopes(asked: readonly string[], most: readonly string[]): readonly string[] {
  const ceilings = most.map(parseScope).filter((scope) => scope !== undefined);
  const granted = new Set<string>();
  for (const text of asked.slice(0, SCOPES_MAX)) {
    const scope = parseScope(text);
    for (const ceiling of scope ? ceilings : []) {
      const common = scope ? intersect(scope, ceiling) : undefined;
      if (common && formatScope(common) !== '') granted.add(formatScope(common));
    }
  }
  return [...granted];
}

/** Do the caller's scopes cover this interaction on this resource type? Whose records is another question. */
export function isAllowed(caller: Pick<Caller, 'scopes'>, type: string, interaction: Interaction): boolean {
  const permission = PERMISSION[interaction];
  return caller.scopes.some((scope) => (scope.type === '*' || scope.type === type) && scope[permission]);
}
