import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PASSWORD_CHARACTERS_MAX } from '../limits.ts';
import type { Role } from '../roles.ts';
import { hashPassword } from './passwords.ts';
import { readUsers } from './users.ts';

/** A password that is the only factor (NIST SP 800-63B-4, 3.1.1.2). */
const PASSWORD_CHARACTERS_MIN = 15;

type UserErrorCode =
  | 'users/unknown'
  | 'users/taken'
  | 'users/password'
  | 'users/invalid'
  | 'users/file'
  | 'users/being-changed';

const HELP: Readonly<Record<UserErrorCode, string>> = {
  'users/unknown': 'See who there is with `careledger users list`.',
  'users/taken': 'Choose another name; capital and small letters are the same.',
  'users/password': `A password has ${PASSWORD_CHARACTERS_MIN} to ${PASSWORD_CHARACTERS_MAX} characters: a few words do well.`,
  'users/invalid':
    'A name has letters, digits and . _ @ -; the role patient and a Patient id belong together, and no other user has the name.',
  'users/file': 'Nobody signs in while it is so. Correct the entry that is named, or restore the file.',
  'users/being-changed':
    'Try again. If no other program changes the users, one was killed on the way: remove users.json.new.',
};

/** Why the users of an organization cannot be read or changed. Never quotes an entry. */
class UserError extends Error {
  override readonly name = 'UserError';
  readonly code: UserErrorCode;
  readonly help: string;

  constructor(code: UserErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.help = HELP[code];
  }
}

/** A user as an administrator sees one: nothing of the password. */
export interface UserSummary {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly disabled: boolean;
  readonly patient?: string;
  readonly fhirUser?: string;
}

export interface NewUser {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly password: string;
  /** The Patient whose records a user with the role `patient` has. */
  readonly patient?: string;
  /** The user's own Practitioner or RelatedPerson, as `Practitioner/<id>`. */
  readonly fhirUser?: string;
}

/** One entry as it stands in the file: what this program does not know stays as it is. */
type Entry = Omit<NewUser, 'password'> & {
  readonly subject: string;
  readonly passwordHash: string;
  readonly disabled?: boolean;
};

interface UsersFile {
  readonly users: readonly Entry[];
}

function hasName(name: string): (entry: Entry) => boolean {
  return (entry) => entry.name.toLowerCase() === name.toLowerCase();
}

async function readEntries(file: string): Promise<UsersFile> {
  try {
    const text = await readFile(file, 'utf8');
    readUsers(text, file);
    return JSON.parse(text) as UsersFile;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { users: [] };
    // A parser's own words may quote the text; ours name a place.
    const place = cause instanceof SyntaxError || !(cause instanceof Error) ? 'not JSON' : cause.message;
    throw new UserError('users/file', `The users file cannot be read: ${place}.`, { cause });
  }
}

/** Everybody in a users file, those who are disabled too. @throws {@link UserError} `users/file`. */
export async function usersOfFile(file: string): Promise<readonly UserSummary[]> {
  const { users } = await readEntries(file);
  return users.map(({ name, roles, disabled, patient, fhirUser }) => ({
    ...{ name, roles, disabled: disabled === true },
    ...(patient === undefined ? {} : { patient }),
    ...(fhirUser === undefined ? {} : { fhirUser }),
  }));
}

async function hashed(password: string): Promise<string> {
  const { length } = password;
  if (length < PASSWORD_CHARACTERS_MIN || length > PASSWORD_CHARACTERS_MAX) {
    throw new UserError('users/password', 'The password is too short or too long.');
  }
  return hashPassword(password);
}

/** Replaces the file as a whole, one change at a time. The gateway reads it at the next request. */
async function rewrite(
  file: string,
  change: (users: readonly Entry[]) => readonly Entry[] | Promise<readonly Entry[]>,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.new`;
  const handle = await open(next, 'wx', 0o600).catch((cause: unknown) => {
    throw new UserError('users/being-changed', 'Another program is changing the users.', { cause });
  });
  try {
    const whole = await readEntries(file);
    const text = `${JSON.stringify({ ...whole, users: await change(whole.users) }, null, 2)}\n`;
    requireValid(text, file);
    await handle.writeFile(text);
    await handle.sync();
    await rename(next, file);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

function requireValid(text: string, file: string): void {
  try {
    readUsers(text, file);
  } catch (cause) {
    throw new UserError('users/invalid', 'There can be no such user.', { cause });
  }
}

function requireKnown(users: readonly Entry[], name: string): void {
  if (!users.some(hasName(name))) throw new UserError('users/unknown', `There is no user ${name}.`);
}

/**
 * Changes who may sign in at a gateway, running or not. What is refused leaves the file as it was.
 *
 * @throws {@link UserError}
 * @example await changeUsers(file).add({ name: 'm.okafor', roles: ['provider'], password });
 */
export function changeUsers(file: string) {
  return {
    add: async (user: NewUser): Promise<void> => {
      const { password, ...entry } = user;
      const passwordHash = await hashed(password);
      await rewrite(file, (users) => {
        if (users.some(hasName(user.name))) throw new UserError('users/taken', 'There is such a user.');
        return [...users, { ...entry, subject: randomUUID(), passwordHash }];
      });
    },
    /** Sessions and tokens that the user has stay good until they end. */
    setPassword: async (name: string, password: string): Promise<void> => {
      const passwordHash = await hashed(password);
      await rewrite(file, (users) => {
        requireKnown(users, name);
        return users.map((entry) => (hasName(name)(entry) ? { ...entry, passwordHash } : entry));
      });
    },
    /** The user is out at the next request, whatever tokens are about. */
    remove: (name: string): Promise<void> =>
      rewrite(file, (users) => {
        requireKnown(users, name);
        return users.filter((entry) => !hasName(name)(entry));
      }),
  } as const;
}
