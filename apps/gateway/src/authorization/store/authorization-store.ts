import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { openSqlite } from '../../vault/node-sqlite.ts';
import { FAILURE_WINDOW_SECONDS, PURGE_SECONDS } from '../limits.ts';
import { type AuthorizationTables, createTables } from './schema.ts';

/** An app's launch for one patient, as the EHR made it. */
export interface LaunchContext {
  readonly patient: string;
  readonly encounter?: string;
  /** The user who may approve it; anyone who may see the patient where a system made it. */
  readonly subject?: string;
  readonly needPatientBanner?: boolean;
}

/** What a grant is about besides its scopes. */
export type GrantContext = Omit<LaunchContext, 'subject' | 'patient'> & {
  readonly patient?: string;
  /** The grant has a `patient/` scope: what it gives is this patient's alone. */
  readonly isBound?: boolean;
};

/** A bearer secret is kept as its hash: who reads the file cannot use what stands in it. */
export function secretHash(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/**
 * What the authorization server must remember: sessions, grants, refresh tokens, what was used up. A file of its own, in
 * which no person is named: subject ids, and for an app's context the random id of a Patient.
 */
export class AuthorizationStore {
  readonly db: Kysely<AuthorizationTables>;
  readonly #now: () => number;
  #nextPurgeAt = 0;

  private constructor(db: Kysely<AuthorizationTables>, now: () => number) {
    this.db = db;
    this.#now = now;
  }

  /** Opens the store in this folder; without one it lives in memory, for tests. `now` is in milliseconds. */
  static async open(folder: string | undefined, now: () => number): Promise<AuthorizationStore> {
    if (folder !== undefined) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = folder === undefined ? ':memory:' : join(folder, 'authorization.sqlite');
    const db = openSqlite<AuthorizationTables>({ path, durability: 'full' });
    await createTables(db);
    return new AuthorizationStore(db, now);
  }

  /** Seconds since 1970-01-01T00:00:00Z. */
  seconds(): number {
    return Math.floor(this.#now() / 1000);
  }

  /** Deletes what has expired, now and then: an expired row is never handed out anyway. */
  async purge(): Promise<void> {
    const now = this.seconds();
    if (now < this.#nextPurgeAt) return;
    this.#nextPurgeAt = now + PURGE_SECONDS;
    await this.db.deleteFrom('oidc_entry').where('expires_at', '<=', now).execute();
    await this.db.deleteFrom('launch').where('expires_at', '<=', now).execute();
    await this.db.deleteFrom('grant_context').where('expires_at', '<=', now).execute();
    await this.db.deleteFrom('failure').where('expires_at', '<=', now).execute();
  }

  async addLaunch(secret: string, context: LaunchContext, seconds: number): Promise<void> {
    await this.purge();
    const row = {
      id_hash: secretHash(secret),
      context: JSON.stringify(context),
      expires_at: this.seconds() + seconds,
    };
    await this.db.insertInto('launch').values(row).execute();
  }

  async findLaunch(secret: string): Promise<LaunchContext | undefined> {
    const row = await this.db
      .selectFrom('launch')
      .select('context')
      .where('id_hash', '=', secretHash(secret))
      .where('expires_at', '>', this.seconds())
      .executeTakeFirst();
    return row && (JSON.parse(row.context) as LaunchContext);
  }

  /** Uses a launch up. @returns Whether it was there to be used: of two at once, one. */
  async consumeLaunch(secret: string): Promise<boolean> {
    const gone = await this.db
      .deleteFrom('launch')
      .where('id_hash', '=', secretHash(secret))
      .where('expires_at', '>', this.seconds())
      .executeTakeFirst();
    return gone.numDeletedRows === 1n;
  }

  async setGrantContext(grantId: string, context: GrantContext, seconds: number): Promise<void> {
    const row = { grant_id: grantId, context: JSON.stringify(context), expires_at: this.seconds() + seconds };
    await this.db.insertInto('grant_context').values(row).execute();
  }

  async grantContext(grantId: string): Promise<GrantContext> {
    const row = await this.db
      .selectFrom('grant_context')
      .select('context')
      .where('grant_id', '=', grantId)
      .executeTakeFirst();
    return row ? (JSON.parse(row.context) as GrantContext) : {};
  }

  /** How many failures are counted against this key. */
  async failures(key: string): Promise<number> {
    const row = await this.db
      .selectFrom('failure')
      .select('count')
      .where('key_hash', '=', secretHash(key))
      .where('expires_at', '>', this.seconds())
      .executeTakeFirst();
    return row?.count ?? 0;
  }

  /** Counts one more failure; the newest one decides how long they are remembered. */
  async addFailure(key: string): Promise<void> {
    await this.purge();
    const count = (await this.failures(key)) + 1;
    const row = { count, expires_at: this.seconds() + FAILURE_WINDOW_SECONDS };
    await this.db
      .insertInto('failure')
      .values({ key_hash: secretHash(key), ...row })
      .onConflict((conflict) => conflict.column('key_hash').doUpdateSet(row))
      .execute();
  }

  async clearFailures(key: string): Promise<void> {
    await this.db.deleteFrom('failure').where('key_hash', '=', secretHash(key)).execute();
  }

  close(): Promise<void> {
    return this.db.destroy();
  }
}
