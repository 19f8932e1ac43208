export { type ServerSourceOptions, serverSource } from './fhir-server/server-source.ts';
export { isSourceAddress, sourceAddress } from './fhir-server/source-address.ts';
export { fileSource } from './file-source.ts';
export { type Drift, type DriftKind, type DriftReport, findDrift } from './find-drift.ts';
export { type ImportEntry, readImport } from './import-entries.ts';
export { ImportError, type ImportErrorCode } from './import-error.ts';
export { FILE_BYTES_MAX, LINE_BYTES_MAX } from './import-files.ts';
export {
  FINDINGS_MAX,
  type ImportFinding,
  type ImportProblem,
  type ImportProblemCode,
  type ImportReport,
} from './import-report.ts';
export {
  IMPORT_BATCH_RECORDS,
  type ImportControls,
  type ImportOptions,
  importFrom,
  importResources,
} from './import-resources.ts';
export type { ImportSource, Which } from './import-source.ts';
export type {
  ImportedRecord,
  ImportLink,
  ImportTarget,
  ImportWrite,
  ImportWriter,
  SourceKey,
} from './import-target.ts';
export { MemoryTarget } from './memory-target.ts';
export { type KeyedHash, stableId } from './stable-id.ts';
