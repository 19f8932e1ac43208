import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { ColumnTypes } from '../../vault/index.ts';

/**
 * Who is meant by which random value. Everything that says something is in `sealed`, under the patient's own key: who
 * destroys that key destroys handles and salts with it. What stands in clear is random, or an organization.
 */
export interface ExchangeTables {
  /** At the custodian: handles that patients brought. */
  handle: { handle_hash: Uint8Array; patient: string; recipient: string; consent: Uint8Array | null };
  /** At the custodian: introductions are used once. */
  introduction_used: { nonce: Uint8Array; expires: number };
  /** At the custodian: consents granted here. */
  consent: {
    consent: Uint8Array;
    patient: string;
    /** Id of the Consent resource in the vault. */
    resource: string;
    recipient: string;
    state: ConsentState;
    /** When the custodian applied the revocation under the lock, in milliseconds. */
    revoked: number | null;
    /** Id of the locator entry. */
    entry: Uint8Array;
    sealed: Uint8Array;
  };
  /** At the recipient: introductions made by its desk. */
  introduced: {
    tag_hash: Uint8Array;
    patient: string;
    custodian: string;
    purpose: string;
    expires: number;
    sealed: Uint8Array;
  };
  /** At the recipient: what its locator entries say. */
  /** `withdrawn` is when the custodian took its entry back, in milliseconds; 0 while it stands. */
  location: {
    consent: Uint8Array;
    tag_hash: Uint8Array;
    entry: Uint8Array;
    found: number;
    withdrawn: number;
  };
  /** At the recipient: verbatim copies with their evidence. */
  copy: {
    commitment: Uint8Array;
    patient: string;
    custodian: string;
    /** `Observation/7f3c` at the custodian. */
    source: string;
    source_version: string;
    /** The local record made of it. */
    type: string;
    id: string;
    filed: number;
    sealed: Uint8Array;
    /** When the custodian took it back, in milliseconds; 0 while it stands. */
    withdrawn: number;
  };
  /** At the custodian: notices that a record stood in the wrong chart, until the recipient has acknowledged. */
  retraction: {
    id: Uint8Array;
    recipient: string;
    /** The wrong patient. */
    patient: string;
    made: number;
    acknowledged: number | null;
    /** CBOR of commitments and retire keys: they say nothing without their salts. */
    versions: Uint8Array;
  };
  progress: { name: string; height: number };
}

/** `granting`: on its way to the ledger; `granted`: final, located; `refused` by the ledger; `revoked`: finally, everywhere. */
export type ConsentState = 'granting' | 'granted' | 'refused' | 'revoked';

type Schema = Pick<Kysely<unknown>, 'schema'>;

async function createCustodianTables(db: Schema, { bytes, integer }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('handle')
    .addColumn('handle_hash', bytes, (column) => column.primaryKey())
    .addColumn('patient', 'text', (column) => column.notNull())
    .addColumn('recipient', 'text', (column) => column.notNull())
    .addColumn('consent', bytes)
    .execute();
  await db.schema
    .createTable('introduction_used')
    .addColumn('nonce', bytes, (column) => column.primaryKey())
    .addColumn('expires', integer, (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('consent')
    .addColumn('consent', bytes, (column) => column.primaryKey())
    .addColumn('patient', 'text', (column) => column.notNull())
    .addColumn('resource', 'text', (column) => column.notNull().unique())
    .addColumn('recipient', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('revoked', integer)
    .addColumn('entry', bytes, (column) => column.notNull())
    .addColumn('sealed', bytes, (column) => column.notNull())
    .execute();
  await db.schema.createIndex('consent_patient').on('consent').column('patient').execute();
}

async function createRecipientTables(db: Schema, { bytes, integer }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('introduced')
    .addColumn('tag_hash', bytes, (column) => column.primaryKey())
    .addColumn('patient', 'text', (column) => column.notNull())
    .addColumn('custodian', 'text', (column) => column.notNull())
    .addColumn('purpose', 'text', (column) => column.notNull())
    .addColumn('expires', integer, (column) => column.notNull())
    .addColumn('sealed', bytes, (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('location')
    .addColumn('consent', bytes, (column) => column.primaryKey())
    .addColumn('tag_hash', bytes, (column) => column.notNull())
    .addColumn('entry', bytes, (column) => column.notNull())
    .addColumn('found', integer, (column) => column.notNull())
    .addColumn('withdrawn', integer, (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('copy')
    .addColumn('commitment', bytes, (column) => column.primaryKey())
    .addColumn('patient', 'text', (column) => column.notNull())
    .addColumn('custodian', 'text', (column) => column.notNull())
    .addColumn('source', 'text', (column) => column.notNull())
    .addColumn('source_version', 'text', (column) => column.notNull())
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('filed', integer, (column) => column.notNull())
    .addColumn('sealed', bytes, (column) => column.notNull())
    .execute();
  await db.schema.createIndex('copy_source').on('copy').columns(['custodian', 'source']).execute();
  await db.schema
    .createTable('progress')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('height', integer, (column) => column.notNull())
    .execute();
}

async function createRetractions(db: Schema, { bytes, integer }: ColumnTypes): Promise<void> {
  await db.schema
    .alterTable('copy')
    .addColumn('withdrawn', integer, (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .createTable('retraction')
    .addColumn('id', bytes, (column) => column.primaryKey())
    .addColumn('recipient', 'text', (column) => column.notNull())
    .addColumn('patient', 'text', (column) => column.notNull())
    .addColumn('made', integer, (column) => column.notNull())
    .addColumn('acknowledged', integer)
    .addColumn('versions', bytes, (column) => column.notNull())
    .execute();
}

/** Forward only, one set for every database. */
export function exchangeMigrations(columns: ColumnTypes): Record<string, Migration> {
  return {
    '0001-exchange': {
      async up(db) {
        await createCustodianTables(db, columns);
        await createRecipientTables(db, columns);
      },
    },
    '0002-retractions': {
      async up(db) {
        await createRetractions(db, columns);
      },
    },
  };
}
