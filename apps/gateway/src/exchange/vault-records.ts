import {
  isLosslessObject,
  isResource,
  type LosslessObject,
  type LosslessResource,
  parseLossless,
  toPlain,
} from '@careledger/fhir';
import { inclusionProofCodec, type RecordLeaf, recordLeafCodec } from '@careledger/ledger';
import type { Patient, Resource } from '@medplum/fhirtypes';
import { matchPatients, parseSearch, type RecordStore, type RecordTransaction } from '../fhir/index.ts';
import { type Keystore, subjectKey } from '../keystore/index.ts';
import { validationOf } from '../validation/index.ts';
import type { StoredVersion, VersionRow } from '../vault/index.ts';
import { ExchangeError } from './errors.ts';
import type {
  ExchangeRecords,
  RecordPage,
  RecordQuery,
  RecordWrite,
  RecordWriter,
  ReleasableRecord,
} from './exchange-records.ts';
import { PageCursors } from './page-cursor.ts';

/** A row with the batch that anchors it. */
type AnchoredRow = VersionRow & { readonly height: number | null; readonly position: number | null };

/** Who else was permitted and who else asked is between the patient and this organization. */
const NEVER_RELEASED = ['Consent', 'AuditEvent'];

/** How sure a match must be before a stranger's description stands for one of our patients. */
const MATCH_OPTIONS = { onlyCertain: true, countMax: 2 } as const;

/** The exchange's view of the vault. */
export class VaultRecords implements ExchangeRecords {
  readonly #store: RecordStore;
  readonly #cursors: PageCursors;

  constructor(store: RecordStore, keystore: Keystore) {
    this.#store = store;
    this.#cursors = new PageCursors(keystore);
  }

  readPatient(id: string): Promise<LosslessResource | undefined> {
    return this.read('Patient', id);
  }

  async read(type: string, id: string): Promise<LosslessResource | undefined> {
    const stored = await this.#store.options.vault.current({ type, id });
    if (!stored || stored.deleted) return undefined;
    const resource = parseLossless(stored.text);
    return isResource(resource) ? resource : undefined;
  }

  async find(query: RecordQuery): Promise<RecordPage> {
    const { rows, next, size } = query.search
      ? await this.#searched(query, query.search)
      : { ...(await this.#listed(query)), size: query.countMax };
    const records = await this.#releasable(rows);
    return { records, size, ...(next === undefined ? {} : { next }) };
  }

  async findPatients(description: LosslessObject): Promise<readonly string[]> {
    const asked = toPlain(description) as unknown as Patient;
    const matched = await matchPatients(this.#store, asked, MATCH_OPTIONS);
    return matched.map(({ patient }) => patient.id);
  }

  write<Value>(work: (writer: RecordWriter) => Promise<Value>): Promise<Value> {
    return this.#store.transaction((transaction) => work(writerOver(transaction)));
  }

  /** Everything of one patient, in the order of the vault. */
  async #listed(
    query: RecordQuery,
  ): Promise<{ readonly rows: readonly AnchoredRow[]; readonly next?: string }> {
    let select = this.#anchored()
      .innerJoin('version_key', 'version_key.seq', 'version.seq')
      .where('version_key.key_name', '=', subjectKey(query.patientId))
      .where('version.seq', '>', this.#cursors.read(query.after)?.seq ?? 0)
      .orderBy('version.seq')
      .limit(query.countMax + 1);
    if (query.types) select = select.where('version.type', 'in', query.types);
    const found = await select.execute();
    const rows = found.slice(0, query.countMax);
    const last = rows.at(-1);
    const hasNext = found.length > rows.length && last;
    return { rows, ...(hasNext ? { next: this.#cursors.write({ seq: last.seq, keys: [] }) } : {}) };
  }

  async #searched(
    query: RecordQuery,
    search: NonNullable<RecordQuery['search']>,
  ): Promise<{ readonly rows: readonly AnchoredRow[]; readonly size: number; readonly next?: string }> {
    const { index, indexer, baseUrl } = this.#store.options;
    const { plan } = parseSearch(search.type, search.terms, {
      tokenizer: indexer.tokenizer,
      baseUrl,
      visibility: { kind: 'patient', patient: query.patientId, includeUnowned: false },
    });
    const after = this.#cursors.read(query.after);
    const countMax = Math.min(plan.countMax, query.countMax);
    const found = await index.search({ ...plan, countMax, countTotal: false, ...(after ? { after } : {}) });
    const rows =
      found.seqs.length === 0
        ? []
        : await this.#anchored().where('version.seq', 'in', found.seqs).orderBy('version.seq').execute();
    return { rows, size: countMax, ...(found.next ? { next: this.#cursors.write(found.next) } : {}) };
  }

  #anchored() {
    return this.#store.options.vault.reader
      .selectFrom('version')
      .innerJoin('batch', 'batch.batch', 'version.batch')
      .selectAll('version')
      .select(['batch.height', 'batch.position'])
      .where('batch.state', '=', 'anchored')
      .where('version.current', '=', 1)
      .where('version.deleted', '=', 0)
      .where('version.type', 'not in', NEVER_RELEASED);
  }

  async #releasable(rows: readonly AnchoredRow[]): Promise<readonly ReleasableRecord[]> {
    const { vault } = this.#store.options;
    const versions = new Map((await vault.openRows(rows)).map((version) => [version.seq, version]));
    const records: ReleasableRecord[] = [];
    for (const row of rows) {
      const version = versions.get(row.seq);
      const record = version && (await this.#withProof(row, version));
      if (record) records.push(record);
    }
    return records;
  }

  async #withProof(row: AnchoredRow, version: StoredVersion): Promise<ReleasableRecord | undefined> {
    const { leaf_proof: leafProof, height, position } = row;
    if (leafProof === null || height === null || position === null) return undefined;
    const leaf = recordLeafCodec.decode(new Uint8Array(version.leaf));
    const previous = leaf.supersedes ? await this.#leafBefore(version) : undefined;
    return {
      type: version.type,
      id: version.id,
      version: version.version,
      text: version.text,
      salt: version.salt,
      subjects: version.subjects,
      leaf,
      leafProof: inclusionProofCodec.decode(new Uint8Array(leafProof)),
      anchor: { height, index: position },
      ...(previous ? { previous } : {}),
    };
  }

  async #leafBefore({ type, id, version }: StoredVersion): Promise<RecordLeaf | undefined> {
    const row = await this.#store.options.vault.reader
      .selectFrom('version')
      .select(['leaf', 'deleted'])
      .where('type', '=', type)
      .where('id', '=', id)
      .where('version', '=', version - 1)
      .executeTakeFirst();
    return row && row.deleted === 0 ? recordLeafCodec.decode(new Uint8Array(row.leaf)) : undefined;
  }
}

function writerOver(transaction: RecordTransaction): RecordWriter {
  const imported = (resource: LosslessResource, { isCopy }: RecordWrite) =>
    isCopy ? { imported: validationOf(toPlain(resource) as unknown as Resource) } : {};
  return {
    create: async (resource, write) => {
      const { id, actor } = write;
      await transaction.write(resource, { id, actor, ...imported(resource, write) });
    },
    update: async (resource, write) => {
      const { id, actor } = write;
      const replaces = await transaction.current({ type: resource.resourceType, id });
      await transaction.write(resource, { id, actor, replaces, ...imported(resource, write) });
    },
  };
}

/** A resource out of a request body. @throws {@link ExchangeError} `exchange/invalid`. */
export function parseObject(body: unknown): LosslessObject {
  if (typeof body === 'string') {
    try {
      const value = parseLossless(body);
      if (isLosslessObject(value)) return value;
    } catch {
      // Not JSON: said below.
    }
  }
  throw new ExchangeError('exchange/invalid', 'The body is not a FHIR resource.');
}
