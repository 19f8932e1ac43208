export { type ImportEntry, readImport } from './import-entries.ts';
export { ImportError } from './import-error.ts';
export { FILE_BYTES_MAX, LINE_BYTES_MAX } from './import-files.ts';
export {
  FINDINGS_MAX,
  type ImportFinding,
  type ImportProblem,
  type ImportProblemCode,
  type ImportReport,
} from './import-report.ts';
export { IMPORT_BATCH_RECORDS, type ImportOptions, importResources } from './import-resources.ts';
export type { ImportedRecord, ImportTarget, ImportWrite, ImportWriter, SourceKey } from './import-target.ts';
export { MemoryTarget } from './memory-target.ts';
export { stableId } from './stable-id.ts';
