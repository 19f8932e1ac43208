import { equalBytes, utf8 } from '@careledger/primitives';
import type {
  ImportedRecord,
  ImportLink,
  ImportTarget,
  ImportWrite,
  ImportWriter,
  SourceKey,
} from '../import/import-target.ts';
import { stableId } from '../import/stable-id.ts';
import { IMPORT_SOURCE_KEY, type Keystore } from '../keystore/index.ts';
import { VaultError } from '../vault/index.ts';
import type { RecordStore, RecordTransaction } from './record-store.ts';

/** Lines of the link registry that are read at once. */
const LINKS_READ = 1_000;

/**
 * The import's way into the vault. Source, fullUrl and content are kept as keyed hashes: a fullUrl may hold a record
 * number, and a bare hash of content could be guessed at.
 */
export class VaultImportTarget implements ImportTarget {
  readonly #store: RecordStore;
  readonly #mac: (message: Uint8Array) => Uint8Array;
  readonly #actor: string;

  constructor(store: RecordStore, keystore: Keystore, actor: string) {
    this.#store = store;
    this.#mac = keystore.mac(IMPORT_SOURCE_KEY);
    this.#actor = actor;
  }

  #token({ source, fullUrl }: SourceKey): Uint8Array {
    return this.#mac(utf8(JSON.stringify(['source', source, fullUrl])));
  }

  #sourceToken(source: string): Uint8Array {
    return this.#mac(utf8(JSON.stringify(['source-name', source])));
  }

  #content(key: SourceKey, contentHash: Uint8Array): Uint8Array {
    return this.#mac(utf8(JSON.stringify(['content', key.source, key.fullUrl, [...contentHash]])));
  }

  #versionToken(key: SourceKey, version: string): Uint8Array {
    return this.#mac(utf8(JSON.stringify(['version', key.source, key.fullUrl, version])));
  }

  async findBySource(key: SourceKey): Promise<ImportedRecord | undefined> {
    const row = await this.#store.options.vault.reader
      .selectFrom('import_source')
      .selectAll()
      .where('token', '=', this.#token(key))
      .executeTakeFirst();
    if (!row) return undefined;
    return {
      resourceType: row.type,
      id: row.id,
      contentMatches: (hash) => row.content !== null && equalBytes(row.content, this.#content(key, hash)),
    };
  }

  idFor(key: SourceKey): string {
    return stableId(this.#mac, key);
  }

  async *links(source: string): AsyncGenerator<ImportLink> {
    const { reader } = this.#store.options.vault;
    const name = this.#sourceToken(source);
    let after = new Uint8Array(0);
    for (;;) {
      const rows = await reader
        .selectFrom('import_link')
        .innerJoin('import_source', 'import_source.token', 'import_link.token')
        .leftJoin('version', (join) =>
          join
            .onRef('version.type', '=', 'import_source.type')
            .onRef('version.id', '=', 'import_source.id')
            .on('version.current', '=', 1),
        )
        .select(['import_link.token', 'import_source.type', 'import_source.id'])
        .select(['import_link.version as imported', 'version.version as current', 'version.deleted'])
        .where('import_link.source', '=', name)
        .where('import_link.token', '>', after)
        .orderBy('import_link.token')
        .limit(LINKS_READ)
        .execute();
      for (const { type: resourceType, id, imported, current, deleted } of rows) {
        yield { resourceType, id, editedHere: deleted !== 0 || current !== imported };
      }
      const last = rows.at(-1);
      if (!last || rows.length < LINKS_READ) return;
      after = Uint8Array.from(last.token);
    }
  }

  async exists(resourceType: string, id: string): Promise<boolean> {
    const row = await this.#store.options.vault.reader
      .selectFrom('version')
      .select('seq')
      .where('type', '=', resourceType)
      .where('id', '=', id)
      .where('current', '=', 1)
      .where('deleted', '=', 0)
      .executeTakeFirst();
    return row !== undefined;
  }

  inTransaction(work: (writer: ImportWriter) => Promise<void>): Promise<void> {
    return this.#store.transaction((transaction) =>
      work({
        create: (write) => this.#write(transaction, write),
        update: (write) => this.#write(transaction, write),
      }),
    );
  }

  async #write(transaction: RecordTransaction, write: ImportWrite): Promise<void> {
    const { resource, validation } = write;
    const id = typeof resource.id === 'string' ? resource.id : undefined;
    if (id === undefined) throw new VaultError('vault/failed', 'an imported resource has no id');
    const replaces = await transaction.current({ type: resource.resourceType, id });
    const { version } = await transaction.write(resource, {
      ...{ id, actor: this.#actor, replaces, imported: validation },
    });
    const content = this.#content(write, write.contentHash);
    await transaction.tx
      .insertInto('import_source')
      .values({ token: this.#token(write), type: resource.resourceType, id, content })
      .onConflict((conflict) => conflict.column('token').doUpdateSet({ content }))
      .execute();
    const link = {
      source: this.#sourceToken(write.source),
      source_version:
        write.sourceVersion === undefined ? null : this.#versionToken(write, write.sourceVersion),
      version,
    };
    await transaction.tx
      .insertInto('import_link')
      .values({ token: this.#token(write), ...link })
      .onConflict((conflict) => conflict.column('token').doUpdateSet(link))
      .execute();
  }
}
