import { ADDRESS_FAILURES_MAX, NAME_FAILURES_MAX } from '../limits.ts';
import type { AuthorizationStore } from '../store/authorization-store.ts';
import { checkPassword } from './passwords.ts';
import type { RegisteredUser, UserRegistry } from './users.ts';

/** `refused` does not say why: a wrong name, a wrong password and a locked name look alike and take as long. */
export type SignIn =
  | { readonly outcome: 'signed-in'; readonly user: RegisteredUser }
  | { readonly outcome: 'refused' | 'busy' | 'too-many' };

export interface SignInAttempt {
  readonly name: string;
  readonly password: string;
  /** Where the request comes from. */
  readonly address: string;
}

/** Checks who signs in, and counts the failures of each name and each address. They survive a restart. */
export async function signIn(
  context: { readonly users: UserRegistry; readonly store: AuthorizationStore },
  attempt: SignInAttempt,
): Promise<SignIn> {
  const { users, store } = context;
  const nameKey = `name ${attempt.name.toLowerCase()}`;
  const addressKey = `address ${attempt.address}`;
  if ((await store.failures(addressKey)) >= ADDRESS_FAILURES_MAX) return { outcome: 'too-many' };
  const isLocked = (await store.failures(nameKey)) >= NAME_FAILURES_MAX;
  const user = await users.findByName(attempt.name);
  const verdict = await checkPassword(attempt.password, user?.passwordHash);
  if (verdict === 'busy') return { outcome: 'busy' };
  if (verdict === 'right' && user && !isLocked) {
    await store.clearFailures(nameKey);
    return { outcome: 'signed-in', user };
  }
  await store.addFailure(addressKey);
  // A locked name is not locked on and on by who keeps guessing.
  if (!isLocked) await store.addFailure(nameKey);
  return { outcome: 'refused' };
}
