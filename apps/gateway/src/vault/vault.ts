import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { tombstoneLeafCodec, tombstoneLeafHash } from '@careledger/capabilities';
import { commitmentOf, leafBytes, recordLeafHash, retireKeyOf } from '@careledger/ledger';
import type { OrganizationId } from '@careledger/primitives';
import type { Keystore } from '../keystore/index.ts';
import { VaultError } from './errors.ts';
import { migrate, SQLITE_COLUMNS, vaultMigrations } from './migrations.ts';
import { openSqlite } from './node-sqlite.ts';
import {
  type EnvelopeContent,
  isCommitted,
  keyNamesOf,
  openRecord,
  type RecordFault,
  sealRecord,
  type WrappedKey,
} from './record-envelope.ts';
import type { Flag, VaultTables } from './schema.ts';
import {
  claimVault,
  drawCounter,
  hashOfLeaf,
  insertVersions,
  keysOf,
  type VaultReader,
  type VaultTransaction,
  type VersionRow,
  type VersionToInsert,
} from './vault-rows.ts';

const SECRET_BYTES = 32;

export interface RecordKey {
  readonly type: string;
  readonly id: string;
}

export interface ValidationSummary {
  readonly result: 'valid' | 'flagged';
  /** Name and version of the validator. */
  readonly validator: string;
  /** OperationOutcome issues as JSON. Kept inside the envelope. */
  readonly issues?: string;
}

/** A version to append. */
export interface NewVersion extends RecordKey {
  readonly version: number;
  /** `meta.lastUpdated` in milliseconds. */
  readonly time: number;
  /** Canonical text, id and meta set; `undefined` for a deletion. */
  readonly text: string | undefined;
  /** Patient ids of this gateway. */
  readonly subjects: readonly string[];
  readonly actor: string;
  readonly validation: ValidationSummary;
  /** The version that this one replaces, as {@link Vault.current} gave it in the same transaction. */
  readonly replaces?: StoredVersion;
}

export interface VersionSummary extends RecordKey {
  readonly seq: number;
  readonly version: number;
  readonly time: number;
  readonly deleted: boolean;
  readonly actor: string;
  readonly validation: 'valid' | 'flagged';
  readonly validator: string;
  readonly leaf: Uint8Array;
  readonly leafHash: Uint8Array;
}

/** A version whose envelope was opened and found to be what its leaf commits to. */
export interface StoredVersion extends VersionSummary {
  /** Canonical text: exactly the bytes that were committed. Empty for a deletion. */
  readonly text: string;
  readonly salt: Uint8Array;
  readonly retireSecret: Uint8Array;
  readonly subjects: readonly string[];
  readonly issues?: string;
}

export interface VaultOptions {
  /** Folder of the vault. Made when missing. */
  readonly folder: string;
  readonly organization: OrganizationId;
  readonly keystore: Keystore;
  readonly now?: () => number;
}

function flag(value: boolean): Flag {
  return value ? 1 : 0;
}

export function summaryOf(row: VersionRow): VersionSummary {
  return {
    seq: row.seq,
    type: row.type,
    id: row.id,
    version: row.version,
    time: row.time,
    deleted: row.deleted === 1,
    actor: row.actor,
    validation: row.validation,
    validator: row.validator,
    leaf: row.leaf,
    leafHash: row.leaf_hash,
  };
}

interface PreparedVersion extends VersionToInsert {
  readonly content: EnvelopeContent;
}

/**
 * The records of one organization: every version of every resource, encrypted, with the leaf that its anchor will
 * hold. Append-only: a correction or a deletion is one more version.
 */
export class Vault {
  readonly organization: OrganizationId;
  /** Committed rows; never waits for a writer. */
  readonly reader: VaultReader;
  readonly #writer: VaultReader;
  readonly #keystore: Keystore;
  readonly #now: () => number;
  #turn: Promise<void> = Promise.resolve();

  private constructor(options: VaultOptions, writer: VaultReader, reader: VaultReader) {
    this.organization = options.organization;
    this.#keystore = options.keystore;
    this.#now = options.now ?? Date.now;
    this.#writer = writer;
    this.reader = reader;
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
    return new Vault(options, writer, reader);
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
      const value = await this.#writer.transaction().execute(work);
      await afterCommit?.(value);
      return value;
    });
    this.#turn = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  /** Appends versions with their outbox rows, in this order. Their keys are made durable first. */
  async append(tx: VaultTransaction, versions: readonly NewVersion[]): Promise<readonly StoredVersion[]> {
    if (versions.length === 0) return [];
    await this.#keystore.ensure([...new Set(versions.flatMap(({ subjects }) => keyNamesOf(subjects)))]);
    let seq = (await drawCounter(tx, 'seq', versions.length)) - versions.length;
    const prepared = versions.map((version) => {
      seq += 1;
      return this.#prepare(version, seq);
    });
    for (const { replaces } of versions) {
      if (!replaces) continue;
      await tx.updateTable('version').set({ current: 0 }).where('seq', '=', replaces.seq).execute();
    }
    await insertVersions(tx, prepared, this.#now());
    return prepared.map(({ row, content }, index) => ({
      ...summaryOf(row),
      ...openedFields(content, versions[index]?.text ?? ''),
    }));
  }

  #prepare(version: NewVersion, seq: number): PreparedVersion {
    const { type, id, time, replaces } = version;
    const deleted = version.text === undefined;
    const identity = { type, id, version: version.version, time, deleted };
    const content: EnvelopeContent = {
      text: Buffer.from(version.text ?? '', 'utf8'),
      salt: randomBytes(SECRET_BYTES),
      retireSecret: randomBytes(SECRET_BYTES),
      subjects: version.subjects,
      ...(version.validation.issues === undefined ? {} : { issues: version.validation.issues }),
    };
    const { envelope, keys } = sealRecord(this.#keystore, identity, content);
    const { leaf, hash } = this.#leafOf(content, deleted, replaces);
    const row: VersionRow = {
      ...{ seq, type, id, version: version.version, time },
      deleted: flag(deleted),
      current: 1,
      actor: version.actor,
      validation: version.validation.result,
      validator: version.validation.validator,
      leaf,
      leaf_hash: hash,
      envelope,
      batch: null,
      leaf_proof: null,
    };
    return { row, keys, content, retires: replaces && !replaces.deleted ? replaces.retireSecret : null };
  }

  #leafOf(
    content: EnvelopeContent,
    deleted: boolean,
    replaces: StoredVersion | undefined,
  ): { readonly leaf: Uint8Array; readonly hash: Uint8Array } {
    if (deleted) {
      if (!replaces) throw new VaultError('vault/no-current', 'a deletion replaces a version');
      const tombstone = { deletes: replaces.leafHash, salt: content.salt };
      return { leaf: tombstoneLeafCodec.encode(tombstone), hash: tombstoneLeafHash(tombstone) };
    }
    const { organization } = this;
    const leaf = {
      commitment: commitmentOf({ salt: content.salt, bytes: content.text }),
      retireKey: retireKeyOf({ organization, retireSecret: content.retireSecret }),
      ...(replaces ? { supersedes: replaces.leafHash } : {}),
    };
    return { leaf: leafBytes(leaf), hash: recordLeafHash(leaf) };
  }

  /** The newest version, a deletion included, or `undefined` when there never was one. Throws as {@link Vault.open} does. */
  async current(key: RecordKey, reader: VaultReader = this.reader): Promise<StoredVersion | undefined> {
    const row = await reader
      .selectFrom('version')
      .selectAll()
      .where('type', '=', key.type)
      .where('id', '=', key.id)
      .orderBy('version', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row && this.openRow(row, reader);
  }

  async version(
    key: RecordKey & { readonly version: number },
    reader: VaultReader = this.reader,
  ): Promise<StoredVersion | undefined> {
    const row = await reader
      .selectFrom('version')
      .selectAll()
      .where('type', '=', key.type)
      .where('id', '=', key.id)
      .where('version', '=', key.version)
      .executeTakeFirst();
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
    const rows = await reader.selectFrom('version').selectAll().where('seq', 'in', seqs).execute();
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
  async livePatients(
    ids: readonly string[],
    reader: VaultReader = this.reader,
  ): Promise<ReadonlySet<string>> {
    if (ids.length === 0) return new Set();
    const rows = await reader
      .selectFrom('version')
      .select('id')
      .where('type', '=', 'Patient')
      .where('id', 'in', ids)
      .where('current', '=', 1)
      .where('deleted', '=', 0)
      .execute();
    return new Set(rows.map(({ id }) => id));
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
  inspect(
    row: VersionRow,
    keys: readonly WrappedKey[],
  ):
    | { readonly ok: true; readonly version: StoredVersion }
    | { readonly ok: false; readonly fault: RecordFault } {
    const summary = summaryOf(row);
    const opened = openRecord(this.#keystore, summary, { envelope: row.envelope, keys });
    if (!opened.ok) return opened;
    const fault = this.#leafFault(row, opened.content);
    if (fault) return { ok: false, fault };
    const text = Buffer.from(opened.content.text).toString('utf8');
    return { ok: true, version: { ...summary, ...openedFields(opened.content, text) } };
  }

  #leafFault(row: VersionRow, content: EnvelopeContent): RecordFault | undefined {
    const hash = hashOfLeaf(row);
    if (!hash || !Buffer.from(hash).equals(row.leaf_hash)) return 'leaf hash';
    if (row.deleted === 1) {
      const { salt } = tombstoneLeafCodec.decode(row.leaf);
      return Buffer.from(salt).equals(content.salt) ? undefined : 'commitment';
    }
    return isCommitted(content, row.leaf) ? undefined : 'commitment';
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.reader.destroy();
    await this.#writer.destroy();
  }
}

function openedFields(content: EnvelopeContent, text: string) {
  const { salt, retireSecret, subjects, issues } = content;
  return { text, salt, retireSecret, subjects, ...(issues === undefined ? {} : { issues }) };
}
