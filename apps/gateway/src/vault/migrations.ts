import type { Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { VaultError } from './errors.ts';

/** Column types by database: the only place where SQLite and PostgreSQL differ. */
export interface ColumnTypes {
  readonly bytes: 'blob' | 'bytea';
  /** 64-bit integer. */
  readonly integer: 'integer' | 'bigint';
}

export const SQLITE_COLUMNS: ColumnTypes = { bytes: 'blob', integer: 'integer' };
export const POSTGRESQL_COLUMNS: ColumnTypes = { bytes: 'bytea', integer: 'bigint' };

/** A migration knows no tables yet: each one makes its own. */
type Schema = Pick<Kysely<unknown>, 'schema'>;

async function createVersions(db: Schema, { bytes, integer }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('version')
    .addColumn('seq', integer, (column) => column.primaryKey())
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('version', integer, (column) => column.notNull())
    .addColumn('time', integer, (column) => column.notNull())
    .addColumn('deleted', integer, (column) => column.notNull())
    .addColumn('current', integer, (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('validation', 'text', (column) => column.notNull())
    .addColumn('validator', 'text', (column) => column.notNull())
    .addColumn('leaf', bytes, (column) => column.notNull())
    .addColumn('leaf_hash', bytes, (column) => column.notNull())
    .addColumn('envelope', bytes, (column) => column.notNull())
    .addColumn('batch', integer)
    .addColumn('leaf_proof', bytes)
    .addUniqueConstraint('version_identity', ['type', 'id', 'version'])
    .execute();
  await db.schema.createIndex('version_batch').on('version').column('batch').execute();
  await db.schema
    .createTable('version_key')
    .addColumn('seq', integer, (column) => column.notNull().references('version.seq'))
    .addColumn('key_name', 'text', (column) => column.notNull())
    .addColumn('wrapped', bytes, (column) => column.notNull())
    .addPrimaryKeyConstraint('version_key_identity', ['seq', 'key_name'])
    .execute();
  await db.schema.createIndex('version_key_name').on('version_key').column('key_name').execute();
}

async function createOutbox(db: Schema, { bytes, integer }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('outbox')
    .addColumn('seq', integer, (column) => column.primaryKey().references('version.seq'))
    .addColumn('queued', integer, (column) => column.notNull())
    .addColumn('retire_secret', bytes)
    .addColumn('batch', integer)
    .execute();
  await db.schema.createIndex('outbox_batch').on('outbox').column('batch').execute();
  await db.schema
    .createTable('batch')
    .addColumn('batch', integer, (column) => column.primaryKey())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('body', bytes, (column) => column.notNull())
    .addColumn('transaction_id', bytes, (column) => column.notNull())
    .addColumn('transaction_bytes', bytes, (column) => column.notNull())
    .addColumn('expires', integer, (column) => column.notNull())
    .addColumn('leaf_count', integer, (column) => column.notNull())
    .addColumn('height', integer)
    .addColumn('position', integer)
    .addColumn('anchored', integer)
    .execute();
  await db.schema.createIndex('batch_state').on('batch').column('state').execute();
}

async function createRest(db: Schema, { bytes, integer }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('import_source')
    .addColumn('token', bytes, (column) => column.primaryKey())
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('content', bytes)
    .execute();
  await db.schema
    .createTable('counter')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', integer, (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('property')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute();
}

async function createDocuments(db: Schema, { bytes, integer }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('document')
    .addColumn('seq', integer, (column) => column.primaryKey().references('version.seq'))
    .addColumn('name', 'text')
    .addColumn('leaf', bytes)
    .addColumn('leaf_hash', bytes)
    .addColumn('retire_secret', bytes)
    .addColumn('leaf_proof', bytes)
    .execute();
  await db.schema.createIndex('document_name').on('document').column('name').execute();
}

async function createImportLinks(db: Schema, { bytes, integer }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('import_link')
    .addColumn('token', bytes, (column) => column.primaryKey())
    .addColumn('source', bytes, (column) => column.notNull())
    .addColumn('source_version', bytes)
    .addColumn('version', integer, (column) => column.notNull())
    .execute();
  await db.schema.createIndex('import_link_source').on('import_link').columns(['source', 'token']).execute();
}

async function addPriority(db: Schema): Promise<void> {
  await db.schema
    .alterTable('outbox')
    .addColumn('priority', 'text', (column) => column.notNull().defaultTo('routine'))
    .execute();
  await db.schema.createIndex('outbox_waiting').on('outbox').columns(['priority', 'batch', 'seq']).execute();
}

/** A type's history and an export walk along the versions of one type in the vault's order. */
async function indexTypes(db: Schema): Promise<void> {
  await db.schema.createIndex('version_type').on('version').columns(['type', 'seq']).execute();
}

/** Forward only, one set for every database, never changed once released. */
export function vaultMigrations(columns: ColumnTypes): Record<string, Migration> {
  return {
    '0001-records': {
      async up(db) {
        await createVersions(db, columns);
        await createOutbox(db, columns);
        await createRest(db, columns);
      },
    },
    '0002-documents': {
      async up(db) {
        await createDocuments(db, columns);
      },
    },
    '0003-import-links': {
      async up(db) {
        await createImportLinks(db, columns);
      },
    },
    '0004-priority': {
      async up(db) {
        await addPriority(db);
      },
    },
    '0005-type-history': {
      async up(db) {
        await indexTypes(db);
      },
    },
  };
}

/**
 * Brings a database to this version's schema.
 * @throws {@link VaultError} `vault/other-version` when a newer version has been at work on it.
 */
export async function migrate<Tables>(
  db: Kysely<Tables>,
  migrations: Record<string, Migration>,
): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error } = await migrator.migrateToLatest();
  if (error)
    throw new VaultError('vault/other-version', 'the vault cannot be brought to this version', {
      cause: error,
    });
}
