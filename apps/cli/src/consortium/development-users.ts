import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hashPassword, type RegisteredClient, ROLES } from '@careledger/gateway';
import { type OrganizationId, organizationId } from '@careledger/primitives';
import { homePaths } from './member-config.ts';

/** The file with the passwords, in the data folder: for its owner's eyes alone. */
export const PASSWORDS_FILE = 'development-passwords.txt';

const OWNER_ONLY = 0o600;
const PASSWORD_BYTES = 12;
const PATIENT_ROLE = 'patient';

/** Where a SMART app that somebody tries out here takes its answers. */
const APP_ORIGIN = 'http://localhost:3000';

interface UserEntry {
  readonly name: string;
  readonly subject: string;
  readonly roles: readonly string[];
  readonly passwordHash: string;
  readonly patient?: string;
}

function writeUsers(home: string, users: readonly UserEntry[]): void {
  const file = homePaths(home).users;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify({ users }, null, 2)}\n`, { mode: OWNER_ONLY });
  renameSync(`${file}.new`, file);
}

/**
 * Makes one user for each role of a member, named like the role, all with one random password. For development alone: a
 * real member's users have their own.
 *
 * @returns The password.
 */
export async function createDevelopmentUsers(home: string): Promise<string> {
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  const passwordHash = await hashPassword(password);
  const roles = ROLES.filter((role) => role !== PATIENT_ROLE);
  writeUsers(
    home,
    roles.map((role) => ({ name: role, subject: randomUUID(), roles: [role], passwordHash })),
  );
  return password;
}

/** Lets the user `patient` sign in as this Patient, with the password of the member's other users. Once is enough. */
export function addDevelopmentPatient(home: string, patient: string): void {
  // A data folder of an earlier version has no users.
  if (!existsSync(homePaths(home).users)) return;
  const { users } = JSON.parse(readFileSync(homePaths(home).users, 'utf8')) as {
    readonly users: UserEntry[];
  };
  const others = users.filter(({ name }) => name !== PATIENT_ROLE);
  const [passwordHash] = others.map((user) => user.passwordHash);
  if (passwordHash === undefined) return;
  const user = { name: PATIENT_ROLE, subject: randomUUID(), roles: [PATIENT_ROLE], passwordHash, patient };
  writeUsers(home, [...others, user]);
}

/** Writes down which password is whose. */
export function writePasswords(folder: string, passwords: ReadonlyMap<string, string>): void {
  const lines = [...passwords].map(([organization, password]) => `${organization.padEnd(24)}${password}`);
  const text = [
    'Development only. One password for all users of an organization; the users are named like their roles:',
    `${ROLES.join(', ')}.`,
    `The user "${PATIENT_ROLE}" exists at the organization whose patient consented in the main job.`,
    '',
    ...lines,
    '',
  ];
  writeFileSync(join(folder, PASSWORDS_FILE), text.join('\n'), { mode: OWNER_ONLY });
}

/** A public SMART app on this machine, for who wants to try one: `development-app`. */
export function developmentApp(organization: OrganizationId): RegisteredClient {
  return {
    clientId: 'development-app',
    kind: 'app',
    organization: organizationId(organization),
    publicKeys: [],
    scopes: [
      ...['openid', 'fhirUser', 'profile', 'launch', 'launch/patient', 'launch/encounter'],
      ...['online_access', 'offline_access', 'patient/*.cruds', 'user/*.cruds'],
    ],
    certificates: [],
    app: {
      title: 'An app in development on this machine',
      redirectUris: [`${APP_ORIGIN}/`, `${APP_ORIGIN}/app`],
      origins: [APP_ORIGIN],
    },
  };
}
