import {
  decodeReport,
  REPORT_BYTES_MAX,
  REPORT_KIND,
  type VerifiedReport,
  verifyDisclosureReport,
} from '@careledger/custody';
import {
  AUDIT_BUNDLE_BYTES_MAX,
  AUDIT_BUNDLE_KIND,
  type AuditReport,
  decodeAuditBundle,
  decodeReceipt,
  type Opening,
  RECEIPT_BYTES_MAX,
  RECEIPT_KIND,
  type VerifiedReceipt,
  type VerifiedState,
  verifyAuditBundle,
  verifyReceipt,
} from '@careledger/ledger';
import { err, fromUtf8, ok, type Result, type VerifySignature } from '@careledger/primitives';
import { RECORD_PROOF_KIND, type VerifiedRecordProof, verifyRecordProofFile } from './record-proof.ts';
import { STATE_PROOF_KIND, verifyStateProofFile } from './state-proof.ts';

/** What an offline check stands on. */
export interface OfflineTrust {
  /** The chain id, known from elsewhere: never read from the file under test. */
  readonly expectedChain: Uint8Array;
  readonly verifySignature: VerifySignature;
}

/** What is wrong with a file. Names parts and places, never content. */
export interface FileFault {
  /** `receipt/leaf proof`, `block/transactions-root`, `report/entry-proof`, `file/unknown-kind`, ... */
  readonly code: string;
  readonly message: string;
  /** The block at which it stands, where it belongs to one. */
  readonly height?: number;
  /** The entry of a report at which it stands, from 0. */
  readonly index?: number;
}

export interface ReceiptFile {
  readonly kind: 'receipt';
  readonly receipt: VerifiedReceipt;
}
export interface AuditBundleFile {
  readonly kind: 'audit-bundle';
  readonly report: AuditReport;
}
export interface DisclosureReportFile {
  readonly kind: 'disclosure-report';
  readonly disclosures: VerifiedReport;
}
export interface VerifiedStateProof {
  readonly kind: 'state-proof';
  readonly state: VerifiedState;
}
/** A file that holds as a whole, and what it proves. */
export type VerifiedFile =
  | ReceiptFile
  | AuditBundleFile
  | DisclosureReportFile
  | VerifiedStateProof
  | VerifiedRecordProof;

/** No file that members exchange is larger, in bytes. */
export const FILE_BYTES_MAX: number = Math.max(RECEIPT_BYTES_MAX, AUDIT_BUNDLE_BYTES_MAX, REPORT_BYTES_MAX);

/** Checks a receipt. With `opening` also that it is the receipt of this very record. */
export function verifyReceiptFile(
  file: Uint8Array,
  trust: OfflineTrust & { readonly opening?: Opening },
): Result<ReceiptFile, FileFault> {
  const decoded = decodeReceipt(file);
  const verified = decoded.ok ? verifyReceipt({ ...trust, receipt: decoded.value }) : decoded;
  if (verified.ok) return ok({ kind: 'receipt', receipt: verified.value });
  return err({ code: `receipt/${verified.error.code.replaceAll(' ', '-')}`, message: verified.error.detail });
}

/** Checks an audit bundle block by block. */
export function verifyAuditBundleFile(
  file: Uint8Array,
  trust: OfflineTrust,
): Result<AuditBundleFile, FileFault> {
  const decoded = decodeAuditBundle(file);
  const verified = decoded.ok ? verifyAuditBundle({ ...trust, bundle: decoded.value }) : decoded;
  if (verified.ok) return ok({ kind: 'audit-bundle', report: verified.value });
  const { code, height, detail } = verified.error;
  return err({ code, message: detail, ...(height === undefined ? {} : { height }) });
}

/** Checks an access history or an accounting of disclosures. */
export function verifyDisclosureReportFile(
  file: Uint8Array,
  trust: OfflineTrust,
): Result<DisclosureReportFile, FileFault> {
  const decoded = decodeReport(file);
  const verified = decoded.ok ? verifyDisclosureReport({ ...trust, report: decoded.value }) : decoded;
  if (verified.ok) return ok({ kind: 'disclosure-report', disclosures: verified.value });
  const { code, index, detail } = verified.error;
  return err({ code, message: detail, ...(index === undefined ? {} : { index }) });
}

/** `careledger/receipt/1`: what the `kind` field of a CBOR map says, wherever the field stands. */
const KIND = /careledger\/(receipt|audit-bundle|disclosure-report|state-proof|record-proof)\/\d{1,4}/;
const KIND_SEARCH_BYTES = 64 * 1024;
const CHECKS: Readonly<Record<string, typeof verifyFile>> = {
  [RECEIPT_KIND]: verifyReceiptFile,
  [AUDIT_BUNDLE_KIND]: verifyAuditBundleFile,
  [REPORT_KIND]: verifyDisclosureReportFile,
  [STATE_PROOF_KIND]: verifyStateProofFile,
  [RECORD_PROOF_KIND]: verifyRecordProofFile,
};

function latin1(bytes: Uint8Array): string {
  return fromUtf8(bytes.map((byte) => (byte < 0x80 ? byte : 0x3f)));
}

/**
 * Checks a file of any kind offline, with nothing but the trusted chain id, and names the first thing that is wrong.
 *
 * @example
 * const verified = verifyFile(bytes, { expectedChain, verifySignature });
 * if (!verified.ok) console.log(verified.error.code, verified.error.message);
 */
export function verifyFile(file: Uint8Array, trust: OfflineTrust): Result<VerifiedFile, FileFault> {
  // Which check applies is only a guess here: each decoder insists on its own kind.
  const kind = KIND.exec(latin1(file.subarray(0, KIND_SEARCH_BYTES)))?.[0];
  const check = kind === undefined ? undefined : CHECKS[kind];
  if (check) return check(file, trust);
  const message =
    kind === undefined
      ? 'it is no receipt, audit bundle, disclosure report, state proof or record proof'
      : `its version is not known here: ${kind}`;
  return err({ code: 'file/unknown-kind', message });
}
