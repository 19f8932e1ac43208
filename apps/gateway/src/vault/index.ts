export {
  DOCUMENT_BYTES_MAX,
  DOCUMENT_CHUNK_BYTES,
  type DocumentContent,
  documentManifest,
} from './document-content.ts';
export { type ByteRange, DocumentFiles } from './document-files.ts';
export { VaultError, type VaultErrorCode } from './errors.ts';
export { KeyRotation, type RotationReport } from './key-rotation.ts';
export {
  type ColumnTypes,
  migrate,
  POSTGRESQL_COLUMNS,
  SQLITE_COLUMNS,
  vaultMigrations,
} from './migrations.ts';
export { type Durability, type OpenSqliteOptions, openSqlite } from './node-sqlite.ts';
export type { PriorityClass } from './priority-class.ts';
export { RESOURCE_BYTES_MAX, type RecordFault, SUBJECTS_MAX } from './record-envelope.ts';
export type { RewrapCount } from './rewrap-versions.ts';
export type { VaultTables } from './schema.ts';
export {
  type NewVersion,
  type StoredVersion,
  summaryOf,
  type ValidationSummary,
  type VersionSummary,
} from './stored-version.ts';
export { Vault, type VaultOptions } from './vault.ts';
export {
  drawCounter,
  type RecordKey,
  recordBatch,
  type VaultReader,
  type VaultTransaction,
  type VersionRow,
} from './vault-rows.ts';
export { type VaultFault, type VaultReport, verifyVault } from './verify-vault.ts';
