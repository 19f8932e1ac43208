import { chunksBySubjects, type JournalExport, openVersions } from '../bulk-export/index.ts';
import type { Caller } from '../caller.ts';
import { maySee } from '../fhir/index.ts';
import type { GatewayContext } from '../gateway.ts';
import { subjectKey } from '../keystore/index.ts';
import type { StoredVersion } from '../vault/index.ts';
import { COPY_CHUNK_RECORDS } from './access-rules.ts';

export interface AccessCopyOptions {
  readonly gateway: Pick<GatewayContext, 'vault' | 'store' | 'now'>;
  /** Writes down, synced, what is about to leave; rejects when it cannot: then nothing leaves. */
  readonly journal: JournalExport;
  /** FHIR base URL, without a last slash. */
  readonly baseUrl: string;
}

/** The current records of a patient after a place in the vault. */
async function placesOf(
  { vault }: AccessCopyOptions['gateway'],
  patientId: string,
  after: number,
): Promise<readonly number[]> {
  const rows = await vault.reader
    .selectFrom('version_key')
    .innerJoin('version', 'version.seq', 'version_key.seq')
    .select('version.seq')
    .where('version_key.key_name', '=', subjectKey(patientId))
    .where('version.current', '=', 1)
    .where('version.deleted', '=', 0)
    .where('version.seq', '>', after)
    .orderBy('version.seq')
    .limit(COPY_CHUNK_RECORDS)
    .execute();
  return rows.map(({ seq }) => seq);
}

async function* chunksOf(
  { gateway, journal }: AccessCopyOptions,
  caller: Caller,
  patientId: string,
): AsyncIterable<readonly StoredVersion[]> {
  for (let after = 0; ; ) {
    const places = await placesOf(gateway, patientId, after);
    const last = places.at(-1);
    if (last === undefined) return;
    after = last;
    const seen: StoredVersion[] = [];
    for (const version of await openVersions(gateway.vault, places)) {
      if (await maySee(gateway.store.options, caller, version, 'read')) seen.push(version);
    }
    for (const chunk of chunksBySubjects(seen)) {
      await journal(caller, chunk);
      yield chunk.versions;
    }
  }
}

/**
 * The copy: a Bundle with the text of every current record of the patient that the caller may see, as it is being read.
 * A record that names other patients too is not in it: theirs are not this patient's to have.
 */
export async function* copyOf(
  options: AccessCopyOptions,
  caller: Caller,
  patientId: string,
): AsyncGenerator<string> {
  const timestamp = new Date(options.gateway.now()).toISOString();
  let before = `{"resourceType":"Bundle","type":"collection","timestamp":"${timestamp}","entry":[`;
  let isEmpty = true;
  for await (const versions of chunksOf(options, caller, patientId)) {
    const entries = versions.map(({ type, id, text }) => {
      const fullUrl = JSON.stringify(`${options.baseUrl}/${type}/${id}`);
      return `{"fullUrl":${fullUrl},"resource":${text}}`;
    });
    yield `${before}${entries.join(',')}`;
    before = ',';
    isEmpty = false;
  }
  // FHIR has no empty arrays.
  yield isEmpty ? `{"resourceType":"Bundle","type":"collection","timestamp":"${timestamp}"}` : ']}';
}
