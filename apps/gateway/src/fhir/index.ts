export {
  type AccessContext,
  actorOf,
  maySee,
  mayWrite,
  type Permission,
  requireScope,
  visibilityFor,
} from './access.ts';
export type { ServedOperation } from './capability-statement.ts';
export {
  FhirError,
  type FhirErrorOptions,
  forbidden,
  invalidParameter,
  notFound,
  outcomeOf,
} from './fhir-error.ts';
export type { FhirInput, FhirMethod, FhirOutput, RecordScope } from './fhir-request.ts';
export { FhirService, type FhirServiceOptions } from './fhir-service.ts';
export { BUNDLE_ENTRIES_MAX } from './interactions/bundle-entry.ts';
export { ACTOR_EXTENSION, REASON_EXTENSION, SUPERSEDES_EXTENSION } from './interactions/history.ts';
export { readCurrent, readVersion } from './interactions/read.ts';
export { MATCH_CANDIDATES_MAX, type MatchedPatient, matchPatients, matchScore } from './match.ts';
export { DOCUMENT_EXTENSION, documentElement } from './record-document.ts';
export { RecordStore, type RecordStoreOptions, type RecordTransaction } from './record-store.ts';
export { composeVersion } from './record-writer.ts';
export { FHIR_BASE_PATH, fhirRoutes } from './routes.ts';
export { PAGE_DEFAULT, PAGE_MAX, parseSearch, unknownParameter } from './search-query.ts';
export { searchContextFor } from './search-route.ts';
export { fhirText, StoredResource } from './stored-resource.ts';
export { VaultImportTarget } from './vault-import-target.ts';
