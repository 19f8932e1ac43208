import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ADDRESS_FAILURES_MAX, FAILURE_WINDOW_SECONDS, NAME_FAILURES_MAX } from '../limits.ts';
import { AuthorizationStore } from '../store/authorization-store.ts';
import { OidcAdapter } from '../store/oidc-adapter.ts';
import { checkPassword, hashPassword } from './passwords.ts';
import { signIn } from './sign-in.ts';
import { fileUserRegistry, userRegistry } from './users.ts';

const PASSWORD = 'correct horse battery staple';
let passwordHash: string;
let store: AuthorizationStore;
let offset = 0;

beforeAll(async () => {
  passwordHash = await hashPassword(PASSWORD);
});
beforeEach(async () => {
  offset = 0;
  store = await AuthorizationStore.open(undefined, () => Date.now() + offset);
});

async function attempt(name: string, password: string, address = '10.0.0.1'): Promise<string> {
  const users = userRegistry([{ name: 'Doctor', subject: 'subject-1', roles: ['provider'], passwordHash }]);
  return (await signIn({ users, store }, { name, password, address })).outcome;
}

async function attemptOften(times: number, name: string): Promise<void> {
  for (let index = 0; index < times; index += 1) await store.addFailure(name);
}

describe('SEC-12: signing in', () => {
  it('takes the right password for a name in any letters', async () => {
    expect(await attempt('doctor', PASSWORD)).toBe('signed-in');
    expect(await attempt('DOCTOR', PASSWORD)).toBe('signed-in');
  });

  it('answers alike, and after as much work, for a wrong password and for a name that is nobody’s', async () => {
    expect(await attempt('doctor', 'wrong')).toBe('refused');
    expect(await attempt('nobody', PASSWORD)).toBe('refused');
    const timed = async (hash: string | undefined): Promise<number> => {
      const from = performance.now();
      await checkPassword('wrong', hash);
      return performance.now() - from;
    };
    // Less than a tenth would show that no key was derived; how alike they are is no matter for a shared machine.
    const [known, unknown] = [await timed(passwordHash), await timed(undefined)];
    expect(unknown).toBeGreaterThan(known / 10);
  });

  it('locks a name after too many failures, even for the right password, and only for a while', async () => {
    await attemptOften(NAME_FAILURES_MAX - 1, 'name doctor');
    expect(await attempt('doctor', PASSWORD)).toBe('signed-in');
    await attemptOften(NAME_FAILURES_MAX, 'name doctor');
    expect(await attempt('doctor', PASSWORD)).toBe('refused');
    expect(await store.failures('name doctor')).toBe(NAME_FAILURES_MAX);
    offset = (FAILURE_WINDOW_SECONDS + 1) * 1000;
    expect(await attempt('doctor', PASSWORD)).toBe('signed-in');
  });

  it('counts the failures of an address over all names', async () => {
    await attemptOften(ADDRESS_FAILURES_MAX, 'address 10.0.0.1');
    expect(await attempt('doctor', PASSWORD)).toBe('too-many');
    expect(await attempt('doctor', PASSWORD, '10.0.0.2')).toBe('signed-in');
  });

  it('does no more password checks at once than the machine has memory for', async () => {
    const verdicts = await Promise.all(Array.from({ length: 6 }, () => checkPassword('x', undefined)));
    expect(verdicts.toSorted()).toEqual(['busy', 'busy', 'wrong', 'wrong', 'wrong', 'wrong']);
  });

  it('never takes a password cut short, nor a hash that is none', async () => {
    expect(await checkPassword(PASSWORD, 'scrypt$99$8$1$x$y')).toBe('wrong');
    expect(await checkPassword(`${PASSWORD}${'x'.repeat(200)}`, passwordHash)).toBe('wrong');
  });
});

describe('the users file', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'careledger-users-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('is read again when it changes; who is disabled is nobody', async () => {
    const file = join(folder, 'users.json');
    const registry = fileUserRegistry(file);
    expect(await registry.findByName('doctor')).toBeUndefined();
    const user = { name: 'doctor', subject: 'subject-doctor', roles: ['provider'], passwordHash };
    await writeFile(file, JSON.stringify({ users: [user] }));
    expect(await registry.findByName('doctor')).toMatchObject({ roles: ['provider'] });
    await writeFile(file, JSON.stringify({ users: [{ ...user, disabled: true }] }));
    expect(await registry.findBySubject('subject-doctor')).toBeUndefined();
  });

  it.each([
    ['a role that is none', { roles: ['chief'] }],
    ['a password in clear', { passwordHash: 'secret' }],
    ['a patient without a record', { roles: ['patient'] }],
    ['a record without being a patient', { patient: 'p1' }],
    ['a subject that could be a name', { subject: 'Jane Doe' }],
  ])('with %s lets nobody in, and the fault quotes no value', async (_what, change) => {
    const file = join(folder, 'broken.json');
    const user = { name: 'doctor', subject: 'subject-doctor', roles: ['provider'], passwordHash, ...change };
    await writeFile(file, JSON.stringify({ users: [user] }));
    const failure = fileUserRegistry(file).findByName('doctor');
    await expect(failure).rejects.toThrow(/user 0/);
    await failure.catch((error: Error) => expect(error.message).not.toMatch(/chief|secret|Jane|p1/));
  });
});

describe('SEC-01: the authorization store', () => {
  it('keeps no bearer secret, and its folder is its owner’s', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'careledger-store-'));
    const opened = await AuthorizationStore.open(join(folder, 'authorization'), Date.now);
    const adapter = new OidcAdapter(opened, 'RefreshToken');
    await adapter.upsert('the-secret-value', { jti: 'the-secret-value', grantId: 'g1' }, 60);
    await opened.addLaunch('the-launch-value', { patient: 'p1' }, 60);
    expect(await adapter.find('the-secret-value')).toMatchObject({ jti: 'the-secret-value', grantId: 'g1' });
    const rows = await opened.db.selectFrom('oidc_entry').selectAll().execute();
    const launches = await opened.db.selectFrom('launch').selectAll().execute();
    expect(JSON.stringify([rows, launches])).not.toMatch(/the-secret-value|the-launch-value/);
    expect((await stat(join(folder, 'authorization'))).mode & 0o077).toBe(0);
    await opened.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('uses a code, a refresh token and a launch up once, also for two at the same time', async () => {
    const adapter = new OidcAdapter(store, 'AuthorizationCode');
    await adapter.upsert('code', { grantId: 'g1' }, 60);
    const uses = await Promise.allSettled([adapter.consume('code'), adapter.consume('code')]);
    expect(uses.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await store.addLaunch('launch', { patient: 'p1' }, 60);
    expect(
      (await Promise.all([store.consumeLaunch('launch'), store.consumeLaunch('launch')])).toSorted(),
    ).toEqual([false, true]);
  });

  it('hands out nothing that has expired, and deletes it', async () => {
    const adapter = new OidcAdapter(store, 'AccessToken');
    await adapter.upsert('token', { grantId: 'g1' }, 60);
    await store.addLaunch('launch', { patient: 'p1' }, 60);
    offset = 61_000;
    expect(await adapter.find('token')).toBeUndefined();
    expect(await store.findLaunch('launch')).toBeUndefined();
    await store.purge();
    expect(await store.db.selectFrom('oidc_entry').selectAll().execute()).toEqual([]);
    expect(await store.db.selectFrom('launch').selectAll().execute()).toEqual([]);
  });
});
