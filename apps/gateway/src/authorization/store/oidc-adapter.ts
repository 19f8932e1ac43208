import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import { type AuthorizationStore, secretHash } from './authorization-store.ts';

/** The library finds a session by its uid too, when the id, which stands in the signed cookie, is not at hand. */
const KEEPS_ITS_ID = 'Session';

interface StoredEntry {
  readonly payload: string;
  readonly consumed_at: number | null;
}

/** One of the library's models over {@link AuthorizationStore}. */
export class OidcAdapter implements Adapter {
  readonly #store: AuthorizationStore;
  readonly #model: string;

  constructor(store: AuthorizationStore, model: string) {
    this.#store = store;
    this.#model = model;
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void> {
    await this.#store.purge();
    const { jti, ...rest } = payload;
    const kept = this.#model === KEEPS_ITS_ID ? payload : rest;
    const row = {
      payload: JSON.stringify(kept),
      uid: payload.uid ?? null,
      grant_id: payload.grantId ?? null,
      expires_at: this.#store.seconds() + expiresIn,
    };
    await this.#store.db
      .insertInto('oidc_entry')
      .values({ model: this.#model, id_hash: secretHash(id), consumed_at: null, ...row })
      .onConflict((conflict) => conflict.columns(['model', 'id_hash']).doUpdateSet(row))
      .execute();
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const row = await this.#select().where('id_hash', '=', secretHash(id)).executeTakeFirst();
    return row && { ...payloadOf(row), jti: id };
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    const row = await this.#select().where('uid', '=', uid).executeTakeFirst();
    return row && payloadOf(row);
  }

  /** There is no device flow here. */
  async findByUserCode(): Promise<undefined> {
    return undefined;
  }

  /** Marks as used. @throws `invalid_grant` for the second of two at once: a code or a refresh token is used once. */
  async consume(id: string): Promise<void> {
    const changed = await this.#store.db
      .updateTable('oidc_entry')
      .set({ consumed_at: this.#store.seconds() })
      .where('model', '=', this.#model)
      .where('id_hash', '=', secretHash(id))
      .where('consumed_at', 'is', null)
      .executeTakeFirst();
    if (changed.numUpdatedRows !== 1n) throw new errors.InvalidGrant('already used');
  }

  async destroy(id: string): Promise<void> {
    await this.#store.db
      .deleteFrom('oidc_entry')
      .where('model', '=', this.#model)
      .where('id_hash', '=', secretHash(id))
      .execute();
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await this.#store.db.deleteFrom('oidc_entry').where('grant_id', '=', grantId).execute();
    await this.#store.db.deleteFrom('grant_context').where('grant_id', '=', grantId).execute();
  }

  #select() {
    return this.#store.db
      .selectFrom('oidc_entry')
      .select(['payload', 'consumed_at'])
      .where('model', '=', this.#model)
      .where('expires_at', '>', this.#store.seconds());
  }
}

function payloadOf(row: StoredEntry): AdapterPayload {
  const payload = JSON.parse(row.payload) as AdapterPayload;
  return row.consumed_at === null ? payload : { ...payload, consumed: row.consumed_at };
}
