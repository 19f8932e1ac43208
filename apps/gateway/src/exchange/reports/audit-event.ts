import type { JournalEntry, LeftOut } from '@careledger/custody';
import { toHex } from '@careledger/primitives';
import type { MadeReport, ReportRequest } from './make-report.ts';

const BASE = 'https://careledger.example/fhir';
const DICOM = 'http://dicom.nema.org/resources/ontology/DCM';
const REASON = 'http://terminology.hl7.org/CodeSystem/v3-ActReason';

/** DICOM audit event types: something left, something came in, or a question was asked. */
const TYPES: Readonly<Record<JournalEntry['event'], { readonly code: string; readonly display: string }>> = {
  disclosure: { code: '110106', display: 'Export' },
  export: { code: '110106', display: 'Export' },
  receipt: { code: '110107', display: 'Import' },
  acknowledgement: { code: '110107', display: 'Import' },
  refusal: { code: '110112', display: 'Query' },
  match: { code: '110112', display: 'Query' },
  introduction: { code: '110113', display: 'Security Alert' },
  grant: { code: '110137', display: 'User Security Attributes Changed' },
  revocation: { code: '110137', display: 'User Security Attributes Changed' },
  'access-request': { code: '110112', display: 'Query' },
  retraction: { code: '110113', display: 'Security Alert' },
};

function detail(type: string, value: string | undefined): readonly object[] {
  return value === undefined ? [] : [{ type, valueString: value }];
}

/** One entry as a FHIR AuditEvent: who, what, when, why, and whether it was refused. */
export function auditEventOf(entry: JournalEntry): object {
  const isRefused = entry.event === 'refusal' || (entry.event === 'match' && entry.ground === undefined);
  const isAsker = entry.event === 'receipt' || entry.event === 'introduction';
  const asker = isAsker ? entry.organization : entry.counterpart;
  const who = (organization: string) => ({
    identifier: { system: `${BASE}/organization`, value: organization },
  });
  const described = entry.description.map(({ type, count }) => `${type} ${count}`).join(', ');
  return {
    resourceType: 'AuditEvent',
    id: toHex(entry.id),
    type: { system: DICOM, ...TYPES[entry.event] },
    subtype: [{ system: `${BASE}/journal-event`, code: entry.event }],
    action: 'R',
    recorded: new Date(entry.time).toISOString(),
    outcome: isRefused ? '4' : '0',
    purposeOfEvent: [{ coding: [{ system: REASON, code: entry.purpose }] }],
    agent: [
      {
        who: who(asker),
        requestor: true,
        ...(entry.requestingUser === undefined ? {} : { altId: entry.requestingUser }),
      },
      { who: who(isAsker ? entry.counterpart : entry.organization), requestor: false },
    ],
    source: { observer: who(entry.organization) },
    entity: [
      ...entry.subjects.map((subject) => ({ what: { reference: `Patient/${subject}` } })),
      {
        detail: [
          ...detail('records', described === '' ? undefined : described),
          ...detail('ground', entry.ground),
          ...detail('reason', entry.reason),
          ...detail('rules', entry.ruleIds.length === 0 ? undefined : entry.ruleIds.join(', ')),
          ...detail('policy', entry.policyVersion),
          ...detail('consent', entry.consentId && toHex(entry.consentId)),
          ...detail(
            'late',
            entry.late ? 'released in an emergency without a fresh ledger; to be reviewed' : undefined,
          ),
        ],
      },
    ].filter((part) => !('detail' in part) || part.detail.length > 0),
  };
}

function leftOutExtension({ rule, reason, count }: LeftOut): object {
  return {
    url: `${BASE}/left-out`,
    extension: [
      { url: 'rule', valueString: rule },
      { url: 'reason', valueString: reason },
      { url: 'count', valueUnsignedInt: count },
    ],
  };
}

/** A report as a FHIR Bundle for people and programs; the proofs are in the CBOR file. */
export function reportBundle(request: ReportRequest, report: MadeReport): object {
  const extension = [
    { url: `${BASE}/report-product`, valueCode: request.product },
    ...report.leftOut.map(leftOutExtension),
  ];
  return {
    resourceType: 'Bundle',
    meta: { extension },
    type: 'collection',
    timestamp: new Date(request.until).toISOString(),
    entry: report.entries.map((entry) => ({ resource: auditEventOf(entry) })),
  };
}
