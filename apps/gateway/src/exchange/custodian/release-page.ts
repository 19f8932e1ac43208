import { type CandidateRecord, CHUNK_RECORDS_MAX } from '@careledger/custody';
import { isResource, labelsOf, parseLossless } from '@careledger/fhir';
import type { RecordPage, ReleasableRecord } from '../exchange-records.ts';

/** Withheld records that fit beside the released ones: the chunk's entry counts them. */
export function pageWith(
  records: readonly ReleasableRecord[],
  withheld: readonly ReleasableRecord[],
  size: number,
): RecordPage {
  return { records: [...records, ...withheld.slice(0, CHUNK_RECORDS_MAX - records.length)], size };
}

/** What the decision sees of a record: what it commits to, its type, its labels, whom it is about. */
export function candidateOf(record: ReleasableRecord): CandidateRecord {
  const resource = parseLossless(record.text);
  const labels = isResource(resource) ? labelsOf(resource).map((label) => label.code) : [];
  return { commitment: record.leaf.commitment, type: record.type, labels, subjects: record.subjects };
}
