import type { LosslessResource } from '@careledger/fhir';
import type { Resource } from '@medplum/fhirtypes';
import type { IndexChange, Indexer, IndexStore } from '../index-store/index.ts';
import type { Validation } from '../validation/index.ts';
import type { NewVersion, RecordKey, StoredVersion, Vault, VaultTransaction } from '../vault/index.ts';
import { composeVersion, unknownPatients } from './record-writer.ts';

/** What writing needs besides the vault. */
export interface RecordStoreOptions {
  readonly vault: Vault;
  readonly index: IndexStore;
  readonly indexer: Indexer;
  /** FHIR base URL, without a last slash. */
  readonly baseUrl: string;
  readonly now: () => number;
  /** Called when a write is durable: the outbox has work. */
  readonly onCommitted: () => void;
  /** Hears that the search index could not follow; it catches up before the next write. */
  readonly onIndexFault?: (error: unknown) => void;
}

interface NamedPatients {
  readonly patients: readonly string[];
  readonly plain: Resource;
  /** `Bundle.entry[3]`, inside a bundle. */
  readonly entry: string | undefined;
}

export interface WriteOptions {
  readonly id: string;
  readonly actor: string;
  readonly replaces?: StoredVersion | undefined;
  /** The importer's validation: it has also made sure that the patients exist. */
  readonly imported?: Validation;
  readonly entry?: string | undefined;
  /** Throws unless this may be written: asked before anything of it, a new patient's key included, is made. */
  readonly requireAllowed?: (version: Pick<NewVersion, 'type' | 'subjects'>) => void;
}

/** Work inside one SQL transaction. Nothing is seen from outside before all of it is durable. */
export class RecordTransaction {
  readonly tx: VaultTransaction;
  readonly changes: IndexChange[] = [];
  readonly #options: RecordStoreOptions;
  readonly #named: NamedPatients[] = [];

  constructor(tx: VaultTransaction, options: RecordStoreOptions) {
    this.tx = tx;
    this.#options = options;
  }

  current(key: RecordKey): Promise<StoredVersion | undefined> {
    return this.#options.vault.current(key, this.tx);
  }

  /** Validates and appends one version. @throws {@link FhirError} 422. */
  async write(resource: LosslessResource, options: WriteOptions): Promise<StoredVersion> {
    const { baseUrl, now } = this.#options;
    const { version, plain } = composeVersion({
      resource,
      id: options.id,
      actor: options.actor,
      replaces: options.replaces,
      imported: options.imported,
      now: now(),
      ownBases: [`${baseUrl}/`],
    });
    options.requireAllowed?.(version);
    if (!options.imported) this.#named.push({ patients: version.subjects, plain, entry: options.entry });
    return this.#append(version, plain);
  }

  /** Appends a deletion: one more version, whose leaf is a tombstone. */
  delete(replaces: StoredVersion, actor: string): Promise<StoredVersion> {
    const { type, id, subjects } = replaces;
    const time = Math.max(this.#options.now(), replaces.time + 1);
    const validation = { result: 'valid', validator: 'none/deletion' } as const;
    const version = { type, id, version: replaces.version + 1, time, text: undefined };
    return this.#append({ ...version, subjects, actor, validation, replaces });
  }

  async #append(version: NewVersion, plain?: Resource): Promise<StoredVersion> {
    const [stored] = await this.#options.vault.append(this.tx, [version]);
    if (!stored) throw new Error('the vault appended nothing');
    this.changes.push(this.#options.indexer.changeOf(stored, plain));
    return stored;
  }

  /**
   * Checked once at the end, so that a transaction may name a patient before it creates it.
   * @throws {@link FhirError} 422.
   */
  async requirePatients(): Promise<void> {
    const ids = [...new Set(this.#named.flatMap(({ patients }) => patients))];
    const live = await this.#options.vault.livePatients(ids, this.tx);
    for (const { patients, plain, entry } of this.#named) {
      const missing = patients.filter((id) => !live.has(id));
      if (missing.length === 0) continue;
      const refusal = unknownPatients(plain, new Set(missing));
      throw entry === undefined ? refusal : refusal.inEntry(entry);
    }
  }
}

/** Writes records: vault first, durable with its outbox row; then the search index, before the next writer's turn. */
export class RecordStore {
  readonly options: RecordStoreOptions;
  #isIndexBehind = false;

  constructor(options: RecordStoreOptions) {
    this.options = options;
  }

  /** Runs work in one transaction; writers take turns. */
  async transaction<Value>(work: (transaction: RecordTransaction) => Promise<Value>): Promise<Value> {
    const { vault, onCommitted } = this.options;
    const { value } = await vault.transaction(
      async (tx) => {
        const transaction = new RecordTransaction(tx, this.options);
        const result = await work(transaction);
        await transaction.requirePatients();
        return { value: result, changes: transaction.changes };
      },
      async ({ changes }) => {
        if (changes.length === 0) return;
        onCommitted();
        await this.#follow(changes);
      },
    );
    return value;
  }

  /** The write is durable and will be acknowledged, whatever becomes of what is derived from it. */
  async #follow(changes: readonly IndexChange[]): Promise<void> {
    const { vault, indexer, onIndexFault } = this.options;
    try {
      if (this.#isIndexBehind) await indexer.catchUp(vault);
      else await indexer.apply(changes);
      this.#isIndexBehind = false;
    } catch (error) {
      this.#isIndexBehind = true;
      onIndexFault?.(error);
    }
  }
}
