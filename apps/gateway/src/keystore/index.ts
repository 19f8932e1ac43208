export { AEAD_OVERHEAD, decrypt, encrypt } from './aead.ts';
export { BackupEpochs, EPOCH_BACKUPS_MS, EPOCH_MS_MAX } from './backup-epochs.ts';
export { KeystoreError, type KeystoreErrorCode } from './errors.ts';
export {
  type FileKeystoreOptions,
  openFileKeystore,
  WRAPS_MAX,
} from './file-keystore.ts';
export {
  type BackupReport,
  DISCLOSURE_SIGNING_KEY,
  GATEWAY_KEYS,
  IMPORT_SOURCE_KEY,
  isRotatable,
  JOURNAL_KEY,
  type KeyEvent,
  type KeyName,
  type KeyOperation,
  type KeyPurpose,
  type Keystore,
  type KeystoreDescription,
  LEDGER_SIGNING_KEY,
  ORGANIZATION_KEY,
  PAGE_LINK_KEY,
  patientOfKey,
  purposeOf,
  SEALED_ENTRIES_KEY,
  SEARCH_INDEX_KEY,
  type SealedBoxKey,
  subjectKey,
} from './keystore.ts';
export type { KeystoreSecret } from './master-key.ts';
export { type RestoreReport, restoreKeystore } from './restore-keystore.ts';
export { sealTo } from './sealed-box.ts';
