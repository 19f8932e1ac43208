import { utf8 } from '@careledger/primitives';
import type { Keystore } from '../keystore/index.ts';
import { keyNamesOf, sealRecord } from './record-envelope.ts';
import type { Vault } from './vault.ts';
import type { RecordKey, VaultTransaction } from './vault-rows.ts';

/** Opens each version of a record and seals it for other subjects; the old data keys are deleted. */
export async function resealVersions(
  tx: VaultTransaction,
  options: {
    readonly vault: Pick<Vault, 'openRows'>;
    readonly keystore: Keystore;
    readonly key: RecordKey;
    readonly subjectsOf: (before: readonly string[]) => readonly string[];
  },
): Promise<void> {
  const { vault, keystore, key } = options;
  const rows = await tx
    .selectFrom('version')
    .selectAll()
    .where('type', '=', key.type)
    .where('id', '=', key.id)
    .orderBy('version')
    .execute();
  for (const version of await vault.openRows(rows, tx)) {
    const { seq, text, salt, retireSecret, issues, document } = version;
    const subjects = options.subjectsOf(version.subjects);
    await keystore.ensure(keyNamesOf(subjects));
    const { envelope, keys } = sealRecord(keystore, version, {
      ...{ text: utf8(text), salt, retireSecret, subjects },
      ...(issues === undefined ? {} : { issues }),
      ...(document ? { document } : {}),
    });
    await tx.updateTable('version').set({ envelope }).where('seq', '=', seq).execute();
    await tx.deleteFrom('version_key').where('seq', '=', seq).execute();
    const wrapped = keys.map((each) => ({ seq, key_name: each.keyName, wrapped: each.wrapped }));
    await tx.insertInto('version_key').values(wrapped).execute();
  }
}
