import { setImmediate } from 'node:timers/promises';
import {
  isLosslessArray,
  isLosslessObject,
  type LosslessResource,
  parseReference,
  toPlain,
} from '@careledger/fhir';
import type { Resource } from '@medplum/fhirtypes';
import { CompiledQuery } from 'kysely';
import type { IndexChange, Indexer, IndexStore } from '../index-store/index.ts';
import type { Validation } from '../validation/index.ts';
import type {
  DocumentContent,
  NewVersion,
  RecordKey,
  StoredVersion,
  Vault,
  VaultTransaction,
} from '../vault/index.ts';
import { binaryWithDocument, type WithDocument, withAttachmentDigests } from './record-document.ts';
import { composeVersion, patientsOf, unknownPatients } from './record-writer.ts';

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
  /** The document of a record that moves; any other one is named by its Binary. */
  readonly document?: DocumentContent;
  /** Throws unless this may be written: asked before anything of it, a new patient's key included, is made. */
  readonly requireAllowed?: (version: NewVersion, plain: Resource) => Promise<void>;
}

/** Work inside one SQL transaction. Nothing is seen from outside before all of it is durable. */
export class RecordTransaction {
  readonly tx: VaultTransaction;
  readonly changes: IndexChange[] = [];
  /** Names of the documents that these versions hold. */
  readonly documents: string[] = [];
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
    const { resource: next, document } = await this.#withDocuments(resource, options);
    const { version: composed, plain } = composeVersion({
      resource: next,
      id: options.id,
      actor: options.actor,
      replaces: options.replaces,
      imported: options.imported,
      alsoAbout: await this.#patientsOfTargets(next),
      now: now(),
      ownBases: [`${baseUrl}/`],
    });
    const version = { ...composed, ...(document ? { document } : {}) };
    await options.requireAllowed?.(version, plain);
    if (!options.imported) this.#named.push({ patients: version.subjects, plain, entry: options.entry });
    return this.#append(version, plain);
  }

  /** A Provenance tells why a record says what it says: it is about the patients of that record. */
  async #patientsOfTargets({
    resourceType,
    target,
  }: LosslessResource): Promise<readonly string[] | undefined> {
    if (resourceType !== 'Provenance' || !isLosslessArray(target)) return undefined;
    const patients = new Set<string>();
    const ownBase = `${this.#options.baseUrl}/`;
    for (const one of target) {
      const said = isLosslessObject(one) && typeof one.reference === 'string' ? one.reference : '';
      const reference = said.startsWith(ownBase) ? said.slice(ownBase.length) : said;
      const { kind, type = '', id = '' } = parseReference(reference);
      const stored = kind === 'relative' ? await this.current({ type, id }) : undefined;
      for (const patient of stored?.subjects ?? []) patients.add(patient);
    }
    return [...patients];
  }

  /** A Binary with the document that it names; a DocumentReference with the digests of those that it refers to. */
  async #withDocuments(
    resource: LosslessResource,
    { replaces, document }: Pick<WriteOptions, 'replaces' | 'document'>,
  ): Promise<WithDocument> {
    const { vault, baseUrl } = this.#options;
    if (resource.resourceType === 'Binary') {
      const received = (name: string) =>
        document?.name === name ? document : vault.documents.received(name);
      const found = binaryWithDocument(resource, { received, replaces });
      if (found.document) this.documents.push(found.document.name);
      return found;
    }
    if (resource.resourceType !== 'DocumentReference') return { resource };
    const ownBases = [`${baseUrl}/`];
    const subjects = patientsOf(toPlain(resource) as unknown as Resource, ownBases);
    const current = (key: RecordKey) => this.current(key);
    return { resource: await withAttachmentDigests(resource, { ownBases, subjects, current }) };
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

const SAVEPOINT = CompiledQuery.raw('savepoint work');
const RELEASE = CompiledQuery.raw('release work');
const ROLLBACK = CompiledQuery.raw('rollback to work');

/** Works that share one SQL transaction, and so one sync of the disk, at most. */
export const GROUP_WORKS_MAX = 64;

export interface TransactionOptions<Value> {
  /** The work asks the search index: it comes first in its group, so that the index knows all that was written before. */
  readonly searches?: boolean;
  /** Runs when the work is durable and the search index knows it, before the next writer's turn. */
  readonly thereafter?: (value: Value) => Promise<void>;
}

/** A work that waits for the writer's turn. */
interface WaitingWork {
  readonly searches: boolean;
  /** Does the work in a savepoint; what it throws is told to its own caller by `settle`. */
  readonly run: (tx: VaultTransaction) => Promise<readonly IndexChange[]>;
  readonly settle: () => Promise<void>;
  readonly fail: (error: unknown) => void;
}

/** Writes records: vault first, durable with its outbox row; then the search index, before the next writer's turn. */
export class RecordStore {
  readonly options: RecordStoreOptions;
  readonly #waiting: WaitingWork[] = [];
  #isDraining = false;
  #isIndexBehind = false;

  constructor(options: RecordStoreOptions) {
    this.options = options;
  }

  /**
   * Runs work in one transaction; writers take turns. Works that wait at the same time share a SQL transaction, each in
   * a savepoint of its own: what one throws undoes that one alone, and the disk is synced once for all of them.
   */
  transaction<Value>(
    work: (transaction: RecordTransaction) => Promise<Value>,
    { searches = false, thereafter }: TransactionOptions<Value> = {},
  ): Promise<Value> {
    return new Promise((resolve, reject) => {
      let settle = async (): Promise<void> => undefined;
      const run = async (tx: VaultTransaction): Promise<readonly IndexChange[]> => {
        const transaction = new RecordTransaction(tx, this.options);
        await tx.executeQuery(SAVEPOINT);
        try {
          if (searches) await this.#requireIndex();
          const value = await work(transaction);
          await transaction.requirePatients();
          await tx.executeQuery(RELEASE);
          settle = async () => {
            for (const name of transaction.documents) this.options.vault.documents.taken(name);
            await thereafter?.(value);
            resolve(value);
          };
          return transaction.changes;
        } catch (error) {
          await tx.executeQuery(ROLLBACK);
          await tx.executeQuery(RELEASE);
          settle = async () => reject(error);
          return [];
        }
      };
      this.#waiting.push({ searches, run, settle: () => settle().catch(reject), fail: reject });
      if (!this.#isDraining) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    while (this.#waiting.length > 0) {
      // Lets requests that have arrived already join the group: what follows holds the thread until it is durable.
      await setImmediate();
      await this.#group();
    }
    this.#isDraining = false;
  }

  async #group(): Promise<void> {
    const group: WaitingWork[] = [];
    try {
      await this.options.vault.transaction(
        async (tx) => {
          const changes: IndexChange[] = [];
          for (let next = this.#next(group); next; next = this.#next(group)) {
            group.push(next);
            changes.push(...(await next.run(tx)));
          }
          return changes;
        },
        async (changes) => {
          if (changes.length > 0) {
            this.options.onCommitted();
            await this.#follow(changes);
          }
          for (const work of group) await work.settle();
        },
      );
    } catch (error) {
      // A transaction that could not even begin has taken nobody: the first in line learns of it, or would wait forever.
      for (const work of group.length > 0 ? group : this.#waiting.splice(0, 1)) work.fail(error);
    }
  }

  #next(group: readonly WaitingWork[]): WaitingWork | undefined {
    const [next] = this.#waiting;
    if (!next || group.length >= GROUP_WORKS_MAX || (next.searches && group.length > 0)) return undefined;
    return this.#waiting.shift();
  }

  /** Brings an index up that could not follow. @throws what it still cannot follow for: a condition is not guessed at. */
  async #requireIndex(): Promise<void> {
    if (!this.#isIndexBehind) return;
    await this.options.indexer.catchUp(this.options.vault);
    this.#isIndexBehind = false;
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
