import { randomUUID } from 'node:crypto';
import { isResource, type LosslessValue } from '@careledger/fhir';
import type { SearchRequest, WithId } from '@medplum/core';
import {
  type CreateResourceOptions,
  type DeleteResourceOptions,
  FhirRepository,
  type ReadHistoryOptions,
  type TransactionOptions,
  type UpdateResourceOptions,
} from '@medplum/fhir-router';
import type { Bundle, Reference, Resource } from '@medplum/fhirtypes';
import type { Caller } from '../caller.ts';
import { isR4ResourceType } from '../validation/index.ts';
import type { StoredVersion } from '../vault/index.ts';
import {
  actorOf,
  maySee,
  mayWrite,
  type Permission,
  requireAuthorship,
  requireScope,
  visibilityFor,
} from './access.ts';
import { FhirError, forbidden, gone, notFound, versionConflict } from './fhir-error.ts';
import type { RecordStore, RecordTransaction } from './record-store.ts';
import { planFromRequest } from './search-query.ts';
import { StoredResource } from './stored-resource.ts';

/** Versions in one page of a history. */
export const HISTORY_PAGE_MAX = 100;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const VERSION_ID = /^[1-9]\d{0,8}$/;

/** A stored resource in the type that the router's port names. */
function handedOut<T extends Resource>(stored: StoredVersion): WithId<T> {
  return new StoredResource(stored) as unknown as WithId<T>;
}

/** Is this lossless tree a resource of the type that it says, one that R4 knows? */
function asResource(value: unknown) {
  if (isResource(value as LosslessValue) && isR4ResourceType((value as Resource).resourceType)) {
    return value as Parameters<RecordTransaction['write']>[0];
  }
  throw new FhirError({
    status: 422,
    code: 'structure',
    message: 'The body is not a resource of FHIR R4.',
    help: 'Send one JSON object with a resourceType of R4.',
    expression: ['Resource.resourceType'],
  });
}

/**
 * The repository behind the router, for one caller: every method asks for the caller's scopes first and answers for
 * what the caller may not see as if it were not there. Resources come in as lossless trees and go out as
 * {@link StoredResource}s.
 */
export class VaultRepository extends FhirRepository {
  readonly #store: RecordStore;
  readonly #caller: Caller;
  readonly #transaction: RecordTransaction | undefined;
  /** `Bundle.entry[3]` while a bundle's entry is processed. */
  entry: string | undefined;

  constructor(store: RecordStore, caller: Caller, transaction?: RecordTransaction) {
    super();
    this.#store = store;
    this.#caller = caller;
    this.#transaction = transaction;
  }

  override setMode(): void {
    // One database serves reads and writes.
  }

  override generateId(): string {
    return randomUUID();
  }

  override withTransaction<TResult>(
    callback: (repository: this) => Promise<TResult>,
    _options?: TransactionOptions,
  ): Promise<TResult> {
    if (this.#transaction) return callback(this);
    return this.#store.transaction((transaction) =>
      callback(new VaultRepository(this.#store, this.#caller, transaction) as this),
    );
  }

  /** Runs work in the transaction under way, or in one of its own. */
  #write<TResult>(work: (transaction: RecordTransaction) => Promise<TResult>): Promise<TResult> {
    return this.#transaction ? work(this.#transaction) : this.#store.transaction(work);
  }

  override async createResource<T extends Resource>(
    resource: T,
    options?: CreateResourceOptions,
  ): Promise<WithId<T>> {
    const tree = asResource(resource);
    requireScope(this.#caller, tree.resourceType, 'create');
    const id = options?.assignedId && resource.id ? resource.id : this.generateId();
    return this.#write(async (transaction) =>
      handedOut<T>(await this.#append(transaction, tree, id, undefined)),
    );
  }

  async #append(
    transaction: RecordTransaction,
    tree: ReturnType<typeof asResource>,
    id: string,
    replaces: StoredVersion | undefined,
  ): Promise<StoredVersion> {
    const caller = this.#caller;
    return transaction.write(tree, {
      id,
      actor: actorOf(caller),
      replaces,
      entry: this.entry,
      requireAllowed: async (version, plain) => {
        const permission = replaces ? 'update' : 'create';
        if (!(await mayWrite(this.#store.options, caller, version, plain, permission))) throw forbidden();
      },
    });
  }

  /** The newest version if the caller may know of it. */
  async #visible(
    type: string,
    id: string,
    permission: Permission = 'read',
    transaction: RecordTransaction | undefined = this.#transaction,
  ): Promise<StoredVersion | undefined> {
    const { vault } = this.#store.options;
    const stored = await vault.current({ type, id }, transaction?.tx ?? vault.reader);
    return stored && (await maySee(this.#store.options, this.#caller, stored, permission))
      ? stored
      : undefined;
  }

  override async readResource<T extends Resource>(type: string, id: string): Promise<WithId<T>> {
    requireScope(this.#caller, type, 'read');
    const stored = await this.#visible(type, id);
    if (!stored) throw notFound();
    if (stored.deleted) throw gone();
    return handedOut<T>(stored);
  }

  override async readVersion<T extends Resource>(type: string, id: string, vid: string): Promise<WithId<T>> {
    requireScope(this.#caller, type, 'vread');
    const newest = await this.#visible(type, id);
    if (!newest || !VERSION_ID.test(vid)) throw notFound();
    const { vault } = this.#store.options;
    const stored = await vault.version(
      { type, id, version: Number(vid) },
      this.#transaction?.tx ?? vault.reader,
    );
    if (!stored || !(await maySee(this.#store.options, this.#caller, stored, 'read'))) throw notFound();
    if (stored.deleted) throw gone();
    return handedOut<T>(stored);
  }

  override async readHistory<T extends Resource>(
    type: string,
    id: string,
    options?: ReadHistoryOptions,
  ): Promise<Bundle<WithId<T>>> {
    requireScope(this.#caller, type, 'history-instance');
    const newest = await this.#visible(type, id);
    if (!newest) throw notFound();
    const countMax = Math.min(Math.max(options?.limit ?? HISTORY_PAGE_MAX, 0), HISTORY_PAGE_MAX);
    const below = newest.version + 1 - Math.max(options?.offset ?? 0, 0);
    const { vault } = this.#store.options;
    const versions = await vault.history({ type, id, below, countMax });
    const seen: StoredVersion[] = [];
    for (const version of versions) {
      if (await maySee(this.#store.options, this.#caller, version, 'read')) seen.push(version);
    }
    return {
      resourceType: 'Bundle',
      type: 'history',
      total: newest.version,
      entry: seen.map((version) => this.#historyEntry(version)),
    } as unknown as Bundle<WithId<T>>;
  }

  #historyEntry(stored: StoredVersion): object {
    const { type, id, version, deleted, actor, time } = stored;
    const method = deleted ? 'DELETE' : version === 1 ? 'POST' : 'PUT';
    const supersedes = version === 1 ? [] : [{ url: SUPERSEDES_EXTENSION, valueString: String(version - 1) }];
    return {
      extension: [{ url: ACTOR_EXTENSION, valueString: actor }, ...supersedes],
      fullUrl: `${this.#store.options.baseUrl}/${type}/${id}`,
      ...(deleted ? {} : { resource: new StoredResource(stored) }),
      request: { method, url: version === 1 ? type : `${type}/${id}` },
      response: {
        status: deleted ? '204' : version === 1 ? '201' : '200',
        etag: `W/"${version}"`,
        lastModified: new Date(time).toISOString(),
      },
    };
  }

  override async updateResource<T extends Resource>(
    resource: T,
    options?: UpdateResourceOptions,
  ): Promise<WithId<T>> {
    const tree = asResource(resource);
    const { id = '' } = resource;
    requireScope(this.#caller, tree.resourceType, 'update');
    return this.#write(async (transaction) => {
      const before = await this.#visible(tree.resourceType, id, 'update', transaction);
      if (options?.ifMatch !== undefined && String(before?.version) !== options.ifMatch)
        throw versionConflict();
      if (before) requireAuthorship(this.#caller, before);
      else this.#requireNewId(tree.resourceType, id);
      return handedOut<T>(await this.#append(transaction, tree, id, before));
    });
  }

  /** An id stands in clear in rows, links and logs: only one that can say nothing may come from outside. */
  #requireNewId(type: string, id: string): void {
    if (this.#caller.kind !== 'patient' && UUID.test(id)) {
      requireScope(this.#caller, type, 'create');
      return;
    }
    throw new FhirError({
      status: 405,
      code: 'not-supported',
      message: 'There is no such resource to update, and this server gives out ids itself.',
      help: 'Create it by POST, or by PUT with an id that is a random UUID in lower case.',
      expression: [`${type}.id`],
    });
  }

  override async deleteResource(type: string, id: string, options?: DeleteResourceOptions): Promise<void> {
    requireScope(this.#caller, type, 'delete');
    await this.#write(async (transaction) => {
      const before = await this.#visible(type, id, 'delete', transaction);
      if (!before) throw notFound();
      if (options?.ifMatch !== undefined && String(before.version) !== options.ifMatch)
        throw versionConflict();
      if (before.deleted) return;
      requireAuthorship(this.#caller, before);
      await transaction.delete(before, actorOf(this.#caller));
    });
  }

  override patchResource<T extends Resource>(): Promise<WithId<T>> {
    throw new FhirError({
      status: 405,
      code: 'not-supported',
      message: 'This server does not patch.',
      help: 'Send the whole resource by PUT.',
    });
  }

  override async readReference<T extends Resource>(reference: Reference<T>): Promise<WithId<T>> {
    const [type, id, ...rest] = (reference.reference ?? '').split('/');
    if (type === undefined || id === undefined || rest.length > 0) throw notFound();
    return this.readResource<T>(type, id);
  }

  override async readReferences<T extends Resource>(
    references: readonly Reference<T>[],
  ): Promise<(T | Error)[]> {
    return Promise.all(
      references.map((reference) =>
        this.readReference<T>(reference).catch((error: unknown) => {
          if (error instanceof FhirError) return error;
          throw error;
        }),
      ),
    );
  }

  /** For the router's conditional create. Our own search routes go through `search-route.ts`, which knows pages. */
  override async search<T extends Resource>(request: SearchRequest<T>): Promise<Bundle<WithId<T>>> {
    const type = request.resourceType;
    requireScope(this.#caller, type, 'search-type');
    const { index, indexer, vault, baseUrl } = this.#store.options;
    const plan = planFromRequest(request, {
      tokenizer: indexer.tokenizer,
      baseUrl,
      visibility: visibilityFor(this.#store.options, this.#caller, type, 'search'),
    });
    const found = await index.search(plan);
    const versions = await vault.bySeq(found.seqs, this.#transaction?.tx ?? vault.reader);
    const entry = versions.map((version) => ({ resource: handedOut<T>(version) }));
    return { resourceType: 'Bundle', type: 'searchset', entry };
  }

  override searchByReference<T extends Resource>(): Promise<Record<string, WithId<T>[]>> {
    throw new FhirError({
      status: 405,
      code: 'not-supported',
      message: 'This server does not answer graph queries.',
      help: 'Search each resource type on its own.',
    });
  }
}

/** On a history's entry: who wrote the version, as organization, kind of caller and client or user id. */
export const ACTOR_EXTENSION = 'https://careledger.example/fhir/actor';
/** On a history's entry: the version that this one supersedes. */
export const SUPERSEDES_EXTENSION = 'https://careledger.example/fhir/supersedes';
