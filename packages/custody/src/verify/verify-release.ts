import { anchorRecordsCodec, retiredKey } from '@careledger/capabilities';
import {
  ANCHOR_TYPE,
  commitmentOf,
  type EvidenceFault,
  recordLeafHash,
  transactionEvidenceCodec,
  type VerifiedTransaction,
  verifyInclusion,
  verifyTransactionEvidence,
} from '@careledger/ledger';
import { equalBytes, type Result, sha256, toHex } from '@careledger/primitives';
import type { DisclosureLeaf } from '../disclosure-leaf.ts';
import type { RecordEvidence } from './release-page.ts';
import { type Verdict, verdictOf } from './verdict.ts';
import {
  decodeOr,
  faultsOfHeader,
  judgePage,
  openPageState,
  type PageState,
  type ReleaseExpectation,
  type ReleasePage,
  type VerifyTools,
} from './verify-page.ts';

/** What became of one record of a page. */
export interface RecordVerdicts {
  readonly verdicts: readonly Verdict[];
  /** Every verdict holds: only then may it be filed. */
  readonly accepted: boolean;
}

export interface VerifiedRelease {
  readonly records: readonly RecordVerdicts[];
  /** The leaf, if it could be read at all: the recipient acknowledges it. */
  readonly leaf: DisclosureLeaf | undefined;
  /** Verdicts on the page itself, also when it holds no record. */
  readonly page: readonly Verdict[];
  /** Everything of it holds. */
  readonly accepted: boolean;
}

type VerifyAnchor = (evidence: RecordEvidence) => Result<VerifiedTransaction, EvidenceFault>;

/** Many records of a page stand in one anchor: its signatures are checked once. */
function anchorVerifier(tools: VerifyTools): VerifyAnchor {
  const known = new Map<string, Result<VerifiedTransaction, EvidenceFault>>();
  return ({ anchor }) => {
    const name = toHex(sha256(transactionEvidenceCodec.encode(anchor)));
    const verified = known.get(name) ?? verifyTransactionEvidence({ evidence: anchor, ...tools });
    known.set(name, verified);
    return verified;
  };
}

function inclusionProblem(
  evidence: RecordEvidence,
  anchor: Result<VerifiedTransaction, EvidenceFault>,
): string | undefined {
  if (!anchor.ok) return `${anchor.error.code}: ${anchor.error.detail}`;
  const { payload } = anchor.value.transaction;
  if (!anchor.value.accepted) return 'the ledger refused its anchor';
  const message = payload.type === ANCHOR_TYPE ? decodeOr(anchorRecordsCodec, payload.body) : undefined;
  if (!message) return 'the transaction anchors no records';
  const { leafProof } = evidence;
  if (leafProof.size !== 2 ** leafProof.path.length) return 'its batch is not padded to a power of two';
  const included = verifyInclusion({
    leafHash: recordLeafHash(evidence.leaf),
    proof: leafProof,
    root: message.root,
  });
  return included.ok ? undefined : `leaf: ${included.error}`;
}

/** A version that replaces another must be the successor that state names: there could be two that claim it. */
function successorProblem(evidence: RecordEvidence, state: PageState): string | undefined {
  const { leaf, previous } = evidence;
  if (!leaf.supersedes) return undefined;
  if (!previous) return 'the version that it replaces is not shown';
  if (!equalBytes(recordLeafHash(previous.leaf), leaf.supersedes)) return 'it replaces another version';
  const successor = state.read(retiredKey(previous.leaf.retireKey), previous.retired);
  if (successor === 'unproven') return 'the successor of the version that it replaces is not proven';
  const stands = successor !== undefined && equalBytes(successor, recordLeafHash(leaf));
  return stands ? undefined : 'another version stands in its place';
}

function standingProblem(evidence: RecordEvidence, state: PageState): string | undefined {
  const retired = state.read(retiredKey(evidence.leaf.retireKey), evidence.retired);
  if (retired === 'unproven') return 'the absence of its retirement is not proven';
  if (retired !== undefined) return 'it was superseded or retracted';
  return successorProblem(evidence, state);
}

function judgeRecord(
  record: ReleasePage['records'][number],
  context: {
    readonly state: PageState;
    readonly anchor: Result<VerifiedTransaction, EvidenceFault>;
    readonly expected: ReleaseExpectation;
  },
): readonly Verdict[] {
  const { state, anchor, expected } = context;
  const { evidence } = record;
  const commitment = commitmentOf({ salt: evidence.salt, bytes: record.bytes });
  const isCommitted = equalBytes(commitment, evidence.leaf.commitment);
  const HEADER_FAULTS = ['genesis', 'header', 'validator set', 'certificate'];
  const isHeaderFault = !anchor.ok && HEADER_FAULTS.includes(anchor.error.code);
  const ofAnchor = faultsOfHeader(isHeaderFault ? anchor.error : undefined);
  const ofHead = faultsOfHeader(state.headFault);
  const signer = anchor.ok ? state.keyRecord(anchor.value.transaction.signer) : undefined;
  const isCustodian = signer?.organization === expected.custodian;
  return [
    verdictOf('commitment', isCommitted ? undefined : 'the record or its salt is not the anchored one'),
    verdictOf('inclusion-proof', inclusionProblem(evidence, anchor)),
    verdictOf('header', ofAnchor.header ?? ofHead.header),
    verdictOf('quorum', ofAnchor.quorum ?? ofHead.quorum),
    verdictOf(
      'anchor-signer',
      isCustodian ? undefined : 'the key that signed the anchor is not proven to be the custodian’s',
    ),
    verdictOf('not-superseded', standingProblem(evidence, state)),
  ];
}

/**
 * Checks a page that a custodian released, with nothing but the chain that the recipient trusts: for every record
 * every verdict by name. No clock, no store, no network.
 *
 * @example
 * const checked = verifyRelease({ page, expected, tools: { trusted, verifySignature } });
 * if (!checked.records[0]?.accepted) ...
 */
export function verifyRelease(options: {
  readonly page: ReleasePage;
  readonly expected: ReleaseExpectation;
  readonly tools: VerifyTools;
}): VerifiedRelease {
  const { page, expected, tools } = options;
  const state = openPageState(page.evidence, tools);
  const ofPage = judgePage(page, state, { expected, tools });
  const shared = [ofPage.consent, ofPage.disclosure, ofPage.time];
  const verifyAnchor = anchorVerifier(tools);
  const records = page.records.map((record): RecordVerdicts => {
    const own = judgeRecord(record, { state, anchor: verifyAnchor(record.evidence), expected });
    const verdicts = [...own, ...shared];
    return { verdicts, accepted: verdicts.every((verdict) => verdict.holds) };
  });
  const ofHead = faultsOfHeader(state.headFault);
  const pageVerdicts = [verdictOf('header', ofHead.header), verdictOf('quorum', ofHead.quorum), ...shared];
  const accepted =
    pageVerdicts.every((verdict) => verdict.holds) && records.every((record) => record.accepted);
  return { records, leaf: ofPage.leaf, page: pageVerdicts, accepted };
}
