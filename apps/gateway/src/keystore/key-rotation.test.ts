import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@careledger/primitives';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  EPOCH_BACKUPS_MS,
  EPOCH_MS_MAX,
  LEDGER_SIGNING_KEY,
  ORGANIZATION_KEY,
  openFileKeystore,
  restoreKeystore,
  subjectKey,
} from './index.ts';

let home: string;
let clock: number;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'careledger-keystore-'));
  clock = 1_700_000_000_000;
});
afterEach(() => rm(home, { recursive: true, force: true }));

const context = utf8('Patient/1/1');
const keyFile = () => ({ kind: 'key-file', path: join(home, 'secret.key') }) as const;
const passphrase = (text: string) => ({ kind: 'passphrase', passphrase: text }) as const;
const folder = () => join(home, 'keystore');
const epochs = () => join(home, 'backup-epochs');
const open = (secret: Parameters<typeof openFileKeystore>[0]['secret'] = keyFile(), wrapsMax?: number) =>
  openFileKeystore({
    ...{ folder: folder(), epochs: epochs(), secret, now: () => clock },
    ...(wrapsMax === undefined ? {} : { wrapsMax }),
  });

describe('CRY-02: a key is rotated', () => {
  it('wraps under the new one, opens what the old one wrapped, and no more once that is retired', async () => {
    const keystore = await open();
    await keystore.ensure([subjectKey('1')]);
    const old = keystore.wrap(subjectKey('1'), utf8('data key'), context);
    await keystore.rotate([subjectKey('1')]);
    expect(keystore.rotating()).toEqual([subjectKey('1')]);
    expect(keystore.unwrap(subjectKey('1'), old, context)).toEqual(utf8('data key'));
    const renewed = keystore.rewrap(subjectKey('1'), old, context);
    if (typeof renewed === 'string') throw new Error(renewed);
    expect(keystore.rewrap(subjectKey('1'), renewed, context)).toBe('current');
    expect(keystore.rewrap(subjectKey('1'), renewed, utf8('Patient/2/1'))).toBe('altered');
    await keystore.retireOld([subjectKey('1')]);
    expect(keystore.rotating()).toEqual([]);
    expect(keystore.unwrap(subjectKey('1'), old, context)).toBeUndefined();
    expect(keystore.unwrap(subjectKey('1'), renewed, context)).toEqual(utf8('data key'));
    await keystore.close();
  });

  it('both versions outlive a restart in the midst of it', async () => {
    const keystore = await open();
    await keystore.ensure([subjectKey('1')]);
    const old = keystore.wrap(subjectKey('1'), utf8('data key'), context);
    await keystore.rotate([subjectKey('1')]);
    const fresh = keystore.wrap(subjectKey('1'), utf8('data key'), context);
    await keystore.close();
    const again = await open();
    expect(again.rotating()).toEqual([subjectKey('1')]);
    expect(again.rewrap(subjectKey('1'), fresh, context)).toBe('current');
    expect(again.unwrap(subjectKey('1'), old, context)).toEqual(utf8('data key'));
    // A second rotation while the first is under way would lose nothing and gain nothing: it is the same one.
    await again.rotate([subjectKey('1')]);
    expect(again.rewrap(subjectKey('1'), fresh, context)).toBe('current');
    await again.close();
  });

  it('a signing key is not: others know it by its public half', async () => {
    const keystore = await open();
    await keystore.ensure([LEDGER_SIGNING_KEY, ORGANIZATION_KEY]);
    await expect(keystore.rotate([LEDGER_SIGNING_KEY])).rejects.toMatchObject({ code: 'keystore/purpose' });
    expect(keystore.rotatable()).toEqual([ORGANIZATION_KEY]);
    await keystore.close();
  });

  it('and must be before it has wrapped more often than random nonces are safe', async () => {
    const keystore = await open(keyFile(), 3);
    await keystore.ensure([subjectKey('1')]);
    const wrap = () => keystore.wrap(subjectKey('1'), utf8('k'), context);
    for (let times = 0; times < 3; times += 1) wrap();
    expect(wrap).toThrow(expect.objectContaining({ code: 'keystore/worn' }));
    await keystore.rotate([subjectKey('1')]);
    expect(wrap).not.toThrow();
    await keystore.close();
  });
});

describe('the master key is rotated', () => {
  it.each([
    ['a key file', keyFile, keyFile],
    ['a passphrase', () => passphrase('old'), () => passphrase('new')],
    ['a key file for a passphrase', keyFile, () => passphrase('new')],
  ])('%s: online, and the old one opens nothing any more', async (_name, before, after) => {
    const keystore = await open(before());
    await keystore.ensure([subjectKey('1')]);
    const wrapped = keystore.wrap(subjectKey('1'), utf8('data key'), context);
    const old = await readFile(join(home, 'secret.key')).catch(() => undefined);
    await keystore.rotateMaster(after());
    await keystore.ensure([subjectKey('2')]);
    await keystore.close();
    const again = await open(after());
    expect(again.unwrap(subjectKey('1'), wrapped, context)).toEqual(utf8('data key'));
    expect(again.has(subjectKey('2'))).toBe(true);
    await again.close();
    if (old) await writeFile(join(home, 'secret.key'), old, { mode: 0o600 });
    await expect(open(before())).rejects.toMatchObject({ code: 'keystore/wrong-secret' });
    expect((await readdir(home)).filter((name) => name.includes('rotation'))).toEqual([]);
  });

  it('a crash on either side of the step leaves a keystore that opens, and no second key file', async () => {
    const keystore = await open();
    await keystore.ensure([subjectKey('1')]);
    const key = join(home, 'secret.key');
    await copyFile(key, join(home, 'old.key'));
    await copyFile(join(folder(), 'keys.log'), join(home, 'old.log'));
    await keystore.rotateMaster(keyFile());
    await keystore.close();
    await copyFile(key, join(home, 'new.key'));
    // After the step: the file is under the new key, the new key not yet in place.
    await copyFile(join(home, 'new.key'), `${key}.rotation`);
    await copyFile(join(home, 'old.key'), key);
    const after = await open();
    expect(after.has(subjectKey('1'))).toBe(true);
    await after.close();
    expect(await readFile(key)).toEqual(await readFile(join(home, 'new.key')));
    // Before the step: the new key is written, the file still under the old one.
    await copyFile(join(home, 'new.key'), `${key}.rotation`);
    await copyFile(join(home, 'old.key'), key);
    await copyFile(join(home, 'old.log'), join(folder(), 'keys.log'));
    const before = await open();
    expect(before.has(subjectKey('1'))).toBe(true);
    await before.close();
    expect((await readdir(home)).filter((name) => name.includes('rotation'))).toEqual([]);
  });
});

describe('backups of the keystore', () => {
  const backup = () => join(home, 'keys.backup');
  const restore = () =>
    restoreKeystore({
      ...{ backup: backup(), folder: join(home, 'restored'), epochs: epochs(), now: () => clock },
      secret: passphrase('another machine'),
    });

  it('bring every key back under another secret, while their epoch lasts', async () => {
    const keystore = await open();
    await keystore.ensure([subjectKey('1'), LEDGER_SIGNING_KEY]);
    const wrapped = keystore.wrap(subjectKey('1'), utf8('data key'), context);
    const { opensUntil } = await keystore.backUp(backup());
    expect(opensUntil).toBe(clock + EPOCH_MS_MAX);
    await keystore.close();
    clock += EPOCH_MS_MAX - 1;
    expect(await restore()).toMatchObject({ keys: 2, leftOut: 0 });
    const secret = passphrase('another machine');
    const restored = await openFileKeystore({ folder: join(home, 'restored'), secret });
    expect(restored.unwrap(subjectKey('1'), wrapped, context)).toEqual(utf8('data key'));
    await restored.close();
    await expect(restore()).rejects.toMatchObject({ code: 'keystore/exists' });
  });

  it('open no more when their epoch is over: its key is destroyed, and the refusal says so', async () => {
    const keystore = await open();
    await keystore.ensure([subjectKey('1')]);
    await keystore.backUp(backup());
    await keystore.close();
    clock += EPOCH_MS_MAX;
    await expect(restore()).rejects.toMatchObject({ code: 'keystore/epoch-gone' });
    expect(await readdir(epochs())).toEqual([]);
  });

  it('a new epoch begins each day, so that a backup lasts for six days at least', async () => {
    const keystore = await open();
    await keystore.ensure([subjectKey('1')]);
    clock += EPOCH_BACKUPS_MS - 1;
    const first = await keystore.backUp(backup());
    clock += EPOCH_BACKUPS_MS;
    const second = await keystore.backUp(backup());
    expect(second.opensUntil).toBeGreaterThan(first.opensUntil);
    expect(second.opensUntil - clock).toBeGreaterThanOrEqual(EPOCH_MS_MAX - EPOCH_BACKUPS_MS);
    await keystore.close();
  });

  it('do not bring back what was erased since', async () => {
    const keystore = await open();
    await keystore.ensure([subjectKey('1'), subjectKey('2')]);
    await keystore.backUp(backup());
    await keystore.erase([subjectKey('1')]);
    await keystore.close();
    expect(await restore()).toMatchObject({ keys: 1, leftOut: 1 });
  });

  it('hold no key and no patient’s id in clear, and no altered one is believed', async () => {
    const keystore = await open();
    await keystore.ensure([subjectKey('patient-one')]);
    await keystore.backUp(backup());
    await keystore.close();
    const bytes = await readFile(backup());
    expect(bytes.includes('patient-one')).toBe(false);
    const at = bytes.length - 20;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(backup(), bytes);
    await expect(restore()).rejects.toMatchObject({ code: 'keystore/backup-altered' });
  });
});
