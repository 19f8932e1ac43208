import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex } from '@careledger/primitives';
import { decodeBackup } from './backup-epochs.ts';
import { KeystoreError } from './errors.ts';
import { epochsOf, type FileKeystoreOptions } from './file-keystore.ts';
import { KeyLog, readFileIfPresent } from './key-log.ts';
import { KEYS_FILE, recordCodec } from './key-records.ts';
import { newMasterKey } from './master-key.ts';

/** What a restore brought back. */
export interface RestoreReport {
  readonly keys: number;
  /** Keys that the backup holds and that were erased since: they stay erased. */
  readonly leftOut: number;
  readonly createdAt: number;
}

/**
 * Makes a keystore from a backup, under a secret that need not be the old one. Keys made since the backup are not in
 * it: what they protected cannot be read.
 *
 * @throws {@link KeystoreError} `keystore/epoch-gone`, `keystore/backup-altered`, `keystore/exists`.
 * @example await restoreKeystore({ backup: 'keys.backup', folder, epochs, secret });
 */
export async function restoreKeystore(
  options: FileKeystoreOptions & { readonly backup: string },
): Promise<RestoreReport> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const path = join(options.folder, KEYS_FILE);
  if (await readFileIfPresent(path))
    throw new KeystoreError('keystore/exists', 'a keystore stands in this folder');
  const file = await readFileIfPresent(options.backup);
  if (!file) throw new KeystoreError('keystore/backup-altered', 'there is no such backup');
  const epochs = epochsOf(options);
  const { records, createdAt } = await decodeBackup(file, (id) => epochs.find(id));
  const erased = await epochs.erased();
  const kept = records.filter((record) => !erased.has(toHex(recordCodec.decode(record).keyId)));
  const { master, header } = await newMasterKey(options.secret);
  await (await KeyLog.create(path, master, header, kept)).close();
  for (const record of kept) {
    const { keyId } = recordCodec.decode(record);
    options.audit?.({ operation: 'restore', keyId: toHex(keyId), time: (options.now ?? Date.now)() });
  }
  return { keys: kept.length, leftOut: records.length - kept.length, createdAt };
}
