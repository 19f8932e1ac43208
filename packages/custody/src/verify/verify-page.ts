import {
  consentKey,
  consentRecordCodec,
  isConsentActive,
  type KeyRecord,
  keyKey,
  keyRecordCodec,
} from '@careledger/capabilities';
import { type BlockHeader, type TrustedChain, type TrustFault, verifyStateProof } from '@careledger/ledger';
import {
  CborError,
  type ChainId,
  type Codec,
  type ConsentId,
  equalBytes,
  type OrganizationId,
  type PublicKey,
  type VerifySignature,
} from '@careledger/primitives';
import { type DisclosureLeaf, openDisclosureLeaf, recordsDigest } from '../disclosure-leaf.ts';
import { RELEASE_WINDOW_MS, SKEW_MS } from '../limits.ts';
import { isTooLate } from '../release/freshness.ts';
import type { PageEvidence, ProvenValue, RecordEvidence } from './release-page.ts';
import { type Verdict, verdictOf } from './verdict.ts';

/** What a recipient asked for, and of whom. */
export interface ReleaseExpectation {
  readonly chain: ChainId;
  readonly custodian: OrganizationId;
  readonly recipient: OrganizationId;
  readonly requestId: Uint8Array;
  readonly purpose: string;
  /** The consent that the recipient relies on, where it does. */
  readonly consentId?: ConsentId;
  /** The recipient's clock when the last byte had arrived, in milliseconds. */
  readonly receivedAt: number;
}

export interface VerifyTools {
  readonly trusted: TrustedChain;
  readonly verifySignature: VerifySignature;
}

/** A page as it came: nothing of it is believed. */
export interface ReleasePage {
  readonly leaf: Uint8Array;
  readonly evidence: PageEvidence;
  /** `bytes`: exactly what the custodian's `vread` returns. */
  readonly records: readonly { readonly bytes: Uint8Array; readonly evidence: RecordEvidence }[];
}

/** Proves values under the page's header, once that header is verified. */
export interface PageState {
  readonly header: BlockHeader;
  readonly time: number;
  readonly headFault: TrustFault | undefined;
  /** The value proven for this key, `'unproven'` when the proof does not hold. */
  readonly read: (key: Uint8Array, proven: ProvenValue | undefined) => Uint8Array | undefined | 'unproven';
  readonly keyRecord: (publicKey: PublicKey) => KeyRecord | undefined;
}

/** Whose header failed decides the verdict: its form, or who signed it. */
export function faultsOfHeader(fault: { readonly code: string; readonly detail: string } | undefined): {
  readonly header: string | undefined;
  readonly quorum: string | undefined;
} {
  if (!fault) return { header: undefined, quorum: undefined };
  const detail = `${fault.code}: ${fault.detail}`;
  const isQuorum = fault.code === 'certificate' || fault.code === 'validator set';
  return isQuorum
    ? { header: undefined, quorum: detail }
    : { header: detail, quorum: `not reached: ${detail}` };
}

/** Decodes foreign bytes, or `undefined`. */
export function decodeOr<Value>(codec: Codec<Value>, encoded: Uint8Array): Value | undefined {
  try {
    return codec.decode(encoded);
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/** Verifies the page's header and makes its state readable. */
export function openPageState(evidence: PageEvidence, tools: VerifyTools): PageState {
  const { header, certificate } = evidence.head;
  const final = tools.trusted.verifyHeader(evidence.head, tools.verifySignature);
  const read: PageState['read'] = (key, proven) => {
    if (!final.ok || !proven) return 'unproven';
    const { value, proof } = proven;
    return verifyStateProof({ root: header.stateRoot, key, value, proof }).ok ? value : 'unproven';
  };
  return {
    header,
    time: certificate.time,
    headFault: final.ok ? undefined : final.error,
    read,
    keyRecord: (publicKey) => {
      const proven = evidence.keys.find((key) => equalBytes(key.publicKey, publicKey))?.proven;
      const value = read(keyKey(publicKey), proven);
      return value === undefined || value === 'unproven' ? undefined : decodeOr(keyRecordCodec, value);
    },
  };
}

/** HL7 v3 PurposeOfUse of an emergency. A custodian that claims one unasked would go on after a revocation. */
const EMERGENCY = 'ETREAT';

function leafProblem(
  leaf: DisclosureLeaf,
  page: ReleasePage,
  expected: ReleaseExpectation,
): string | undefined {
  if (!equalBytes(leaf.chain, expected.chain)) return 'it is of another chain';
  if (leaf.custodian !== expected.custodian) return 'it names another custodian';
  if (leaf.recipient !== expected.recipient) return 'it names another recipient';
  if (!equalBytes(leaf.requestId, expected.requestId)) return 'it answers another request';
  if (leaf.purpose !== expected.purpose) return 'it names another purpose';
  if (leaf.ground === 'emergency' && leaf.purpose !== EMERGENCY)
    return 'it claims an emergency that nobody named';
  if (leaf.recordCount !== page.records.length) return 'it counts other records';
  const digest = recordsDigest(page.records.map((record) => record.evidence.leaf.commitment));
  return equalBytes(leaf.records, digest) ? undefined : 'it names other records';
}

function timeProblem(
  leaf: DisclosureLeaf,
  page: ReleasePage,
  expected: ReleaseExpectation,
): string | undefined {
  const { certificate } = page.evidence.head;
  const { head } = leaf;
  const isThisHead =
    equalBytes(head.headerHash, certificate.headerHash) &&
    head.time === certificate.time &&
    head.engineHeight === certificate.engineHeight;
  if (!isThisHead) return 'the decision names another head than the proofs';
  // Only an emergency may go on without a fresh head; it is marked and reviewed.
  if (leaf.ground !== 'emergency' && leaf.releaseBefore > head.time + RELEASE_WINDOW_MS) {
    return 'it may leave later than its head allows';
  }
  if (head.time > expected.receivedAt + SKEW_MS) return 'its head lies ahead of the clock';
  return isTooLate(leaf, expected.receivedAt) ? 'it came too late' : undefined;
}

function consentProblem(
  leaf: DisclosureLeaf,
  page: ReleasePage,
  state: PageState,
  expected: ReleaseExpectation,
): string | undefined {
  if (leaf.ground !== 'consent') return undefined;
  const { consentId } = leaf;
  if (!consentId) return 'the leaf names no consent';
  if (expected.consentId && !equalBytes(consentId, expected.consentId)) return 'it stands on another consent';
  const value = state.read(consentKey(consentId), page.evidence.consent?.proven);
  if (value === 'unproven') return 'the state of the consent is not proven';
  const record = value && decodeOr(consentRecordCodec, value);
  if (!record) return 'the ledger knows no such consent';
  if (record.custodian !== expected.custodian) return 'it is a consent to another custodian';
  return isConsentActive(record, leaf.head.time) ? undefined : 'the consent is not active';
}

/** The verdicts that hold or fail for a page as a whole. */
export interface PageVerdicts {
  readonly leaf: DisclosureLeaf | undefined;
  readonly consent: Verdict;
  readonly disclosure: Verdict;
  readonly time: Verdict;
}

export function judgePage(
  page: ReleasePage,
  state: PageState,
  options: {
    readonly expected: ReleaseExpectation;
    readonly tools: VerifyTools;
  },
): PageVerdicts {
  const { expected, tools } = options;
  const opened = openDisclosureLeaf(page.leaf, tools.verifySignature);
  if (!opened.ok) {
    const detail =
      opened.error === 'statement/signature' ? 'its signature does not hold' : 'it cannot be read';
    return {
      leaf: undefined,
      consent: verdictOf('consent-active', 'no disclosure leaf says on what it stands'),
      disclosure: verdictOf('disclosure-leaf', detail),
      time: verdictOf('release-time', 'no disclosure leaf says when'),
    };
  }
  const leaf = opened.value.content;
  const key = state.keyRecord(opened.value.publicKey);
  const isSigner = key?.organization === expected.custodian && key.standing === 'active';
  const signerProblem = isSigner
    ? undefined
    : 'its signer is not proven to be a key of the custodian in force';
  return {
    leaf,
    consent: verdictOf('consent-active', consentProblem(leaf, page, state, expected)),
    disclosure: verdictOf('disclosure-leaf', leafProblem(leaf, page, expected) ?? signerProblem),
    time: verdictOf('release-time', timeProblem(leaf, page, expected)),
  };
}
