import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex, utf8, verifySignature } from '@careledger/primitives';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  decrypt,
  encrypt,
  type KeyEvent,
  type KeyName,
  LEDGER_SIGNING_KEY,
  ORGANIZATION_KEY,
  openFileKeystore,
  SEALED_ENTRIES_KEY,
  SEARCH_INDEX_KEY,
  sealTo,
  subjectKey,
} from './index.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'careledger-keystore-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const passphrase = { kind: 'passphrase', passphrase: 'correct horse battery staple' } as const;
const secretFile = () => ({ kind: 'key-file', path: join(folder, 'secret.key') }) as const;
const context = utf8('Patient/1/1');

describe('CRY-02: encryption is authenticated', () => {
  it('what was encrypted is decrypted under the same key and associated data alone', () => {
    const key = new Uint8Array(32).fill(1);
    const sealed = encrypt(key, utf8('a record'), context);
    expect(decrypt(key, sealed, context)).toEqual(utf8('a record'));
    expect(decrypt(new Uint8Array(32).fill(2), sealed, context)).toBeUndefined();
    expect(decrypt(key, sealed, utf8('Patient/2/1'))).toBeUndefined();
  });

  it('every single flipped bit is found, and so is every cut', () => {
    const key = new Uint8Array(32).fill(1);
    const sealed = encrypt(key, utf8('a record'), context);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const altered = sealed.slice();
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decrypt(key, altered, context)).toBeUndefined();
    }
    for (let length = 0; length < sealed.length; length += 1) {
      expect(decrypt(key, sealed.subarray(0, length), context)).toBeUndefined();
    }
  });

  it('equal plaintexts never encrypt alike', () => {
    const key = new Uint8Array(32).fill(1);
    const seen = new Set(Array.from({ length: 100 }, () => toHex(encrypt(key, utf8('x'), context))));
    expect(seen.size).toBe(100);
  });
});

describe.each([
  ['a passphrase', () => passphrase],
  ['a key file', secretFile],
] as const)('a keystore under %s', (_name, secret) => {
  it('keeps its keys across restarts', async () => {
    const first = await openFileKeystore({ folder, secret: secret() });
    await first.ensure([subjectKey('1'), ORGANIZATION_KEY, LEDGER_SIGNING_KEY, SEALED_ENTRIES_KEY]);
    const wrapped = first.wrap(subjectKey('1'), utf8('data key'), context);
    const sealed = sealTo(first.sealedBox(SEALED_ENTRIES_KEY).publicKey, utf8('hello'));
    const { publicKey } = first.signer(LEDGER_SIGNING_KEY);
    await first.close();
    const second = await openFileKeystore({ folder, secret: secret() });
    expect(second.unwrap(subjectKey('1'), wrapped, context)).toEqual(utf8('data key'));
    expect(second.sealedBox(SEALED_ENTRIES_KEY).open(sealed)).toEqual(utf8('hello'));
    const signer = second.signer(LEDGER_SIGNING_KEY);
    expect(signer.publicKey).toEqual(publicKey);
    const message = utf8('m');
    expect(verifySignature({ publicKey, message, signature: signer.sign(message) })).toBe(true);
    await second.close();
  });

  it('says that it is development-grade', async () => {
    const keystore = await openFileKeystore({ folder, secret: secret() });
    expect(keystore.describe()).toMatchObject({ kind: 'file', grade: 'development' });
    await keystore.close();
  });
});

describe('a keystore file', () => {
  it('opens with its secret alone', async () => {
    await (await openFileKeystore({ folder, secret: passphrase })).close();
    const wrong = { kind: 'passphrase', passphrase: 'wrong' } as const;
    await expect(openFileKeystore({ folder, secret: wrong })).rejects.toMatchObject({
      code: 'keystore/wrong-secret',
    });
    await expect(openFileKeystore({ folder, secret: secretFile() })).rejects.toMatchObject({
      code: 'keystore/wrong-secret',
    });
  });

  it('is readable by its owner alone, and a key file that others may read is refused', async () => {
    await (await openFileKeystore({ folder, secret: secretFile() })).close();
    expect((await stat(join(folder, 'keys.log'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'secret.key'))).mode & 0o777).toBe(0o600);
    await chmod(join(folder, 'secret.key'), 0o644);
    await expect(openFileKeystore({ folder, secret: secretFile() })).rejects.toMatchObject({
      code: 'keystore/open-to-others',
    });
  });

  it('holds no key in clear, no patient id, and nothing of an erased key', async () => {
    const keystore = await openFileKeystore({ folder, secret: secretFile() });
    await keystore.ensure([subjectKey('patient-one'), subjectKey('patient-two')]);
    const before = (await readFile(join(folder, 'keys.log'))).length;
    const wrapped = keystore.wrap(subjectKey('patient-one'), utf8('k'), context);
    await keystore.erase([subjectKey('patient-one')]);
    expect(() => keystore.unwrap(subjectKey('patient-one'), wrapped, context)).toThrow('no such');
    const bytes = await readFile(join(folder, 'keys.log'));
    expect(bytes.length).toBeLessThan(before);
    expect(bytes.includes('patient-')).toBe(false);
    await keystore.close();
    const again = await openFileKeystore({ folder, secret: secretFile() });
    expect([again.has(subjectKey('patient-one')), again.has(subjectKey('patient-two'))]).toEqual([
      false,
      true,
    ]);
    await again.close();
  });

  it('a torn last record is dropped, an altered one before it is named', async () => {
    const path = join(folder, 'keys.log');
    const keystore = await openFileKeystore({ folder, secret: secretFile() });
    await keystore.ensure([subjectKey('1')]);
    const one = await readFile(path);
    await keystore.ensure([subjectKey('2')]);
    await keystore.close();
    const two = await readFile(path);
    for (const cut of [one.length, one.length + 3, one.length + 40, two.length - 1]) {
      await writeFile(path, two.subarray(0, cut), { mode: 0o600 });
      const torn = await openFileKeystore({ folder, secret: secretFile() });
      expect([torn.has(subjectKey('1')), torn.has(subjectKey('2'))]).toEqual([true, false]);
      await torn.ensure([subjectKey('3')]);
      await torn.close();
      const after = await openFileKeystore({ folder, secret: secretFile() });
      expect(after.has(subjectKey('3'))).toBe(true);
      await after.close();
    }
    const altered = Buffer.from(two);
    altered[one.length - 5] = (altered[one.length - 5] ?? 0) ^ 1;
    await writeFile(path, altered, { mode: 0o600 });
    await expect(openFileKeystore({ folder, secret: secretFile() })).rejects.toMatchObject({
      code: 'keystore/altered',
      message: 'record 0 of the keystore is altered',
    });
  });

  it('takes thousands of new patients', async () => {
    const keystore = await openFileKeystore({ folder, secret: secretFile() });
    const names = Array.from({ length: 5_000 }, (_, index) => subjectKey(String(index)));
    await keystore.ensure(names);
    await Promise.all(names.slice(0, 20).map((name) => keystore.ensure([name, subjectKey(`${name}-more`)])));
    await keystore.close();
    const again = await openFileKeystore({ folder, secret: secretFile() });
    expect(names.every((name) => again.has(name))).toBe(true);
    await again.close();
  });
});

it('every use of a key is an event that names the key by its own random id', async () => {
  const events: KeyEvent[] = [];
  const keystore = await openFileKeystore({
    folder,
    secret: secretFile(),
    audit: (event) => events.push(event),
  });
  await keystore.ensure([subjectKey('patient-one'), SEARCH_INDEX_KEY, LEDGER_SIGNING_KEY]);
  const wrapped = keystore.wrap(subjectKey('patient-one'), utf8('k'), context);
  keystore.unwrap(subjectKey('patient-one'), wrapped, context);
  keystore.mac(SEARCH_INDEX_KEY);
  keystore.signer(LEDGER_SIGNING_KEY).sign(utf8('m'));
  await keystore.erase([subjectKey('patient-one')]);
  expect(events.map(({ operation }) => operation)).toEqual([
    'make',
    'make',
    'make',
    'wrap',
    'unwrap',
    'mac',
    'sign',
    'erase',
  ]);
  expect(JSON.stringify(events)).not.toContain('patient-one');
  await keystore.close();
});

it('a key serves one purpose', async () => {
  const keystore = await openFileKeystore({ folder, secret: secretFile() });
  await keystore.ensure([ORGANIZATION_KEY]);
  expect(() => keystore.signer(ORGANIZATION_KEY)).toThrow('not for signing');
  await expect(keystore.ensure(['banana/1' as KeyName])).rejects.toMatchObject({ code: 'keystore/purpose' });
  await keystore.close();
});
