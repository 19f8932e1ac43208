export {
  type Acknowledgement,
  acknowledgementCodec,
  openAcknowledgement,
  signAcknowledgement,
} from './acknowledgement.ts';
export {
  acquireLockFirst,
  acquireLocks,
  emptyLockTable,
  type LockStep,
  type LockTable,
  releaseLocks,
} from './consent-lock.ts';
export {
  type DisclosureLeaf,
  disclosureLeafCodec,
  openDisclosureLeaf,
  REQUEST_ID_BYTES,
  recordsDigest,
  signDisclosureLeaf,
} from './disclosure-leaf.ts';
export {
  HANDLE_BYTES,
  handleCodec,
  INTRODUCTION_NONCE_BYTES,
  type Introduction,
  type IntroductionContext,
  type IntroductionFailure,
  introductionCodec,
  type LocatorTag,
  locatorTagCodec,
  openIntroduction,
  type PatientHandle,
  sealIntroduction,
} from './introduction.ts';
export {
  BATCH_ENTRIES_MAX,
  BATCH_LEAVES_MIN,
  BATCH_LISTS,
  type BatchList,
  batchLeaves,
  type JournalBatch,
  journalBatchCodec,
  makeBatch,
  proveEntry,
} from './journal/batch.ts';
export {
  ENTRY_ID_BYTES,
  ENTRY_SALT_BYTES,
  entryCommitment,
  JOURNAL_EVENTS,
  type JournalEntry,
  type JournalEvent,
  journalEntryCodec,
  PLAINTEXT_BYTES,
  padPlaintext,
  unpadPlaintext,
} from './journal/entry.ts';
export {
  decodeRecord,
  encodeRecord,
  hashOfRecord,
  JOURNAL_START,
  type JournalRecord,
  RECORD_BYTES,
  type RecordFailure,
  SEALED_BYTES,
} from './journal/record.ts';
export type * from './ledger-port.ts';
export {
  ANCHOR_WITHIN_MS,
  CHUNK_RECORDS_MAX,
  CHUNK_SUBJECTS_MAX,
  CHUNK_TYPES_MAX,
  HEAD_AGE_MS_MAX,
  HEAD_AHEAD_MS_MAX,
  INTRODUCTION_MS_MAX,
  RELEASE_WINDOW_MS,
  SKEW_MS,
} from './limits.ts';
export { type Location, openLocation, sealLocation } from './locator-entry.ts';
export { type PatientFacts, policyDecision } from './release/decide.ts';
export {
  effectiveElsewhereAfter,
  type HeadFacts,
  isFresh,
  isTooLate,
  releaseBefore,
} from './release/freshness.ts';
export type * from './release/protocol.ts';
export { newRelease, stepRelease } from './release/step.ts';
export {
  type DisclosureReport,
  disclosureReportCodec,
  encodeReport,
  type LeftOut,
  type ProvenBytes,
  REPORT_BYTES_MAX,
  REPORT_KIND,
  REPORT_PRODUCTS,
  type ReportEntry,
  type ReportProduct,
  type UnsignedReport,
} from './report/report.ts';
export {
  decodeReport,
  type ReportFault,
  type ReportFaultCode,
  type VerifiedReport,
  verifyDisclosureReport,
} from './report/verify-report.ts';
export {
  consentLockKey,
  newRevocation,
  type RevocationEffect,
  type RevocationInput,
  type RevocationState,
  type RevocationStep,
  stepRevocation,
} from './revocation/step.ts';
export { SEALED_BOX_OVERHEAD, type SealedBox } from './sealed-box.ts';
export { openStatement, type Statement, type StatementFailure, signStatement } from './statement.ts';
export {
  type PageEvidence,
  type ProvenValue,
  pageEvidenceCodec,
  type RecordEvidence,
  recordEvidenceCodec,
} from './verify/release-page.ts';
export { VERDICT_NAMES, type Verdict, type VerdictName } from './verify/verdict.ts';
export type { ReleaseExpectation, ReleasePage, VerifyTools } from './verify/verify-page.ts';
export { type RecordVerdicts, type VerifiedRelease, verifyRelease } from './verify/verify-release.ts';
