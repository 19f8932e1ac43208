export { bulkExportPart } from './bulk-export-part.ts';
export { chunksBySubjects, openVersions } from './export-chunks.ts';
export type { JournalExport } from './export-desk.ts';
export { exportJournal } from './export-journal.ts';
