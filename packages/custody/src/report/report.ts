import {
  type CertifiedHeader,
  certifiedHeaderCodec,
  type InclusionProof,
  inclusionProofCodec,
  STATE_VALUE_BYTES_MAX,
  type StateProof,
  stateProofCodec,
  type TrustPath,
  trustPathCodec,
} from '@careledger/ledger';
import {
  bytes,
  type Codec,
  encodeCbor,
  fixedBytes,
  list,
  type OrganizationId,
  oneOf,
  organizationIdCodec,
  type PublicKey,
  publicKeyCodec,
  SIGNATURE_BYTES,
  type Signer,
  struct,
  text,
  uint,
} from '@careledger/primitives';
import { ENTRY_SALT_BYTES, PLAINTEXT_BYTES } from '../journal/entry.ts';
import { type ProvenValue, provenValueCodec } from '../verify/release-page.ts';

export const REPORT_KIND = 'careledger/disclosure-report/1';
export const REPORT_ENTRIES_MAX = 100_000;
export const REPORT_ANCHORS_MAX = 1_000_000;
export const REPORT_BYTES_MAX = 256 * 1024 * 1024;

/** `access-history`: everything, refusals too. `accounting`: what 45 CFR 164.528 counts, by a rule pack. */
export const REPORT_PRODUCTS = ['access-history', 'accounting'] as const;
export type ReportProduct = (typeof REPORT_PRODUCTS)[number];

/** A journal entry opened, and its place in an anchored batch. */
export interface ReportEntry {
  readonly entry: Uint8Array;
  readonly salt: Uint8Array;
  /** Which anchored root: index in the organization's list. */
  readonly anchor: number;
  readonly proof: InclusionProof;
}

/** What a report leaves out, and by which rule. */
export interface LeftOut {
  readonly rule: string;
  readonly reason: string;
  readonly count: number;
}

export interface ProvenBytes {
  readonly value: Uint8Array;
  readonly proof: StateProof;
}

/** What an organization hands a patient or an auditor. Verified offline, by `careledger verify` or anybody. */
export interface DisclosureReport {
  readonly kind: typeof REPORT_KIND;
  readonly product: ReportProduct;
  readonly organization: OrganizationId;
  /** The organization's Patient id that it is about. */
  readonly subject: string;
  /** Milliseconds, the first included, the second not. */
  readonly from: number;
  readonly until: number;
  readonly madeAt: number;
  /** Rule pack and version that decided what is left out. */
  readonly policy: string;
  readonly entries: readonly ReportEntry[];
  readonly leftOut: readonly LeftOut[];
  /** How many roots the organization has anchored (absent: none), and all of them in order: none is kept back. */
  readonly anchorCount: ProvenValue;
  readonly anchors: readonly ProvenBytes[];
  readonly head: CertifiedHeader;
  readonly trust: TrustPath;
  /** The organization stands by the whole report: leaving an entry out has a name under it. */
  readonly signer: { readonly publicKey: PublicKey; readonly proven: ProvenBytes };
  readonly signature: Uint8Array;
}
/** What the organization signs. */
export type UnsignedReport = Omit<DisclosureReport, 'signature'>;

const provenBytesCodec = struct({
  value: bytes({ bytesMax: STATE_VALUE_BYTES_MAX }),
  proof: stateProofCodec,
});
const unsignedFields = {
  kind: oneOf([REPORT_KIND]),
  product: oneOf(REPORT_PRODUCTS),
  organization: organizationIdCodec,
  subject: text({ bytesMax: 64 }),
  from: uint,
  until: uint,
  madeAt: uint,
  policy: text({ bytesMax: 64 }),
  entries: list(
    struct({
      entry: bytes({ bytesMax: PLAINTEXT_BYTES }),
      salt: fixedBytes(ENTRY_SALT_BYTES),
      anchor: uint,
      proof: inclusionProofCodec,
    }),
    { countMax: REPORT_ENTRIES_MAX },
  ),
  leftOut: list(struct({ rule: text({ bytesMax: 96 }), reason: text({ bytesMax: 512 }), count: uint }), {
    countMax: 64,
  }),
  anchorCount: provenValueCodec,
  anchors: list(provenBytesCodec, { countMax: REPORT_ANCHORS_MAX }),
  head: certifiedHeaderCodec,
  trust: trustPathCodec,
  signer: struct({ publicKey: publicKeyCodec, proven: provenBytesCodec }),
};
const unsignedReportCodec: Codec<UnsignedReport> = struct(unsignedFields);
export const disclosureReportCodec: Codec<DisclosureReport> = struct({
  ...unsignedFields,
  signature: fixedBytes(SIGNATURE_BYTES),
}) as Codec<DisclosureReport>;

const DOMAIN = 'careledger/disclosure-report/v1';

/** What is signed: everything but the signature. */
export function reportText(report: UnsignedReport): Uint8Array {
  return encodeCbor([DOMAIN, unsignedReportCodec.encode(report)]);
}

/** Signs and encodes a report: the bytes of a `.report` file. */
export function encodeReport(report: UnsignedReport, signer: Signer): Uint8Array {
  return disclosureReportCodec.encode({ ...report, signature: signer.sign(reportText(report)) });
}
