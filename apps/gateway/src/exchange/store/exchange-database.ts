import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Codec, encodeCbor } from '@careledger/primitives';
import type { Kysely } from 'kysely';
import { type Keystore, subjectKey } from '../../keystore/index.ts';
import { migrate, openSqlite, SQLITE_COLUMNS } from '../../vault/index.ts';
import { ExchangeError } from '../errors.ts';
import { type ExchangeTables, exchangeMigrations } from './store-schema.ts';

const DOMAIN = 'careledger/exchange/1';

export interface ExchangeDatabaseOptions {
  /** The vault's folder: who is meant by a random value is patient data. */
  readonly folder: string;
  readonly keystore: Pick<Keystore, 'wrap' | 'unwrap' | 'ensure' | 'has'>;
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
