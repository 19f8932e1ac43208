import { readFile, stat } from 'node:fs/promises';
import { isRole } from '../roles.ts';
import type { UserStanding } from '../user-caller.ts';
import { isPasswordHash } from './passwords.ts';

/** One person who may sign in here. */
export interface RegisteredUser extends UserStanding {
  /** What is typed on the sign-in page. */
  readonly name: string;
  readonly passwordHash: string;
  /** The user's own Practitioner or RelatedPerson here; a patient's is the Patient. */
  readonly fhirUser?: string;
}

/** Who may sign in. Asked anew at every request: who is taken out is out at once. */
export interface UserRegistry {
  readonly findByName: (name: string) => Promise<RegisteredUser | undefined>;
  readonly findBySubject: (subject: string) => Promise<RegisteredUser | undefined>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,95}$/;
const SUBJECT = /^[A-Za-z0-9][A-Za-z0-9-]{7,63}$/;
const REFERENCE = /^(Practitioner|PractitionerRole|RelatedPerson|Patient|Person)\/[A-Za-z0-9.-]{1,64}$/;
const FHIR_ID = /^[A-Za-z0-9.-]{1,64}$/;

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws Error naming the place, never what stands there. */
function readUser(entry: unknown, place: string): RegisteredUser | undefined {
  const wrong = (what: string): never => {
    throw new Error(`${place}: ${what}`);
  };
  if (!isObject(entry)) return wrong('is not an object');
  const { name, subject, roles, passwordHash, patient, fhirUser, disabled } = entry;
  if (disabled !== undefined && typeof disabled !== 'boolean') return wrong('disabled is not true or false');
  if (disabled === true) return undefined;
  if (typeof name !== 'string' || !NAME.test(name)) return wrong('name is not of the agreed form');
  if (typeof subject !== 'string' || !SUBJECT.test(subject))
    return wrong('subject is not of the agreed form');
  if (!isPasswordHash(passwordHash)) return wrong('passwordHash is not one');
  if (!Array.isArray(roles) || !roles.every(isRole)) return wrong('roles names a role that is none');
  const isPatient = roles.includes('patient');
  if (isPatient !== (patient !== undefined))
    return wrong('the role patient and a Patient id belong together');
  if (patient !== undefined && (typeof patient !== 'string' || !FHIR_ID.test(patient))) {
    return wrong('patient is not a resource id');
  }
  if (fhirUser !== undefined && (typeof fhirUser !== 'string' || !REFERENCE.test(fhirUser))) {
    return wrong('fhirUser is not a reference');
  }
  return {
    ...{ name, subject, roles, passwordHash },
    ...(typeof patient === 'string' ? { patient, fhirUser: `Patient/${patient}` } : {}),
    ...(typeof fhirUser === 'string' ? { fhirUser } : {}),
  };
}

/** Reads a users file: `{"users": [{name, subject, roles, passwordHash, patient?, fhirUser?, disabled?}, ...]}`. */
export function readUsers(text: string, file: string): readonly RegisteredUser[] {
  const parsed: unknown = JSON.parse(text);
  if (!isObject(parsed) || !Array.isArray(parsed.users)) throw new Error(`${file}: users is not a list`);
  const users = parsed.users
    .map((entry, place) => readUser(entry, `${file}: user ${place}`))
    .filter((user) => user !== undefined);
  for (const key of ['name', 'subject'] as const) {
    const words = users.map((user) => user[key].toLowerCase());
    if (new Set(words).size !== words.length) throw new Error(`${file}: two users have the same ${key}`);
  }
  return users;
}

/** A registry over a fixed list. Names are the same in capitals and small letters. */
export function userRegistry(users: readonly RegisteredUser[]): UserRegistry {
  const byName = new Map(users.map((user) => [user.name.toLowerCase(), user]));
  const bySubject = new Map(users.map((user) => [user.subject, user]));
  return {
    findByName: async (name) => byName.get(name.toLowerCase()),
    findBySubject: async (subject) => bySubject.get(subject),
  };
}

/**
 * The users of a file, which is read again whenever it changes. Without a file nobody signs in; with a broken one
 * nobody does either, and the fault is thrown.
 */
export function fileUserRegistry(file: string): UserRegistry {
  let version = '';
  let registry = userRegistry([]);
  const refreshed = async (): Promise<UserRegistry> => {
    const found = await stat(file).catch(() => undefined);
    const seen = found ? `${found.ino}-${found.size}-${found.mtimeMs}` : '';
    if (seen === version) return registry;
    registry = userRegistry(found ? readUsers(await readFile(file, 'utf8'), file) : []);
    version = seen;
    return registry;
  };
  return {
    findByName: async (name) => (await refreshed()).findByName(name),
    findBySubject: async (subject) => (await refreshed()).findBySubject(subject),
  };
}
