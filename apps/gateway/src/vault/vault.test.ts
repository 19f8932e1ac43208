import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { filesBelow, observationText, PATIENT, TestWorld } from '../fhir/testing.ts';
import { IndexStore } from '../index-store/index.ts';
import { subjectKey } from '../keystore/index.ts';
import { Vault, verifyVault } from './index.ts';

const open: TestWorld[] = [];
async function world(options: Parameters<typeof TestWorld.open>[0] = {}): Promise<TestWorld> {
  const opened = await TestWorld.open(options);
  open.push(opened);
  return opened;
}
afterEach(async () => {
  for (const each of open.splice(0)) await each.remove().catch(() => {});
});

/** Things that only the patient’s record says. */
const CANARIES = [
  'Zvonimirovich',
  'Quentina',
  '84736251',
  '1971-03-29',
  '2345-7',
  'mmol/L',
  'note of the canary',
];

/** How a canary could stand in a file. */
function forms(canary: string): readonly string[] {
  const bytes = Buffer.from(canary);
  return [canary, canary.toLowerCase(), bytes.toString('hex'), bytes.toString('base64').replace(/=+$/, '')];
}

async function filled(at: TestWorld): Promise<{ patient: string; observation: string }> {
  await at.outbox.start();
  const patient = await at.create(PATIENT);
  const text = observationText(patient, ',"note":[{"text":"note of the canary"}]');
  const observation = await at.create(JSON.parse(text));
  await at.request('PUT', `Observation/${observation}`, {
    body: { ...JSON.parse(text), id: observation, status: 'amended' },
  });
  await at.request('GET', 'Patient?family=Zvonimirovich');
  await at.outbox.settled();
  return { patient, observation };
}

describe('OFF-04: patients’ data stays in the vault, encrypted', () => {
  it('no plaintext in any file of the home, in no form: not in rows, not in logs of the database, not in the index', async () => {
    const at = await world();
    await filled(at);
    const seen = await filesBelow(at.home);
    expect(seen.map(({ path }) => path).some((path) => path.endsWith('-wal'))).toBe(true);
    await at.close();
    for (const { path, bytes } of [...seen, ...(await filesBelow(at.home))]) {
      for (const form of CANARIES.flatMap(forms)) {
        expect(bytes.includes(form), `${form} in ${path}`).toBe(false);
      }
    }
  });

  it('nothing of a record is on the ledger', async () => {
    const at = await world();
    await filled(at);
    for (let height = 1; height <= at.ledger.head().header.height; height += 1) {
      for (const transaction of at.ledger.block(height)?.transactions ?? []) {
        for (const form of CANARIES.flatMap(forms)) {
          expect(Buffer.from(transaction).includes(form)).toBe(false);
        }
      }
    }
  });
});

/** Changes rows behind the vault’s back. */
function tamper(at: TestWorld, sql: string): void {
  const database = new DatabaseSync(join(at.home, 'vault', 'vault.sqlite'));
  database.exec('pragma foreign_keys = off');
  database.exec(sql);
  database.close();
}

describe('OFF-08: an altered vault record is found and named', () => {
  it('an untouched vault has no fault', async () => {
    const at = await world();
    await filled(at);
    expect(await verifyVault(at.vault)).toEqual({ versions: 3, records: 2, erased: 0, faults: [] });
  });

  const target = `where type = 'Observation' and version = 1`;
  const flip = (column: string): string =>
    `update version set ${column} = cast(substr(${column}, 1, 20) || case substr(${column}, 21, 1) when x'00' then x'01' else x'00' end || substr(${column}, 22) as blob) ${target}`;

  it.each([
    ['its envelope', flip('envelope'), 'envelope'],
    ['its leaf', flip('leaf'), 'leaf hash'],
    ['its time', `update version set time = time + 1 ${target}`, 'data key'],
    ['its deletion mark', `update version set deleted = 1 ${target}`, 'data key'],
    ['its author', `update version set actor = 'somebody/else' ${target}`, 'data key'],
    ['its validation result', `update version set validation = 'flagged' ${target}`, 'data key'],
    ['its wrapped key', `update version_key set wrapped = zeroblob(60) where seq = 2`, 'data key'],
    ['a proof that is none', `update version set leaf_proof = x'00' ${target}`, 'leaf proof'],
    [
      'its proof',
      `update version set leaf_proof = x'a36470617468815820${'00'.repeat(32)}6473697a650265696e64657800' ${target}`,
      'leaf proof',
    ],
    [
      'the row of another version',
      `update version set envelope = (select envelope from version where type = 'Observation' and version = 2) ${target}`,
      'envelope',
    ],
    ['its subjects', `update version_key set key_name = 'organization' where seq = 2`, 'data key'],
    ['its place among the versions', `update version set current = 1 ${target}`, 'current'],
    ['the row itself, taken out', `delete from version ${target}`, 'row missing'],
    ['the newest row, taken out', `delete from version where seq = 3`, 'row missing'],
  ])('%s', async (_name, sql, fault) => {
    const at = await world();
    const { observation } = await filled(at);
    tamper(at, sql);
    const { faults } = await verifyVault(at.vault);
    expect(faults.map((each) => each.fault)).toContain(fault);
    const named = faults.find((each) => each.fault === fault)?.record ?? '';
    expect(named).toMatch(new RegExp(`^Observation/${observation}|^place \\d of the vault`));
  });

  it('an altered record is not served: the read fails, and the answer says nothing of it', async () => {
    const at = await world();
    const { observation } = await filled(at);
    tamper(at, flip('envelope').replace('version = 1', 'version = 2'));
    const answer = await at.request('GET', `Observation/${observation}`);
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain(observation);
    expect(at.faults).toMatchObject([{ code: 'vault/altered' }]);
  });
});

describe('keys', () => {
  it('CRY-02: each version has a data key of its own, opened by its subject’s key and by no other', async () => {
    const at = await world();
    const { patient } = await filled(at);
    const other = await at.create(PATIENT);
    const keys = await at.vault.reader.selectFrom('version_key').selectAll().execute();
    expect(new Set(keys.map(({ wrapped }) => Buffer.from(wrapped).toString('hex'))).size).toBe(keys.length);
    const names = new Set(keys.map(({ key_name }) => key_name));
    expect(names).toEqual(new Set([`subject/${patient}`, `subject/${other}`]));
    await at.keystore.erase([subjectKey(patient)]);
    expect((await at.request('GET', `Patient/${patient}`)).status).toBe(410);
    expect((await at.request('GET', `Patient/${other}`)).status).toBe(200);
    expect(await verifyVault(at.vault)).toMatchObject({ erased: 3, faults: [] });
  });

  it('a resource about nobody is under the organization’s key', async () => {
    const at = await world();
    await at.create({ resourceType: 'Organization', name: 'General Hospital' });
    const keys = await at.vault.reader.selectFrom('version_key').select('key_name').execute();
    expect(keys).toEqual([{ key_name: 'organization' }]);
  });

  it('a vault of another organization is refused', async () => {
    const at = await world();
    const { organizationId } = await import('@careledger/primitives');
    const organization = organizationId('city-clinic');
    const folder = join(at.home, 'vault');
    await expect(Vault.open({ folder, organization, keystore: at.keystore })).rejects.toMatchObject({
      code: 'vault/other-organization',
    });
  });

  it('a vault of a newer version is refused', async () => {
    const at = await world();
    await at.vault.close();
    tamper(at, `insert into kysely_migration values ('0009-future', '2030-01-01')`);
    const { organization } = at.vault;
    const folder = join(at.home, 'vault');
    await expect(Vault.open({ folder, organization, keystore: at.keystore })).rejects.toMatchObject({
      code: 'vault/other-version',
    });
  });
});

describe('the search index is derived', () => {
  it('missing, it is rebuilt; behind, it catches up', async () => {
    const at = await world();
    const { patient } = await filled(at);
    await at.close();
    open.splice(0);
    await rm(join(at.home, 'search-index'), { recursive: true });
    const again = await world({ home: at.home, ledger: at.ledger });
    const found = await again.request('GET', `Observation?patient=${patient}&status=amended`);
    expect(found.json.total).toBe(1);
    expect((await again.request('GET', 'Patient?family=zvon')).json.total).toBe(1);
    const index = await IndexStore.open(join(again.home, 'search-index'));
    expect(await index.appliedSeq()).toBe(await again.vault.lastSeq());
    await index.close();
  });
});

it('a write that fails on the way leaves nothing: neither version nor outbox row nor index entry', async () => {
  const at = await world();
  await expect(
    at.store.transaction(async (transaction) => {
      await transaction.write(PATIENT as never, { id: crypto.randomUUID(), actor: 'test' });
      throw new Error('disk full');
    }),
  ).rejects.toThrow('disk full');
  expect(await at.vault.lastSeq()).toBe(0);
  expect((await at.outbox.metrics()).waiting).toBe(0);
  expect((await at.request('GET', 'Patient')).json.total).toBe(0);
});
