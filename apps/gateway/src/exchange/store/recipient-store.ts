import { handleCodec, type PatientHandle, pageEvidenceCodec, recordEvidenceCodec } from '@careledger/custody';
import {
  bytes,
  type ConsentId,
  type OrganizationId,
  organizationId,
  type StructOf,
  sha256,
  struct,
} from '@careledger/primitives';
import type { Selectable } from 'kysely';
import { RESOURCE_BYTES_MAX } from '../../vault/index.ts';
import type { ExchangeDatabase } from './exchange-database.ts';
import type { ExchangeTables } from './store-schema.ts';

const copyFields = {
  /** Exactly the custodian's bytes. */
  verbatim: bytes({ bytesMax: RESOURCE_BYTES_MAX }),
  evidence: recordEvidenceCodec,
  page: pageEvidenceCodec,
  disclosureLeaf: bytes({ bytesMax: 8 * 1024 }),
};
const copyCodec = struct(copyFields);
export type CopyDetails = StructOf<typeof copyFields>;

export interface Introduced {
  readonly tagHash: Uint8Array;
  readonly patient: string;
  readonly custodian: OrganizationId;
  readonly purpose: string;
  readonly handle: PatientHandle;
}

export interface Located extends Introduced {
  readonly consentId: ConsentId;
  readonly entryId: Uint8Array;
  /** Block time in milliseconds. */
  readonly foundAt: number;
  readonly isWithdrawn: boolean;
}

/** Where a copy came from, as its custodian names it. */
export interface CopySource {
  readonly custodian: string;
  readonly reference: string;
  readonly version: string;
}

/** A verbatim copy and the local record made of it. */
export interface Copy {
  readonly patient: string;
  readonly type: string;
  readonly id: string;
  readonly isWithdrawn: boolean;
  readonly details: CopyDetails;
}

export interface NewCopy {
  readonly commitment: Uint8Array;
  readonly patient: string;
  readonly custodian: OrganizationId;
  readonly source: string;
  readonly sourceVersion: string;
  readonly type: string;
  readonly id: string;
  readonly filedAt: number;
  readonly details: CopyDetails;
}

/** What a recipient knows: whom it introduced, where their records are, and what it has fetched. */
export class RecipientStore {
  readonly #database: ExchangeDatabase;

  constructor(database: ExchangeDatabase) {
    this.#database = database;
  }

  /** remembers an introduction that its desk made. */
  async addIntroduced(introduction: {
    readonly patient: string;
    readonly locatorTag: Uint8Array;
    readonly custodian: OrganizationId;
    readonly purpose: string;
    readonly expiresAt: number;
    readonly handle: PatientHandle;
  }): Promise<void> {
    const { patient, custodian, purpose, expiresAt } = introduction;
    const tagHash = sha256(introduction.locatorTag);
    await this.#database.inTurn(async (db) => {
      const place = { patient, name: tagHash };
      const sealed = await this.#database.seal(place, handleCodec, introduction.handle);
      const row = { tag_hash: tagHash, patient, custodian, purpose, expires: expiresAt, sealed };
      await db.insertInto('introduced').values(row).execute();
    });
  }

  async introduced(locatorTag: Uint8Array): Promise<Introduced | undefined> {
    const row = await this.#database.db
      .selectFrom('introduced')
      .selectAll()
      .where('tag_hash', '=', sha256(locatorTag))
      .executeTakeFirst();
    return row && !this.#database.isErased(row.patient) ? this.#openIntroduced(row) : undefined;
  }

  async addLocation(location: {
    readonly consentId: ConsentId;
    readonly tagHash: Uint8Array;
    readonly entryId: Uint8Array;
    readonly foundAt: number;
  }): Promise<void> {
    const { consentId, tagHash, entryId, foundAt } = location;
    await this.#database.inTurn((db) =>
      db
        .insertInto('location')
        .values({ consent: consentId, tag_hash: tagHash, entry: entryId, found: foundAt, withdrawn: 0 })
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    );
  }

  /** The custodian took its entry back. We still know where we were: asking there again is refused and on record there. */
  async withdrawLocation(entryId: Uint8Array, withdrawnAt: number): Promise<void> {
    await this.#database.inTurn((db) =>
      db.updateTable('location').set({ withdrawn: withdrawnAt }).where('entry', '=', entryId).execute(),
    );
  }

  /** Where this patient's records are known to be. */
  async locationsOf(patient: string): Promise<readonly Located[]> {
    const rows = await this.#database.db
      .selectFrom('location')
      .innerJoin('introduced', 'introduced.tag_hash', 'location.tag_hash')
      .selectAll()
      .where('introduced.patient', '=', patient)
      .orderBy('location.found')
      .execute();
    if (this.#database.isErased(patient)) return [];
    return rows.map((row) => ({
      ...this.#openIntroduced(row),
      consentId: new Uint8Array(row.consent) as ConsentId,
      entryId: new Uint8Array(row.entry),
      foundAt: row.found,
      isWithdrawn: row.withdrawn !== 0,
    }));
  }

  async addCopies(copies: readonly NewCopy[]): Promise<void> {
    await this.#database.inTurn(async (db) => {
      for (const copy of copies) {
        const { commitment, patient, custodian, source, sourceVersion, type, id, filedAt, details } = copy;
        const sealed = await this.#database.seal({ patient, name: commitment }, copyCodec, details);
        const row = { commitment, patient, custodian, source, source_version: sourceVersion };
        await db
          .insertInto('copy')
          .values({ ...row, type, id, filed: filedAt, sealed, withdrawn: 0 })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
    });
  }

  /** The newest local copy of a custodian's record. */
  async copyOf(
    custodian: OrganizationId,
    source: string,
  ): Promise<{ readonly commitment: Uint8Array; readonly type: string; readonly id: string } | undefined> {
    const row = await this.#database.db
      .selectFrom('copy')
      .select(['commitment', 'type', 'id'])
      .where('custodian', '=', custodian)
      .where('source', '=', source)
      .orderBy('filed', 'desc')
      .executeTakeFirst();
    return row && { commitment: new Uint8Array(row.commitment), type: row.type, id: row.id };
  }

  /** Where each of a patient's local copies was fetched from, by its local reference; the newest fetch counts. */
  async sourcesOf(patient: string): Promise<ReadonlyMap<string, CopySource>> {
    const rows = await this.#database.db
      .selectFrom('copy')
      .select(['custodian', 'source', 'source_version', 'type', 'id'])
      .where('patient', '=', patient)
      .orderBy('filed')
      .execute();
    return new Map(
      rows.map(({ custodian, source, source_version, type, id }) => [
        `${type}/${id}`,
        { custodian, reference: source, version: source_version },
      ]),
    );
  }

  /** The verbatim copy behind a local record, with everything that proves it. */
  async copyBehind(type: string, id: string): Promise<CopyDetails | undefined> {
    const row = await this.#database.db
      .selectFrom('copy')
      .selectAll()
      .where('type', '=', type)
      .where('id', '=', id)
      .orderBy('filed', 'desc')
      .executeTakeFirst();
    return row && this.#database.open({ patient: row.patient, name: row.commitment }, copyCodec, row.sealed);
  }

  /** Our copy of exactly this version of a custodian's. */
  async copyWith(custodian: OrganizationId, commitment: Uint8Array): Promise<Copy | undefined> {
    const row = await this.#database.db
      .selectFrom('copy')
      .selectAll()
      .where('custodian', '=', custodian)
      .where('commitment', '=', commitment)
      .executeTakeFirst();
    if (!row || this.#database.isErased(row.patient)) return undefined;
    const { patient, type, id, withdrawn } = row;
    const details = this.#database.open({ patient, name: row.commitment }, copyCodec, row.sealed);
    return { patient, type, id, isWithdrawn: withdrawn !== 0, details };
  }

  /** The custodian took it back. It stays: what was seen was seen. */
  async withdrawCopy(commitment: Uint8Array, withdrawnAt: number): Promise<void> {
    await this.#database.inTurn((db) =>
      db.updateTable('copy').set({ withdrawn: withdrawnAt }).where('commitment', '=', commitment).execute(),
    );
  }

  #openIntroduced(row: Selectable<ExchangeTables['introduced']>): Introduced {
    return {
      tagHash: new Uint8Array(row.tag_hash),
      patient: row.patient,
      custodian: organizationId(row.custodian),
      purpose: row.purpose,
      handle: this.#database.open({ patient: row.patient, name: row.tag_hash }, handleCodec, row.sealed),
    };
  }
}
