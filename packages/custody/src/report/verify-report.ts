import {
  type DisclosureAnchor,
  disclosureAnchorCodec,
  disclosureAnchors,
  keyKey,
  keyRecordCodec,
} from '@careledger/capabilities';
import { merkleLeafHash, TrustedChain, verifyInclusion, verifyStateProof } from '@careledger/ledger';
import {
  CborError,
  err,
  type OrganizationId,
  ok,
  type Result,
  uint,
  type VerifySignature,
} from '@careledger/primitives';
import { entryCommitment, type JournalEntry, journalEntryCodec } from '../journal/entry.ts';
import type { ProvenValue } from '../verify/release-page.ts';
import { decodeOr } from '../verify/verify-page.ts';
import {
  type DisclosureReport,
  disclosureReportCodec,
  type LeftOut,
  REPORT_BYTES_MAX,
  type ReportProduct,
  reportText,
} from './report.ts';

export type ReportFaultCode =
  | 'report/malformed'
  | 'report/genesis'
  | 'report/trust'
  | 'report/head'
  | 'report/anchor-count'
  | 'report/anchor'
  | 'report/entry'
  | 'report/entry-proof'
  | 'report/signer'
  | 'report/signature';

/** The first thing in a report that does not hold. Names places, never content. */
export interface ReportFault {
  readonly code: ReportFaultCode;
  /** Which entry or anchor, from 0, where it is one. */
  readonly index: number | undefined;
  readonly detail: string;
}

/** What a report proves. */
export interface VerifiedReport {
  readonly product: ReportProduct;
  readonly organization: OrganizationId;
  readonly subject: string;
  readonly from: number;
  readonly until: number;
  readonly policy: string;
  readonly entries: readonly { readonly entry: JournalEntry; readonly anchoredAt: number }[];
  readonly leftOut: readonly LeftOut[];
  /** Roots that the organization has anchored: all of them were checked. */
  readonly anchorCount: number;
  readonly height: number;
  /** Engine block time of the head, in milliseconds: the report is complete up to it. */
  readonly headTime: number;
}

/** Reads a `.report` file. Believes nothing of it yet. */
export function decodeReport(encoded: Uint8Array): Result<DisclosureReport, ReportFault> {
  try {
    const limits = { depthMax: 16, itemsMax: 4_000_000, bytesMax: REPORT_BYTES_MAX };
    return ok(disclosureReportCodec.decode(encoded, limits));
  } catch (error) {
    if (!(error instanceof CborError)) throw error;
    return fault('report/malformed', error.message);
  }
}

function fault(
  code: ReportFaultCode,
  detail: string,
  index?: number,
): { readonly ok: false; readonly error: ReportFault } {
  return err({ code, index, detail });
}

interface Context {
  readonly report: DisclosureReport;
  readonly verifySignature: VerifySignature;
}

function isProven(report: DisclosureReport, key: Uint8Array, proven: ProvenValue): boolean {
  const { value, proof } = proven;
  return verifyStateProof({ root: report.head.header.stateRoot, key, value, proof }).ok;
}

function verifyTrust(context: Context, expectedChain: Uint8Array): Result<undefined, ReportFault> {
  const { report, verifySignature } = context;
  const trusted = TrustedChain.fromPath({ path: report.trust, expectedChain, verifySignature });
  if (!trusted.ok) {
    const code = trusted.error.code === 'genesis' ? 'report/genesis' : 'report/trust';
    return fault(code, `${trusted.error.code}: ${trusted.error.detail}`);
  }
  const head = trusted.value.verifyHeader(report.head, verifySignature);
  if (!head.ok) return fault('report/head', `${head.error.code}: ${head.error.detail}`);
  if (trusted.value.hasUnnamedValidators()) return fault('report/trust', 'no verified header names a set');
  return ok(undefined);
}

/** The count and the numbered list under one header: whoever leaves a root out has to change the count. */
function verifyAnchors({ report }: Context): Result<readonly DisclosureAnchor[], ReportFault> {
  const { organization, anchorCount } = report;
  if (!isProven(report, disclosureAnchors.countKey(organization), anchorCount)) {
    return fault('report/anchor-count', 'the count of anchored roots is not proven');
  }
  const count = anchorCount.value === undefined ? 0 : decodeOr(uint, anchorCount.value);
  if (count !== report.anchors.length) {
    return fault(
      'report/anchor-count',
      `${report.anchors.length} roots are shown of ${count ?? 'no number'}`,
    );
  }
  const anchors: DisclosureAnchor[] = [];
  for (const [index, proven] of report.anchors.entries()) {
    const anchor = decodeOr(disclosureAnchorCodec, proven.value);
    if (!anchor || !isProven(report, disclosureAnchors.itemKey(organization, index), proven)) {
      return fault('report/anchor', 'the root is not proven', index);
    }
    anchors.push(anchor);
  }
  return ok(anchors);
}

function entryProblem(report: DisclosureReport, entry: JournalEntry): string | undefined {
  if (entry.organization !== report.organization) return 'it is of another organization';
  if (!entry.subjects.includes(report.subject)) return 'it is about somebody else';
  if (entry.time < report.from || entry.time >= report.until) return 'it lies outside the period';
  const isAccounting = report.product === 'accounting';
  return isAccounting && entry.event !== 'disclosure' ? 'it is no disclosure' : undefined;
}

function verifyEntries(
  { report }: Context,
  anchors: readonly DisclosureAnchor[],
): Result<VerifiedReport['entries'], ReportFault> {
  const entries: VerifiedReport['entries'][number][] = [];
  const places = new Set<string>();
  for (const [index, shown] of report.entries.entries()) {
    const anchor = anchors[shown.anchor];
    if (!anchor) return fault('report/entry-proof', 'it names a root that is not there', index);
    const place = `${shown.anchor}/${shown.proof.index}`;
    if (places.has(place)) return fault('report/entry', 'it is shown twice', index);
    places.add(place);
    if (shown.proof.size !== anchor.size)
      return fault('report/entry-proof', 'its batch has another size', index);
    const leafHash = merkleLeafHash(entryCommitment(shown.entry, shown.salt));
    const included = verifyInclusion({ leafHash, proof: shown.proof, root: anchor.root });
    if (!included.ok)
      return fault('report/entry-proof', `it is not what was anchored: ${included.error}`, index);
    const entry = decodeOr(journalEntryCodec, shown.entry);
    const problem = entry ? entryProblem(report, entry) : 'it cannot be read';
    if (!entry || problem) return fault('report/entry', problem ?? '', index);
    entries.push({ entry, anchoredAt: anchor.time });
  }
  return ok(entries);
}

function verifySigner({ report, verifySignature }: Context): Result<undefined, ReportFault> {
  const { publicKey, proven } = report.signer;
  const key = decodeOr(keyRecordCodec, proven.value);
  const isOwn = key?.organization === report.organization && key.standing === 'active';
  if (!isOwn || !isProven(report, keyKey(publicKey), proven)) {
    return fault('report/signer', 'the signer is not proven to be a key of the organization in force');
  }
  const { signature, ...unsigned } = report;
  return verifySignature({ publicKey, message: reportText(unsigned), signature })
    ? ok(undefined)
    : fault('report/signature', 'the organization did not sign this report');
}

/**
 * Checks an access history or an accounting of disclosures with nothing but the trusted chain id: the trust path, the
 * head, that all anchored roots are there, that every entry is what was anchored, and who signed. The first fault is
 * named. What it cannot show: that no entry about the patient lies unopened under a root; for that the recipients'
 * acknowledgements and the organization's signature stand.
 */
export function verifyDisclosureReport(options: {
  readonly report: DisclosureReport;
  readonly expectedChain: Uint8Array;
  readonly verifySignature: VerifySignature;
}): Result<VerifiedReport, ReportFault> {
  const { report } = options;
  const trust = verifyTrust(options, options.expectedChain);
  if (!trust.ok) return trust;
  const anchors = verifyAnchors(options);
  if (!anchors.ok) return anchors;
  const entries = verifyEntries(options, anchors.value);
  if (!entries.ok) return entries;
  const signer = verifySigner(options);
  if (!signer.ok) return signer;
  return ok({
    product: report.product,
    organization: report.organization,
    subject: report.subject,
    from: report.from,
    until: report.until,
    policy: report.policy,
    entries: entries.value,
    leftOut: report.leftOut,
    anchorCount: anchors.value.length,
    height: report.head.header.height,
    headTime: report.head.certificate.time,
  });
}
