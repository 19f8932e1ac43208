export { bulkExportPart } from './bulk-export-part.ts';
