import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeCbor, oneOf, optional, type StructOf, struct, text, uint } from '@careledger/primitives';
import type { Kysely, Selectable } from 'kysely';
import type { Migration } from 'kysely/migration';
import { type Keystore, subjectKey } from '../keystore/index.ts';
import {
  type ColumnTypes,
  migrate,
  openSqlite,
  type RewrapCount,
  SQLITE_COLUMNS,
  VaultError,
} from '../vault/index.ts';
import {
  type AccessDates,
  type AccessState,
  DENIAL_GROUNDS,
  type DenialGround,
  dueOf,
  REASON_CHARACTERS_MAX,
} from './access-rules.ts';

const DOMAIN = 'careledger/rights/1';
const UTF8_BYTES_MAX = 4;
const reason = text({ bytesMax: REASON_CHARACTERS_MAX * UTF8_BYTES_MAX });
const grounds = Object.keys(DENIAL_GROUNDS) as readonly DenialGround[] as readonly [
  DenialGround,
  ...DenialGround[],
];
const detailFields = {
  /** How the copy is wanted: as one Bundle, or by `Patient/$export`. */
  form: oneOf(['bundle', 'export']),
  /** Who asked: organization and client or user id. */
  requestedBy: text({ bytesMax: 256 }),
  extensionReason: optional(reason),
  answeredAt: optional(uint),
  answeredBy: optional(text({ bytesMax: 256 })),
  ground: optional(oneOf(grounds)),
  explanation: optional(reason),
};
const detailCodec = struct(detailFields);
/** What a case says; sealed under the patient's own key. */
export type AccessDetails = StructOf<typeof detailFields>;
export type CopyForm = AccessDetails['form'];

export interface AccessCase extends AccessDates {
  /** Random, in hexadecimal. */
  readonly id: string;
  readonly patientId: string;
  readonly details: AccessDetails;
}

/** What can be said of a case without opening it. */
export type AccessRow = Omit<AccessCase, 'details'>;

type Flag = 0 | 1;

interface CaseTable {
  id: string;
  patient: string;
  state: AccessState;
  requested: number;
  extended: Flag;
  due: number;
  sealed: Uint8Array;
}

interface RightsTables {
  access_case: CaseTable;
}

type Schema = Pick<Kysely<unknown>, 'schema'>;

async function createCases({ schema }: Schema, { bytes, integer }: ColumnTypes): Promise<void> {
  await schema
    .createTable('access_case')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('patient', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('requested', integer, (column) => column.notNull())
    .addColumn('extended', integer, (column) => column.notNull())
    .addColumn('due', integer, (column) => column.notNull())
    .addColumn('sealed', bytes, (column) => column.notNull())
    .execute();
  await schema.createIndex('access_case_patient').on('access_case').column('patient').execute();
  await schema.createIndex('access_case_due').on('access_case').columns(['state', 'due']).execute();
}

function migrations(columns: ColumnTypes): Record<string, Migration> {
  return { '0001-access-cases': { up: (db) => createCases(db, columns) } };
}

function contextOf({ id, patient }: Pick<CaseTable, 'id' | 'patient'>): Uint8Array {
  return encodeCbor([DOMAIN, patient, id]);
}

function rowOf({ id, patient, state, requested, extended }: Omit<CaseTable, 'sealed'>): AccessRow {
  return { id, patientId: patient, state, requestedAt: requested, isExtended: extended === 1 };
}

export interface AccessStoreOptions {
  /** The vault's folder: that somebody asked is patient data. */
  readonly folder: string;
  readonly keystore: Pick<Keystore, 'wrap' | 'unwrap' | 'rewrap' | 'ensure' | 'has'>;
}

/** The cases of the right of access. Who erases a patient's key closes what the cases say. */
export class AccessStore {
  readonly #db: Kysely<RightsTables>;
  readonly #keystore: AccessStoreOptions['keystore'];
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(db: Kysely<RightsTables>, keystore: AccessStoreOptions['keystore']) {
    this.#db = db;
    this.#keystore = keystore;
  }

  /** Opens `rights.sqlite` in the vault's folder, or makes it. */
  static async open({ folder, keystore }: AccessStoreOptions): Promise<AccessStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const db = openSqlite<RightsTables>({ path: join(folder, 'rights.sqlite'), durability: 'full' });
    await migrate(db, migrations(SQLITE_COLUMNS));
    return new AccessStore(db, keystore);
  }

  async close(): Promise<void> {
    await this.#turn.catch(() => undefined);
    await this.#db.destroy();
  }

  /**
   * One step after another: what was read in a step still holds when it writes, and what is sealed under an old version of
   * a key does not come after its rewrapping.
   */
  inTurn<Value>(step: () => Promise<Value>): Promise<Value> {
    const done = this.#turn.catch(() => undefined).then(step);
    this.#turn = done;
    return done;
  }

  /** Inside {@link AccessStore.inTurn}: adds a case, or puts its newest state in the place of the one before. */
  async put(entered: AccessCase): Promise<void> {
    const { id, patientId: patient, state, requestedAt: requested, isExtended, details } = entered;
    const key = subjectKey(patient);
    await this.#keystore.ensure([key]);
    const sealed = this.#keystore.wrap(key, detailCodec.encode(details), contextOf({ id, patient }));
    const extended: Flag = isExtended ? 1 : 0;
    const values = { ...{ id, patient, state, requested, extended, sealed }, due: dueOf(entered) };
    await this.#db
      .insertInto('access_case')
      .values(values)
      .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
      .execute();
  }

  /** @returns `undefined` for an id that is nobody's, and for a case whose patient has been erased. */
  async find(id: string): Promise<AccessCase | undefined> {
    const row = await this.#db.selectFrom('access_case').selectAll().where('id', '=', id).executeTakeFirst();
    return row && this.#open(row);
  }

  /** Newest first. */
  async ofPatient(patientId: string): Promise<readonly AccessCase[]> {
    const rows = await this.#db
      .selectFrom('access_case')
      .selectAll()
      .where('patient', '=', patientId)
      .orderBy('requested', 'desc')
      .orderBy('id')
      .execute();
    return rows.flatMap((row) => this.#open(row) ?? []);
  }

  /** Cases that nobody answered by their due time, the longest overdue first. Nothing is opened. */
  async overdue(now: number, countMax: number): Promise<readonly AccessRow[]> {
    const rows = await this.#db
      .selectFrom('access_case')
      .select(['id', 'patient', 'state', 'requested', 'extended', 'due'])
      .where('state', '=', 'open')
      .where('due', '<', now)
      .orderBy('due')
      .orderBy('id')
      .limit(countMax)
      .execute();
    return rows.filter(({ patient }) => this.#keystore.has(subjectKey(patient))).map(rowOf);
  }

  /** Puts what is sealed for a patient under the newest version of the patient's key. */
  rewrapPatient(patientId: string): Promise<RewrapCount> {
    return this.inTurn(async () => {
      const count = { rewrapped: 0, altered: 0 };
      const cases = this.#db.selectFrom('access_case').select(['id', 'patient', 'sealed']);
      for (const row of await cases.where('patient', '=', patientId).execute()) {
        const key = subjectKey(patientId);
        const sealed = this.#keystore.rewrap(key, new Uint8Array(row.sealed), contextOf(row));
        if (sealed === 'current') continue;
        if (sealed === 'altered') {
          count.altered += 1;
          continue;
        }
        await this.#db.updateTable('access_case').set({ sealed }).where('id', '=', row.id).execute();
        count.rewrapped += 1;
      }
      return count;
    });
  }

  #open(row: Selectable<CaseTable>): AccessCase | undefined {
    const key = subjectKey(row.patient);
    if (!this.#keystore.has(key)) return undefined;
    const opened = this.#keystore.unwrap(key, new Uint8Array(row.sealed), contextOf(row));
    if (!opened) throw new VaultError('vault/altered', 'a case of the right of access is altered');
    return { ...rowOf(row), details: detailCodec.decode(opened) };
  }
}
