import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { utf8 } from '@careledger/primitives';
import { afterEach, describe, expect, it } from 'vitest';
import { observationText, PATIENT, TestWorld } from '../fhir/testing.ts';
import { ORGANIZATION_KEY, subjectKey } from '../keystore/index.ts';
import { KeyRotation, verifyVault } from './index.ts';

const open: TestWorld[] = [];
async function world(options: Parameters<typeof TestWorld.open>[0] = {}): Promise<TestWorld> {
  const opened = await TestWorld.open(options);
  open.push(opened);
  return opened;
}
afterEach(async () => {
  for (const each of open.splice(0)) await each.remove().catch(() => {});
});

async function filled(at: TestWorld): Promise<string> {
  const patient = await at.create(PATIENT);
  for (let count = 0; count < 3; count += 1) await at.create(JSON.parse(observationText(patient)));
  await at.create({ resourceType: 'Organization', name: 'General Hospital' });
  return patient;
}

const wrappedKeys = (at: TestWorld) =>
  at.vault.reader.selectFrom('version_key').selectAll().orderBy('seq').orderBy('key_name').execute();

describe('CRY-02: keys are rotated under the vault', () => {
  it('every data key is wrapped anew, every record still opens, and the old key is gone', async () => {
    const at = await world();
    const patient = await filled(at);
    const before = await wrappedKeys(at);
    const rotation = new KeyRotation(at);
    expect(await rotation.rotate()).toEqual({ rotated: 2, rewrapped: 5, unfinished: 0 });
    const after = await wrappedKeys(at);
    expect(after.map(({ wrapped }) => wrapped)).not.toEqual(before.map(({ wrapped }) => wrapped));
    expect(at.keystore.rotating()).toEqual([]);
    expect(await verifyVault(at.vault)).toMatchObject({ versions: 5, erased: 0, faults: [] });
    expect((await at.request('GET', `Patient/${patient}`)).status).toBe(200);
  });

  it('a crash in the midst of it is taken up: what was done stays, the rest follows', async () => {
    const at = await world();
    const patient = await filled(at);
    await at.keystore.rotate([subjectKey(patient), ORGANIZATION_KEY]);
    await at.vault.rewrapVersions(ORGANIZATION_KEY);
    await at.close();
    open.splice(0);
    const again = await world({ home: at.home, ledger: at.ledger });
    expect((await again.request('GET', `Patient/${patient}`)).status).toBe(200);
    expect(await new KeyRotation(again).resume()).toEqual({ rotated: 2, rewrapped: 4, unfinished: 0 });
    expect(await verifyVault(again.vault)).toMatchObject({ faults: [] });
  });

  it('writes go on meanwhile', async () => {
    const at = await world();
    const patient = await filled(at);
    const rotation = new KeyRotation(at);
    const writes = Array.from({ length: 20 }, () => at.create(JSON.parse(observationText(patient))));
    const reports = [rotation.rotate(), rotation.rotate()];
    await Promise.all([...writes, ...reports]);
    expect(at.keystore.rotating()).toEqual([]);
    expect(await verifyVault(at.vault)).toMatchObject({ versions: 25, erased: 0, faults: [] });
  });

  it('the old key stays while something under it opens with neither: that is found, not lost', async () => {
    const at = await world();
    const patient = await filled(at);
    const database = new DatabaseSync(join(at.home, 'vault', 'vault.sqlite'));
    database.exec(`update version_key set wrapped = zeroblob(60) where seq = 2`);
    database.close();
    expect(await new KeyRotation(at).rotate([subjectKey(patient)])).toMatchObject({
      rotated: 0,
      unfinished: 1,
    });
    expect(at.keystore.rotating()).toEqual([subjectKey(patient)]);
  });
});

describe('CRY-02: a wrapped key and an envelope fit one row alone', () => {
  it.each([
    [
      `update version_key set wrapped = (select wrapped from version_key where seq = 3) where seq = 2`,
      'data key',
    ],
    [`update version set envelope = (select envelope from version where seq = 3) where seq = 2`, 'envelope'],
    [
      `update version set envelope = (select envelope from version where seq = 3) where seq = 2;
       update version_key set wrapped = (select wrapped from version_key where seq = 3) where seq = 2`,
      'data key',
    ],
    [`update version set id = 'another' where seq = 2`, 'data key'],
    [`update version set version = 7 where seq = 2`, 'data key'],
    [`update version set type = 'Condition' where seq = 2`, 'data key'],
  ])('%s', async (sql, fault) => {
    const at = await world();
    await filled(at);
    const database = new DatabaseSync(join(at.home, 'vault', 'vault.sqlite'));
    database.exec(sql);
    database.close();
    const { faults } = await verifyVault(at.vault);
    expect(faults.map((each) => each.fault)).toContain(fault);
  });

  it('nor another organization’s', async () => {
    const at = await world();
    await filled(at);
    const other = await world();
    await filled(other);
    const [own] = await wrappedKeys(at);
    if (!own) throw new Error('no key');
    await other.keystore.ensure([subjectKey('x')]);
    expect(other.keystore.unwrap(subjectKey('x'), own.wrapped, utf8('any'))).toBeUndefined();
  });
});
