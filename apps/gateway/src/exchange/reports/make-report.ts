import { disclosureAnchors, keyKey } from '@careledger/capabilities';
import {
  encodeReport,
  type FinalHead,
  type JournalEntry,
  type LeftOut,
  type ProvenBytes,
  type ProvenValue,
  proveEntry,
  REPORT_KIND,
  type ReportEntry,
  type ReportProduct,
} from '@careledger/custody';
import { type DisclosureFacts, GROUNDS, isAccountable } from '@careledger/policy';
import { invariant, type PublicKey, toHex } from '@careledger/primitives';
import { purposeOf } from '../custodian/consent-facts.ts';
import type { ExchangeContext } from '../exchange-context.ts';
import type { OpenedEntry } from '../journal/journal.ts';
import type { IndexedEntry } from '../journal/journal-index.ts';

export interface ReportRequest {
  readonly product: ReportProduct;
  /** Our Patient id. */
  readonly patientId: string;
  /** Milliseconds, the first included, the second not. */
  readonly from: number;
  readonly until: number;
}

/** A report, readable and as the bytes of a `.report` file. */
export interface MadeReport {
  readonly entries: readonly JournalEntry[];
  readonly leftOut: readonly LeftOut[];
  readonly encoded: Uint8Array;
}

interface Found extends OpenedEntry {
  readonly sequence: number;
}

/** Rules of our own, beside those of the rule pack. */
const NOT_A_DISCLOSURE = {
  rule: 'careledger.not-a-disclosure',
  reason: 'No record left: refusals, introductions, consents and receipts stand in the access history.',
};
const NOT_RELEASED = {
  rule: 'careledger.announced-not-released',
  reason: 'The entry was written ahead of a release that then did not happen: the access history shows both.',
};

async function readEntries(context: ExchangeContext, request: ReportRequest): Promise<readonly Found[]> {
  const { journal } = context;
  const isWithin = ({ time }: IndexedEntry): boolean => time >= request.from && time < request.until;
  const found: Found[] = [];
  for (const { sequence } of journal.entriesOf(request.patientId).filter(isWithin)) {
    // Entries written after the last anchoring come with the next report.
    if (journal.batchOf(sequence)) found.push({ sequence, ...(await journal.read(sequence)) });
  }
  return found;
}

function factsOf(entry: JournalEntry): DisclosureFacts {
  const ground = GROUNDS.find((known) => known === entry.ground);
  const purpose = purposeOf(entry.purpose);
  invariant(ground && purpose, 'a disclosure has a ground and a purpose that the policy knows');
  return { time: entry.time, purpose, ground, isToPatient: false, isLimitedDataSet: false };
}

/** Which entries an accounting holds, and by which rules it leaves the others out. */
function accountFor(
  context: ExchangeContext,
  found: readonly Found[],
): { readonly kept: readonly Found[]; readonly leftOut: readonly LeftOut[] } {
  const requestedAt = context.now();
  const options = { policyVersion: context.policyVersionAt(requestedAt), requestedAt };
  const withdrawn = new Set(
    found.flatMap(({ entry }) =>
      entry.event === 'refusal' && entry.counterpartEntry ? [toHex(entry.counterpartEntry)] : [],
    ),
  );
  const commitmentOf = (sequence: number): string => toHex(context.journal.commitmentOf(sequence));
  const leftOut = new Map<string, LeftOut>();
  const leave = ({ rule, reason }: { readonly rule: string; readonly reason: string }): void => {
    leftOut.set(rule, { rule, reason, count: (leftOut.get(rule)?.count ?? 0) + 1 });
  };
  const kept = found.filter(({ entry, sequence }) => {
    if (entry.event !== 'disclosure') leave(NOT_A_DISCLOSURE);
    else if (withdrawn.has(commitmentOf(sequence))) leave(NOT_RELEASED);
    else {
      const { included, rule } = isAccountable(factsOf(entry), options);
      if (!included) leave({ rule: rule.id, reason: rule.source });
      return included;
    }
    return false;
  });
  return { kept, leftOut: [...leftOut.values()] };
}

interface Prover {
  readonly value: (key: Uint8Array) => ProvenValue;
  readonly bytes: (key: Uint8Array) => ProvenBytes;
}

function proverUnder(context: ExchangeContext, head: FinalHead): Prover {
  const value = (key: Uint8Array): ProvenValue => {
    const { value: proven, proof } = context.ledger.proveState(key, head.header.height);
    return proven === undefined ? { proof } : { value: proven, proof };
  };
  const bytes = (key: Uint8Array): ProvenBytes => {
    const proven = value(key);
    invariant(proven.value, 'what a report lists stands in state');
    return { value: proven.value, proof: proven.proof };
  };
  return { value, bytes };
}

function openEntry(context: ExchangeContext, { sequence, entryBytes, salt }: Found): ReportEntry {
  const { journal, anchoring } = context;
  const batch = journal.batchOf(sequence);
  const anchor = batch && anchoring.indexOf(batch);
  invariant(batch && anchor !== undefined, 'an entry of a report is anchored');
  const proof = proveEntry(journal.leavesOf(batch), batch.sequences.indexOf(sequence));
  return { entry: entryBytes, salt, anchor, proof };
}

/**
 * Makes an access history or an accounting of disclosures: every entry opened and proven in an anchored root, all roots
 * of this organization proven complete, signed.
 *
 * @throws {@link ExchangeError} `exchange/ledger-unavailable` while the newest entries cannot be anchored.
 */
export async function makeReport(context: ExchangeContext, request: ReportRequest): Promise<MadeReport> {
  const { anchoring, ledger, ledgerSigner, organization, now, policyVersionAt, trustPath } = context;
  await anchoring.flush();
  const found = await readEntries(context, request);
  const { kept, leftOut } =
    request.product === 'accounting' ? accountFor(context, found) : { kept: found, leftOut: [] };
  const head = ledger.head();
  const prove = proverUnder(context, head);
  const count = disclosureAnchors.count(ledger, organization);
  const publicKey = ledgerSigner.publicKey as PublicKey;
  const { header, certificate } = head;
  const encoded = encodeReport(
    {
      kind: REPORT_KIND,
      product: request.product,
      organization,
      subject: request.patientId,
      from: request.from,
      until: request.until,
      madeAt: now(),
      policy: policyVersionAt(now()),
      entries: kept.map((entry) => openEntry(context, entry)),
      leftOut,
      anchorCount: prove.value(disclosureAnchors.countKey(organization)),
      anchors: Array.from({ length: count }, (_, index) =>
        prove.bytes(disclosureAnchors.itemKey(organization, index)),
      ),
      head: { header, certificate },
      trust: trustPath(),
      signer: { publicKey, proven: prove.bytes(keyKey(publicKey)) },
    },
    ledgerSigner,
  );
  return { entries: kept.map(({ entry }) => entry), leftOut, encoded };
}
