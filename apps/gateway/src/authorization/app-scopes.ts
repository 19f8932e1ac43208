import type { RegisteredClient } from './clients.ts';
import { type Role, roleCeiling } from './roles.ts';
import { formatScope, grantScopes, narrowScopes, parseScope } from './scopes.ts';
import { SMART_SCOPES } from './smart-configuration.ts';
import { isBoundToPatient, resourceScopes } from './user-caller.ts';

const LETTERS = ['create', 'read', 'update', 'delete', 'search'] as const;

/**
 * What of the scopes that an app asks for it is registered for. No `system/` scope: a person signs in.
 *
 * @returns Version 2 texts in the order that was asked.
 */
export function appScopes(client: RegisteredClient, asked: string): readonly string[] {
  const words = asked.split(' ').filter(Boolean);
  const launch = SMART_SCOPES.filter((word) => words.includes(word) && client.scopes.includes(word));
  const resources = grantScopes(words, client.scopes).filter((text) => !text.startsWith('system/'));
  return [...launch, ...resources];
}

/**
 * What of an app's scopes a user can pass on. `*` stays `*`, because it means whatever this user may do (SMART App
 * Launch 2), and is cut down to the roles again whenever the token is used; its letters are those that any role has.
 */
export function userScopes(scopes: readonly string[], roles: readonly Role[]): readonly string[] {
  const ceiling = roleCeiling(roles.includes('patient') ? ['patient'] : roles);
  return scopes.flatMap((text) => {
    const scope = parseScope(text);
    if (!scope) return [text];
    const within = narrowScopes([scope], ceiling);
    if (within.length === 0) return [];
    const letters = LETTERS.map((letter) => [letter, within.some((one) => one[letter])]);
    return [formatScope({ ...scope, ...Object.fromEntries(letters) })];
  });
}

/** Does an app with these scopes work on one patient? */
export function needsPatient(scopes: readonly string[]): boolean {
  return scopes.includes('launch/patient') || isBoundToPatient(resourceScopes(scopes.join(' ')));
}
