import { CHUNK_SUBJECTS_MAX, recordsDigest } from '@careledger/custody';
import { recordLeafCodec } from '@careledger/ledger';
import type { EventFields } from '../exchange/index.ts';
import { actorOf } from '../fhir/index.ts';
import type { JournalExport } from './export-desk.ts';

/** HL7 v3 PurposeOfUse of a patient's own copy, and of the organization's own work, where the token names none. */
const PATIENT_REQUEST = 'PATRQT';
const OPERATIONS = 'HOPERAT';

/** Journals each chunk of an export: whose records, how many of which types, which versions, for whom. */
export function exportJournal(append: (fields: EventFields) => Promise<unknown>): JournalExport {
  return async (caller, { versions, subjects }) => {
    const counts = new Map<string, number>();
    for (const { type } of versions) counts.set(type, (counts.get(type) ?? 0) + 1);
    const live = versions.filter(({ deleted }) => !deleted);
    const commitments = live.map(({ leaf }) => recordLeafCodec.decode(leaf).commitment);
    const fields: EventFields = {
      event: 'export',
      purpose: caller.purpose ?? (caller.kind === 'patient' ? PATIENT_REQUEST : OPERATIONS),
      subjects: [],
      counterpart: caller.organization,
      requestingUser: actorOf(caller).slice(0, 96),
      description: [...counts].map(([type, count]) => ({ type, count })),
      records: recordsDigest(commitments),
    };
    // One entry names so many patients; a record about more of them is written down for each.
    for (let start = 0; start === 0 || start < subjects.length; start += CHUNK_SUBJECTS_MAX) {
      await append({ ...fields, subjects: subjects.slice(start, start + CHUNK_SUBJECTS_MAX) });
    }
  };
}
