import { introductionCodec } from '@careledger/custody';
import {
  bytes,
  type ConsentId,
  commitmentCodec,
  fixedBytes,
  hashCodec,
  list,
  type OrganizationId,
  optional,
  organizationId,
  publicKeyCodec,
  type StructOf,
  sha256,
  struct,
  text,
  uint,
} from '@careledger/primitives';
import type { Selectable } from 'kysely';
import { RESOURCE_BYTES_MAX } from '../../vault/index.ts';
import { ExchangeError } from '../errors.ts';
import type { ExchangeDatabase } from './exchange-database.ts';
import type { ConsentState, ExchangeTables } from './store-schema.ts';

const word = text({ bytesMax: 64 });
const consentFields = {
  introduction: introductionCodec,
  /** The Consent as posted, without its grant: what the commitment was made over. */
  posted: bytes({ bytesMax: RESOURCE_BYTES_MAX }),
  salt: fixedBytes(32),
  commitment: commitmentCodec,
  patientKey: publicKeyCodec,
  notBefore: uint,
  notAfter: uint,
  signature: fixedBytes(64),
  purposes: list(word, { countMax: 16 }),
  types: optional(list(word, { countMax: 256 })),
};
const consentCodec = struct(consentFields);
/** What a custodian keeps of a consent besides the resource. */
export type ConsentDetails = StructOf<typeof consentFields>;

export interface StoredConsent {
  readonly consentId: ConsentId;
  readonly patient: string;
  readonly resource: string;
  readonly recipient: OrganizationId;
  readonly state: ConsentState;
  readonly revokedAt: number | undefined;
  readonly entryId: Uint8Array;
  readonly details: ConsentDetails;
}

export interface NewConsent {
  readonly consentId: ConsentId;
  readonly patient: string;
  readonly resource: string;
  readonly entryId: Uint8Array;
  readonly details: ConsentDetails;
}

const VERSIONS_MAX = 1_000;
const retractedFields = {
  commitments: list(commitmentCodec, { countMax: VERSIONS_MAX }),
  retireKeys: list(hashCodec, { countMax: VERSIONS_MAX }),
};
const retractedCodec = struct(retractedFields);

/** One recipient is told that versions which it may have were taken back. */
export interface RetractionNotice extends StructOf<typeof retractedFields> {
  readonly id: Uint8Array;
  readonly recipient: OrganizationId;
  /** The wrong patient. */
  readonly patient: string;
  readonly madeAt: number;
}

/** What a custodian knows of handles and of the consents that were granted here. */
export class CustodianStore {
  readonly #database: ExchangeDatabase;

  constructor(database: ExchangeDatabase) {
    this.#database = database;
  }

  /** stores what a patient brought, once. @throws {@link ExchangeError} when the introduction was used before. */
  async addConsent(consent: NewConsent): Promise<void> {
    const { consentId, patient, resource, entryId, details } = consent;
    const { introduction } = details;
    await this.#database.inTurn(async (db) => {
      const sealed = await this.#database.seal({ patient, name: consentId }, consentCodec, details);
      const used = await db
        .insertInto('introduction_used')
        .values({ nonce: introduction.nonce, expires: introduction.expiresAt })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if (used.numInsertedOrUpdatedRows !== 1n) {
        throw new ExchangeError('exchange/introduction-invalid', 'The introduction was used before.');
      }
      const { recipient } = introduction;
      await db
        .insertInto('consent')
        .values({
          ...{ consent: consentId, patient, resource, recipient, sealed },
          state: 'granting',
          revoked: null,
          entry: entryId,
        })
        .execute();
      await db
        .insertInto('handle')
        .values({ handle_hash: sha256(introduction.handle), patient, recipient, consent: consentId })
        .execute();
    });
  }

  async isIntroductionUsed(nonce: Uint8Array): Promise<boolean> {
    const row = await this.#database.db
      .selectFrom('introduction_used')
      .select('expires')
      .where('nonce', '=', nonce)
      .executeTakeFirst();
    return row !== undefined;
  }

  async setConsentState(consentId: ConsentId, state: ConsentState): Promise<void> {
    await this.#database.inTurn((db) =>
      db.updateTable('consent').set({ state }).where('consent', '=', consentId).execute(),
    );
  }

  /** Makes the revocation durable: every release reads it under the consent's lock. The first time stays. */
  async markRevoked(consentId: ConsentId, revokedAt: number): Promise<void> {
    await this.#database.inTurn((db) =>
      db
        .updateTable('consent')
        .set({ revoked: revokedAt })
        .where('consent', '=', consentId)
        .where('revoked', 'is', null)
        .execute(),
    );
  }

  async consent(consentId: ConsentId): Promise<StoredConsent | undefined> {
    const row = await this.#database.db
      .selectFrom('consent')
      .selectAll()
      .where('consent', '=', consentId)
      .executeTakeFirst();
    return row && this.#openConsents([row])[0];
  }

  async consentByResource(resource: string): Promise<StoredConsent | undefined> {
    const row = await this.#database.db
      .selectFrom('consent')
      .selectAll()
      .where('resource', '=', resource)
      .executeTakeFirst();
    return row && this.#openConsents([row])[0];
  }

  /** Consents of one patient to one recipient that the custodian has not revoked. */
  async consentsOf(patient: string, recipient: OrganizationId): Promise<readonly StoredConsent[]> {
    const rows = await this.#database.db
      .selectFrom('consent')
      .selectAll()
      .where('patient', '=', patient)
      .where('recipient', '=', recipient)
      .where('state', '=', 'granted')
      .execute();
    return this.#openConsents(rows);
  }

  /** Consents that a crash or a lost quorum left half-way: not final yet, or revoked here. */
  async unfinishedConsents(): Promise<readonly StoredConsent[]> {
    const rows = await this.#database.db
      .selectFrom('consent')
      .selectAll()
      .where((where) =>
        where.or([
          where('state', '=', 'granting'),
          where.and([where('state', '=', 'granted'), where('revoked', 'is not', null)]),
        ]),
      )
      .execute();
    return this.#openConsents(rows);
  }

  /** whose handle this is. */
  async handle(
    handle: Uint8Array,
  ): Promise<
    | { readonly patient: string; readonly recipient: string; readonly consentId: ConsentId | undefined }
    | undefined
  > {
    const row = await this.#database.db
      .selectFrom('handle')
      .selectAll()
      .where('handle_hash', '=', sha256(handle))
      .executeTakeFirst();
    if (!row || this.#database.isErased(row.patient)) return undefined;
    const consentId = row.consent === null ? undefined : (new Uint8Array(row.consent) as ConsentId);
    return { patient: row.patient, recipient: row.recipient, consentId };
  }

  /** a handle that stands on no consent, where the rules need none. */
  async addHandle(handle: Uint8Array, patient: string, recipient: OrganizationId): Promise<void> {
    await this.#database.inTurn((db) =>
      db
        .insertInto('handle')
        .values({ handle_hash: sha256(handle), patient, recipient, consent: null })
        .execute(),
    );
  }

  /** Notices to be sent once the ledger says so. */
  async addRetractions(notices: readonly RetractionNotice[]): Promise<void> {
    await this.#database.inTurn(async (db) => {
      for (const { id, recipient, patient, madeAt, commitments, retireKeys } of notices) {
        const versions = retractedCodec.encode({ commitments, retireKeys });
        await db
          .insertInto('retraction')
          .values({ id, recipient, patient, made: madeAt, acknowledged: null, versions })
          .execute();
      }
    });
  }

  /** What they announce did not happen. */
  async dropRetractions(ids: readonly Uint8Array[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#database.inTurn((db) => db.deleteFrom('retraction').where('id', 'in', ids).execute());
  }

  async openRetractions(): Promise<readonly RetractionNotice[]> {
    const rows = await this.#database.db
      .selectFrom('retraction')
      .selectAll()
      .where('acknowledged', 'is', null)
      .orderBy('made')
      .execute();
    return rows.map(({ id, recipient, patient, made, versions }) => ({
      ...{ id: new Uint8Array(id), recipient: organizationId(recipient), patient, madeAt: made },
      ...retractedCodec.decode(new Uint8Array(versions)),
    }));
  }

  async acknowledgeRetraction(id: Uint8Array, acknowledged: number): Promise<void> {
    await this.#database.inTurn((db) =>
      db.updateTable('retraction').set({ acknowledged }).where('id', '=', id).execute(),
    );
  }

  #openConsents(rows: readonly Selectable<ExchangeTables['consent']>[]): readonly StoredConsent[] {
    return rows
      .filter(({ patient }) => !this.#database.isErased(patient))
      .map((row) => this.#openConsent(row));
  }

  #openConsent(row: Selectable<ExchangeTables['consent']>): StoredConsent {
    return {
      consentId: new Uint8Array(row.consent) as ConsentId,
      patient: row.patient,
      resource: row.resource,
      recipient: organizationId(row.recipient),
      state: row.state,
      revokedAt: row.revoked ?? undefined,
      entryId: new Uint8Array(row.entry),
      details: this.#database.open({ patient: row.patient, name: row.consent }, consentCodec, row.sealed),
    };
  }
}
