import type { Account } from 'oidc-provider';
import type { RegisteredUser, UserRegistry } from './users/users.ts';

/** What an id token says about a user: the subject, and with `fhirUser` or `profile` their resource here. No name. */
function claimsOf(user: RegisteredUser, audience: string): { readonly sub: string } {
  const fhirUser = user.fhirUser === undefined ? undefined : `${audience}/${user.fhirUser}`;
  return { sub: user.subject, ...(fhirUser === undefined ? {} : { fhirUser, profile: fhirUser }) };
}

/** Which scope asks for which claim. */
export const ACCOUNT_CLAIMS = { openid: ['sub'], fhirUser: ['fhirUser'], profile: ['profile'] };

/** The user behind a session or a token, as the users file says it at this moment; `undefined` ends both. */
export async function findAccount(
  users: UserRegistry,
  audience: string,
  subject: string,
): Promise<Account | undefined> {
  const user = await users.findBySubject(subject);
  return user && { accountId: subject, claims: async () => claimsOf(user, audience) };
}
