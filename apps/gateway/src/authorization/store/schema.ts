import type { Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';

/** Times are seconds since 1970-01-01T00:00:00Z. */
export interface AuthorizationTables {
  /** The library's own entries: sessions, codes, tokens, grants. */
  readonly oidc_entry: {
    readonly model: string;
    readonly id_hash: string;
    readonly payload: string;
    readonly uid: string | null;
    readonly grant_id: string | null;
    readonly consumed_at: number | null;
    readonly expires_at: number;
  };
  readonly launch: { readonly id_hash: string; readonly context: string; readonly expires_at: number };
  readonly grant_context: {
    readonly grant_id: string;
    readonly context: string;
    readonly expires_at: number;
  };
  readonly failure: { readonly key_hash: string; readonly count: number; readonly expires_at: number };
}

const MIGRATIONS: Record<string, Migration> = {
  '0001-authorization': {
    async up(db) {
      await db.schema
        .createTable('oidc_entry')
        .addColumn('model', 'text', (column) => column.notNull())
        .addColumn('id_hash', 'text', (column) => column.notNull())
        .addColumn('payload', 'text', (column) => column.notNull())
        .addColumn('uid', 'text')
        .addColumn('grant_id', 'text')
        .addColumn('consumed_at', 'integer')
        .addColumn('expires_at', 'integer', (column) => column.notNull())
        .addPrimaryKeyConstraint('oidc_entry_identity', ['model', 'id_hash'])
        .execute();
      for (const column of ['uid', 'grant_id', 'expires_at']) {
        await db.schema.createIndex(`oidc_entry_${column}`).on('oidc_entry').column(column).execute();
      }
      for (const [table, key, value, type] of [
        ['launch', 'id_hash', 'context', 'text'],
        ['grant_context', 'grant_id', 'context', 'text'],
        ['failure', 'key_hash', 'count', 'integer'],
      ] as const) {
        await db.schema
          .createTable(table)
          .addColumn(key, 'text', (column) => column.primaryKey())
          .addColumn(value, type, (column) => column.notNull())
          .addColumn('expires_at', 'integer', (column) => column.notNull())
          .execute();
      }
    },
  },
};

/** Brings the file to this version's schema. @throws when a newer version has been at work on it. */
export async function createTables(db: Kysely<AuthorizationTables>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
  const { error } = await migrator.migrateToLatest();
  if (error) throw new Error('the authorization store cannot be brought to this version', { cause: error });
}
