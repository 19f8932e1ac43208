import { randomUUID } from 'node:crypto';
import { StoredResource } from '../fhir/index.ts';
import type { StoredVersion } from '../vault/index.ts';
import type { SummarySection } from './summarize.ts';

const LOINC = 'http://loinc.org';
const PATIENT_SUMMARY = { system: LOINC, code: '60591-5', display: 'Patient summary Document' };
/** On a section: how many records found no room in it. */
export const LEFT_OUT_EXTENSION = 'https://careledger.example/fhir/left-out';

const NO_ROOM = {
  status: 'generated',
  div: '<div xmlns="http://www.w3.org/1999/xhtml">There are records, and no room for them in a summary.</div>',
};

export interface SummaryDocumentOptions {
  readonly patient: StoredVersion;
  readonly sections: readonly SummarySection[];
  readonly organization: string;
  /** FHIR base URL, without a last slash. */
  readonly baseUrl: string;
  /** Milliseconds. */
  readonly now: number;
}

function referenceTo({ type, id }: StoredVersion): { readonly reference: string } {
  return { reference: `${type}/${id}` };
}

function compositionOf(options: SummaryDocumentOptions, date: string): object {
  const { patient, sections, organization } = options;
  return {
    resourceType: 'Composition',
    status: 'final',
    type: { coding: [PATIENT_SUMMARY] },
    subject: referenceTo(patient),
    date,
    author: [{ identifier: { system: 'https://careledger.example/fhir/organization', value: organization } }],
    title: 'Patient summary',
    section: sections
      .filter(({ versions, leftOut }) => versions.length > 0 || leftOut > 0)
      .map(({ code, title, versions, leftOut }) => ({
        ...(leftOut > 0 ? { extension: [{ url: LEFT_OUT_EXTENSION, valueUnsignedInt: leftOut }] } : {}),
        title,
        code: { coding: [{ system: LOINC, code }] },
        ...(versions.length > 0 ? { entry: versions.map(referenceTo) } : { text: NO_ROOM }),
      })),
  };
}

/** A summary as a FHIR document: Composition first, then the Patient, then the records as they were committed. */
export function summaryDocument(options: SummaryDocumentOptions): object {
  const { patient, sections, baseUrl, now } = options;
  const date = new Date(now).toISOString();
  const records = [patient, ...sections.flatMap(({ versions }) => versions)];
  return {
    resourceType: 'Bundle',
    identifier: { system: 'urn:ietf:rfc:3986', value: `urn:uuid:${randomUUID()}` },
    type: 'document',
    timestamp: date,
    entry: [
      { fullUrl: `urn:uuid:${randomUUID()}`, resource: compositionOf(options, date) },
      ...records.map((stored) => ({
        fullUrl: `${baseUrl}/${stored.type}/${stored.id}`,
        resource: new StoredResource(stored),
      })),
    ],
  };
}
