import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { OrganizationId } from '@careledger/primitives';
import { sql } from 'kysely';
import type { KeyName, Keystore } from '../keystore/index.ts';
import { DocumentFiles } from './document-files.ts';
import { VaultError } from './errors.ts';
import { migrate, SQLITE_COLUMNS, vaultMigrations } from './migrations.ts';
import { openSqlite } from './node-sqlite.ts';
import { keyNamesOf, type WrappedKey } from './record-envelope.ts';
import { resealVersions } from './reseal-versions.ts';
import { type RewrapCount, rewrapVersions } from './rewrap-versions.ts';
import type { VaultTables } from './schema.ts';
import {
  type InspectedRow,
  inspectRow,
  type NewVersion,
  openedFields,
  prepareVersion,
  type StoredVersion,
  summaryOf,
} from './stored-version.ts';
import {
  claimVault,
  currentRow,
  drawCounter,
  insertVersions,
  keysOf,
  livePatientsAmong,
  type RecordKey,
  replaceVersion,
  rowsAt,
  type VaultReader,
  type VaultTransaction,
  type VersionRow,
  versionRow,
} from './vault-rows.ts';

export interface VaultOptions {
  /** Folder of the vault. Made when missing. */
  readonly folder: string;
  readonly organization: OrganizationId;
  readonly keystore: Keystore;
  readonly now?: () => number;
}

/**
 * The records of one organization: every version of every resource, encrypted, with the leaf that its anchor will
 * hold. Append-only: a correction or a deletion is one more version.
 */
export class Vault {
  readonly organization: OrganizationId;
  /** Committed rows; never waits for a writer. */
  readonly reader: VaultReader;
  /** Large documents, beside the rows. */
  readonly documents: DocumentFiles;
  readonly #writer: VaultReader;
  readonly #keystore: Keystore;
  readonly #now: () => number;
  #turn: Promise<void> = Promise.resolve();
  #hasCritical = false;
  #onCritical: () => void = () => undefined;

  private constructor(
    options: VaultOptions,
    writer: VaultReader,
    reader: VaultReader,
    documents: DocumentFiles,
  ) {
    this.organization = options.organization;
    this.#keystore = options.keystore;
    this.#now = options.now ?? Date.now;
    this.#writer = writer;
    this.reader = reader;
    this.documents = documents;
  }

  /**
   * Opens the vault of a folder, or makes one.
   * @throws {@link VaultError} for a vault of another organization or of a newer version.
   */
  static async open(options: VaultOptions): Promise<Vault> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    const path = join(options.folder, 'vault.sqlite');
    const writer = openSqlite<VaultTables>({ path, durability: 'full' });
    await migrate(writer, vaultMigrations(SQLITE_COLUMNS));
    await claimVault(writer, options.organization);
    const reader = openSqlite<VaultTables>({ path, durability: 'full', isReadOnly: true });
    const documents = await DocumentFiles.open(join(options.folder, 'documents'));
    const named = await reader.selectFrom('document').select('name').where('name', 'is not', null).execute();
    await documents.sweep(new Set(named.flatMap(({ name }) => name ?? [])));
    return new Vault(options, writer, reader, documents);
  }

  /**
   * Runs work in one SQL transaction; writers take turns. What it returns is durable when this resolves; when it
   * throws, nothing of it happened. `afterCommit` runs before the next writer's turn.
   */
  transaction<Value>(
    work: (tx: VaultTransaction) => Promise<Value>,
    afterCommit?: (value: Value) => Promise<void>,
  ): Promise<Value> {
    const done = this.#turn.then(async () => {
      this.#hasCritical = false;
      const value = await this.#writer.transaction().execute(work);
      if (this.#hasCritical) this.#onCritical();
      await afterCommit?.(value);
      return value;
    });
    this.#turn = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  /** Says who hears, once it is durable, that something critical waits to be anchored; or may: a work was undone. */
  whenCritical(listener: () => void): void {
    this.#onCritical = listener;
  }

  /** Appends versions with their outbox rows, in this order. Their keys are made durable first. */
  async append(tx: VaultTransaction, versions: readonly NewVersion[]): Promise<readonly StoredVersion[]> {
    if (versions.length === 0) return [];
    await this.#keystore.ensure([...new Set(versions.flatMap(({ subjects }) => keyNamesOf(subjects)))]);
    let seq = (await drawCounter(tx, 'seq', versions.length)) - versions.length;
    const prepared = versions.map((version) => {
      seq += 1;
      return prepareVersion(this.#keystore, this.organization, version, seq);
    });
    for (const { replaces } of versions) {
      if (!replaces) continue;
      await replaceVersion(tx, replaces.seq);
    }
    await insertVersions(tx, prepared, this.#now());
    this.#hasCritical ||= prepared.some(({ priority }) => priority === 'critical');
    return prepared.map(({ row, content }, index) => ({
      ...summaryOf(row),
      ...openedFields(content, versions[index]?.text ?? ''),
    }));
  }

  /** The newest version, a deletion included, or `undefined` when there never was one. Throws as {@link Vault.open} does. */
  async current(key: RecordKey, reader: VaultReader = this.reader): Promise<StoredVersion | undefined> {
    const row = await currentRow(reader, key);
    return row && this.openRow(row, reader);
  }

  async version(
    key: RecordKey & { readonly version: number },
    reader: VaultReader = this.reader,
  ): Promise<StoredVersion | undefined> {
    const row = await versionRow(reader, key);
    return row && this.openRow(row, reader);
  }

  /** Newest first. `below` continues after an earlier page. */
  async history(
    key: RecordKey & { readonly below?: number; readonly countMax: number },
    reader: VaultReader = this.reader,
  ): Promise<readonly StoredVersion[]> {
    const rows = await reader
      .selectFrom('version')
      .selectAll()
      .where('type', '=', key.type)
      .where('id', '=', key.id)
      .where('version', '<', key.below ?? Number.MAX_SAFE_INTEGER)
      .orderBy('version', 'desc')
      .limit(key.countMax)
      .execute();
    return this.openRows(rows, reader);
  }

  /** Versions by their place in the vault, in the order asked for. Missing ones are left out. */
  async bySeq(seqs: readonly number[], reader: VaultReader = this.reader): Promise<readonly StoredVersion[]> {
    if (seqs.length === 0) return [];
    const rows = await rowsAt(reader, seqs);
    const found = new Map(rows.map((row) => [row.seq, row]));
    return this.openRows(
      seqs.flatMap((seq) => found.get(seq) ?? []),
      reader,
    );
  }

  /** Rows after a place in the vault, in order: for verification and for rebuilding what is derived. */
  rowsAfter(seq: number, countMax: number, reader: VaultReader = this.reader): Promise<VersionRow[]> {
    return reader
      .selectFrom('version')
      .selectAll()
      .where('seq', '>', seq)
      .orderBy('seq')
      .limit(countMax)
      .execute();
  }

  /** Which of these patients have a record here that is not deleted. */
  livePatients(ids: readonly string[], reader: VaultReader = this.reader): Promise<ReadonlySet<string>> {
    return livePatientsAmong(reader, ids);
  }

  /** The highest place that a version has in this vault. */
  async lastSeq(reader: VaultReader = this.reader): Promise<number> {
    const row = await reader
      .selectFrom('counter')
      .select('value')
      .where('name', '=', 'seq')
      .executeTakeFirst();
    return row?.value ?? 0;
  }

  /** Something small that the vault remembers about itself. */
  async property(name: string): Promise<string | undefined> {
    const row = await this.reader
      .selectFrom('property')
      .select('value')
      .where('name', '=', name)
      .executeTakeFirst();
    return row?.value;
  }

  async setProperty(name: string, value: string): Promise<void> {
    await this.transaction((tx) =>
      tx
        .insertInto('property')
        .values({ name, value })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
        .execute(),
    );
  }

  async openRow(row: VersionRow, reader: VaultReader = this.reader): Promise<StoredVersion> {
    const [opened] = await this.openRows([row], reader);
    if (!opened) throw new VaultError('vault/failed', 'a row was not opened');
    return opened;
  }

  /** @throws {@link VaultError} `vault/altered` or `vault/erased`, with the record's id and version. */
  async openRows(
    rows: readonly VersionRow[],
    reader: VaultReader = this.reader,
  ): Promise<readonly StoredVersion[]> {
    const keys = await keysOf(reader, rows);
    return rows.map((row) => {
      const opened = this.inspect(row, keys.get(row.seq) ?? []);
      if (opened.ok) return opened.version;
      const code = opened.fault === 'erased' ? 'vault/erased' : 'vault/altered';
      const what = `${row.type}/${row.id} version ${row.version}`;
      throw new VaultError(
        code,
        `${what}: ${opened.fault === 'erased' ? 'its keys are gone' : `its ${opened.fault} is altered`}`,
      );
    });
  }

  /** Opens one row and says what is wrong with it, if anything is. */
  inspect(row: VersionRow, keys: readonly WrappedKey[]): InspectedRow {
    return inspectRow(this.#keystore, row, keys);
  }

  /**
   * Seals every version of a record anew, under a new data key and for other subjects. Text, salt and leaf stay: what was
   * committed to is the same. The subjects' keys must exist.
   */
  async reseal(
    tx: VaultTransaction,
    key: RecordKey,
    subjectsOf: (before: readonly string[]) => readonly string[],
  ): Promise<void> {
    await resealVersions(tx, { vault: this, keystore: this.#keystore, key, subjectsOf });
  }

  /** Moves what the database's log holds into its file, so that what was overwritten there is nowhere any more. */
  async checkpoint(): Promise<void> {
    await this.#turn;
    await sql`pragma wal_checkpoint(truncate)`.execute(this.#writer);
  }

  /** Puts the data keys that a key wraps under its newest version, a few rows a transaction: writers go on between. */
  rewrapVersions(name: KeyName): Promise<RewrapCount> {
    return rewrapVersions({ vault: this, keystore: this.#keystore, name });
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.reader.destroy();
    await this.#writer.destroy();
  }
}
