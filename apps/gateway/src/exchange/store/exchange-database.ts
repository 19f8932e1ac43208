import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Codec, encodeCbor } from '@careledger/primitives';
import type { Kysely } from 'kysely';
import { type Keystore, subjectKey } from '../../keystore/index.ts';
import { migrate, openSqlite, type RewrapCount, SQLITE_COLUMNS } from '../../vault/index.ts';
import { ExchangeError } from '../errors.ts';
import { type ExchangeTables, exchangeMigrations } from './store-schema.ts';

const DOMAIN = 'careledger/exchange/1';

export interface ExchangeDatabaseOptions {
  /** The vault's folder: who is meant by a random value is patient data. */
  readonly folder: string;
  readonly keystore: Pick<Keystore, 'wrap' | 'unwrap' | 'rewrap' | 'ensure' | 'has'>;
}

/** Something sealed under a patient's key, and what it belongs to. */
export interface SealedPlace {
  readonly patient: string;
  /** Random bytes that name the row. */
  readonly name: Uint8Array;
}

/** The file of the pairwise secrets, and the seals on them. Writers take turns. */
export class ExchangeDatabase {
  readonly db: Kysely<ExchangeTables>;
  readonly #keystore: ExchangeDatabaseOptions['keystore'];
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(db: Kysely<ExchangeTables>, options: ExchangeDatabaseOptions) {
    this.db = db;
    this.#keystore = options.keystore;
  }

  /** Opens `exchange.sqlite` in the vault's folder, or makes it. */
  static async open(options: ExchangeDatabaseOptions): Promise<ExchangeDatabase> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    const path = join(options.folder, 'exchange.sqlite');
    const db = openSqlite<ExchangeTables>({ path, durability: 'full' });
    await migrate(db, exchangeMigrations(SQLITE_COLUMNS));
    return new ExchangeDatabase(db, options);
  }

  async close(): Promise<void> {
    await this.#turn.catch(() => undefined);
    await this.db.destroy();
  }

  /** Runs work in one transaction; durable when it resolves. */
  inTurn<Value>(work: (db: Kysely<ExchangeTables>) => Promise<Value>): Promise<Value> {
    const done = this.#turn.catch(() => undefined).then(() => this.db.transaction().execute(work));
    this.#turn = done;
    return done;
  }

  /** Has this patient's key been destroyed? Then whatever was sealed for them is nobody's any more. */
  isErased(patient: string): boolean {
    return !this.#keystore.has(subjectKey(patient));
  }

  /** Puts everything that is sealed for a patient under the newest version of the patient's key. */
  rewrapPatient(patient: string): Promise<RewrapCount> {
    return this.inTurn(async (db) => {
      const count = { rewrapped: 0, altered: 0 };
      const consents = db.selectFrom('consent').select(['consent as name', 'sealed']);
      for (const { name, sealed } of await consents.where('patient', '=', patient).execute()) {
        const next = this.#rewrapped({ patient, name }, sealed, count);
        if (next) await db.updateTable('consent').set({ sealed: next }).where('consent', '=', name).execute();
      }
      const introduced = db.selectFrom('introduced').select(['tag_hash as name', 'sealed']);
      for (const { name, sealed } of await introduced.where('patient', '=', patient).execute()) {
        const next = this.#rewrapped({ patient, name }, sealed, count);
        if (next)
          await db.updateTable('introduced').set({ sealed: next }).where('tag_hash', '=', name).execute();
      }
      const copies = db.selectFrom('copy').select(['commitment as name', 'sealed']);
      for (const { name, sealed } of await copies.where('patient', '=', patient).execute()) {
        const next = this.#rewrapped({ patient, name }, sealed, count);
        if (next) await db.updateTable('copy').set({ sealed: next }).where('commitment', '=', name).execute();
      }
      return count;
    });
  }

  #rewrapped(
    place: SealedPlace,
    sealed: Uint8Array,
    count: { rewrapped: number; altered: number },
  ): Uint8Array | undefined {
    const key = subjectKey(place.patient);
    const next = this.#keystore.rewrap(key, new Uint8Array(sealed), contextOf(place));
    if (next === 'current') return undefined;
    if (next === 'altered') {
      count.altered += 1;
      return undefined;
    }
    count.rewrapped += 1;
    return next;
  }

  /** Inside {@link inTurn}: what is sealed under an old version of a key must not come after its rewrapping. */
  async seal<Value>(place: SealedPlace, codec: Codec<Value>, value: Value): Promise<Uint8Array> {
    const key = subjectKey(place.patient);
    await this.#keystore.ensure([key]);
    return this.#keystore.wrap(key, codec.encode(value), contextOf(place));
  }

  /** @throws {@link ExchangeError} `journal/altered` for bytes that were not sealed here. */
  open<Value>(place: SealedPlace, codec: Codec<Value>, sealed: Uint8Array): Value {
    const opened = this.#keystore.unwrap(subjectKey(place.patient), new Uint8Array(sealed), contextOf(place));
    if (!opened) throw new ExchangeError('exchange/altered', 'A row of the exchange store is altered.');
    return codec.decode(opened);
  }

  /** Up to which block something was read. */
  async progress(name: string): Promise<number> {
    const row = await this.db
      .selectFrom('progress')
      .select('height')
      .where('name', '=', name)
      .executeTakeFirst();
    return row?.height ?? 0;
  }

  async setProgress(name: string, height: number): Promise<void> {
    await this.inTurn((db) =>
      db
        .insertInto('progress')
        .values({ name, height })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ height }))
        .execute(),
    );
  }
}

function contextOf({ patient, name }: SealedPlace): Uint8Array {
  return encodeCbor([DOMAIN, patient, new Uint8Array(name)]);
}
