import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export interface IndexTables {
  /** Current versions. `seq` is the version's place in the vault. */
  entry: { seq: number; type: string; id: string; time: number };
  /** Patients (local ids) whose records these are. */
  subject: { seq: number; patient: string };
  /** Keyed hashes of search values. */
  token: { token: Uint8Array; seq: number };
  /** Ends of dates and periods in milliseconds. */
  date: { seq: number; parameter: string; low: number; high: number };
  progress: { name: string; seq: number };
}

type Schema = Pick<Kysely<unknown>, 'schema'>;

async function createTables({ schema }: Schema): Promise<void> {
  await schema
    .createTable('entry')
    .addColumn('seq', 'integer', (column) => column.primaryKey())
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('time', 'integer', (column) => column.notNull())
    .addUniqueConstraint('entry_identity', ['type', 'id'])
    .execute();
  await schema.createIndex('entry_type').on('entry').columns(['type', 'seq']).execute();
  await schema
    .createTable('subject')
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('patient', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('subject_identity', ['seq', 'patient'])
    .execute();
  await schema.createIndex('subject_patient').on('subject').columns(['patient', 'seq']).execute();
  await schema
    .createTable('token')
    .addColumn('token', 'blob', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .execute();
  await schema.createIndex('token_value').on('token').columns(['token', 'seq']).execute();
  await schema.createIndex('token_entry').on('token').column('seq').execute();
  await schema
    .createTable('date')
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('parameter', 'text', (column) => column.notNull())
    .addColumn('low', 'integer', (column) => column.notNull())
    .addColumn('high', 'integer', (column) => column.notNull())
    .execute();
  await schema.createIndex('date_entry').on('date').columns(['seq', 'parameter', 'low', 'high']).execute();
  await schema
    .createTable('progress')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .execute();
}

/** The index is derived: a new shape may drop everything and have it rebuilt. */
export function indexMigrations(): Record<string, Migration> {
  return { '0001-index': { up: createTables } };
}
