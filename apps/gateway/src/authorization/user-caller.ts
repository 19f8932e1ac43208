import type { OrganizationId } from '@careledger/primitives';
import type { Caller, Scope } from '../caller.ts';
import { type Role, roleCeiling } from './roles.ts';
import { narrowScopes, parseScope } from './scopes.ts';

/** What is known of a user when a token of theirs is judged: as the users file says it now, not when it was issued. */
export interface UserStanding {
  /** Subject id: random, never a name. */
  readonly subject: string;
  readonly roles: readonly Role[];
  /** The Patient of a user whose role is `patient`. */
  readonly patient?: string;
}

export interface UserGrant {
  readonly user: UserStanding;
  readonly organization: OrganizationId;
  /** The token's scope text. */
  readonly scope: string;
  /** What the app may be granted at most, as its registration says now. */
  readonly clientScopes: readonly string[];
  /** The Patient that the app was launched for, or that was picked. */
  readonly patient?: string;
  /** The app was granted a `patient/` scope, whichever of its scopes this token has: a refresh may ask for fewer. */
  readonly isBound?: boolean;
}

/** The scopes in a text that are about resources. */
export function resourceScopes(text: string): readonly Scope[] {
  return text
    .split(' ')
    .map(parseScope)
    .filter((scope) => scope !== undefined);
}

/** Is an app with these scopes bound to one patient? */
export function isBoundToPatient(scopes: readonly Scope[]): boolean {
  return scopes.some(({ context }) => context === 'patient');
}

/**
 * Who a user's token speaks for: its scopes within the app's registration and within the user's roles, both as they are
 * at this moment.
 *
 * An app with a `patient/` scope is bound to one patient's records altogether, its `user/` scopes too, whoever signed in:
 * narrower than the scopes' words, never wider.
 *
 * @returns `undefined` when it speaks for nobody: patient scopes without a patient, or another patient's.
 */
export function userCaller(grant: UserGrant): Caller | undefined {
  const { user, organization } = grant;
  const granted = resourceScopes(grant.scope);
  const registered = narrowScopes(granted, resourceScopes(grant.clientScopes.join(' ')));
  const isPatient = user.roles.includes('patient');
  const isBound = isPatient || grant.isBound === true || isBoundToPatient(granted);
  const roles = user.roles.filter((role) => !isPatient || role === 'patient');
  const scopes = narrowScopes(registered, roleCeiling(roles));
  const caller = { organization, subject: user.subject, scopes, roles };
  if (!isBound) return { ...caller, kind: 'user' };
  const patientId = isPatient ? user.patient : grant.patient;
  if (patientId === undefined || (grant.patient !== undefined && grant.patient !== patientId))
    return undefined;
  return { ...caller, kind: 'patient', patientId, ...(isPatient ? {} : { isOnBehalf: true }) };
}
