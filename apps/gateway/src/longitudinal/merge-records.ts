import {
  canonicalText,
  isLosslessArray,
  isLosslessObject,
  type LosslessObject,
  type LosslessValue,
  rewriteReferences,
  withoutField,
} from '@careledger/fhir';
import { clinicalTimeOf } from './clinical-time.ts';

/** Where a record in this chart comes from. */
export interface RecordSource {
  readonly custodian: string;
  /** `Observation/1` and its version, as the custodian names them. */
  readonly reference: string;
  readonly version: string;
}

export interface ChartRecord {
  /** `Observation/1`, as it stands in this chart. */
  readonly reference: string;
  readonly resource: LosslessObject;
  readonly source: RecordSource;
}

/** One item of the longitudinal record. */
export interface MergedRecord {
  /** The record that stands for all of them: the first in chart order. */
  readonly record: ChartRecord;
  /** Every record that says the same, this one included. */
  readonly sources: readonly RecordSource[];
  readonly references: readonly string[];
  /** Milliseconds; absent where the record does not say when it happened. */
  readonly time?: number;
}

/** What differs between two custodians' copies of one fact, and says nothing of the fact. */
const CARRIERS = ['id', 'meta', 'text', 'identifier', 'contained'] as const;

/** The content of a record apart from who keeps it: references keep their type alone. */
function fingerprintOf(resource: LosslessObject): string {
  const bare = CARRIERS.reduce((left: LosslessObject, name) => withoutField(left, name), resource);
  const typed = rewriteReferences(bare, (reference) => reference.split('/').at(-2) ?? '');
  return canonicalText(typed as LosslessObject);
}

/** Business identifiers by system. */
function identifiersOf(resource: LosslessObject): ReadonlyMap<string, string> {
  const { identifier } = resource;
  const listed: readonly LosslessValue[] = isLosslessArray(identifier ?? null) ? (identifier as never) : [];
  const found = new Map<string, string>();
  for (const one of listed) {
    if (!isLosslessObject(one)) continue;
    const { system, value } = one;
    if (typeof system === 'string' && typeof value === 'string') found.set(system, value);
  }
  return found;
}

/** Two records that one system tells apart are two, however alike they are. */
function areToldApart(left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): boolean {
  for (const [system, value] of left) {
    const other = right.get(system);
    if (other !== undefined && other !== value) return true;
  }
  return false;
}

interface Cluster {
  readonly members: ChartRecord[];
  readonly identifiers: ReadonlyMap<string, string>[];
}

/** Sorts by when it happened; what does not say comes last, in the order of the chart. */
function byTime(left: MergedRecord, right: MergedRecord): number {
  return (left.time ?? Number.POSITIVE_INFINITY) - (right.time ?? Number.POSITIVE_INFINITY) || 0;
}

/**
 * Merges what several custodians hold of one patient: records of the same content become one item that names all its
 * sources. It is deliberately narrow: two records that differ in anything clinical stay two, because a clinician can
 * see past a duplicate and not past a missing record. Two of one custodian are never merged.
 */
export function mergeRecords(records: readonly ChartRecord[]): readonly MergedRecord[] {
  const clusters = new Map<string, Cluster[]>();
  for (const record of records) {
    const fingerprint = fingerprintOf(record.resource);
    const identifiers = identifiersOf(record.resource);
    const alike = clusters.get(fingerprint) ?? [];
    const home = alike.find(
      (cluster) =>
        !cluster.identifiers.some((other) => areToldApart(identifiers, other)) &&
        !cluster.members.some(({ source }) => source.custodian === record.source.custodian),
    );
    if (home) {
      home.members.push(record);
      home.identifiers.push(identifiers);
    } else alike.push({ members: [record], identifiers: [identifiers] });
    clusters.set(fingerprint, alike);
  }
  const merged = [...clusters.values()].flat().flatMap(({ members }): readonly MergedRecord[] => {
    const [record] = members;
    if (!record) return [];
    const time = clinicalTimeOf(record.resource);
    return [
      {
        record,
        sources: members.map(({ source }) => source),
        references: members.map(({ reference }) => reference),
        ...(time === undefined ? {} : { time }),
      },
    ];
  });
  return merged.sort(byTime);
}
