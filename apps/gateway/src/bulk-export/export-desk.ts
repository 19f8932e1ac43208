import { randomUUID } from 'node:crypto';
import { utf8 } from '@careledger/primitives';
import { type Interaction, isAllowed } from '../authorization/index.ts';
import type { Caller } from '../caller.ts';
import { actorOf, FhirError, forbidden, maySee, notFound } from '../fhir/index.ts';
import type { GatewayContext } from '../gateway.ts';
import { PAGE_LINK_KEY } from '../keystore/index.ts';
import type { StoredVersion } from '../vault/index.ts';
import { chunksBySubjects, type ExportChunk, openVersions, withCurrent } from './export-chunks.ts';
import { idsOfFilters, planFilter } from './export-filters.ts';
import { patientsOfGroup } from './export-group.ts';
import type { ExportLevel, ExportRequest } from './export-request.ts';
import type { ExportFile, ExportStore, Item, Job } from './export-store.ts';
import {
  CHUNK_RECORDS,
  FILE_RECORDS_MAX,
  JOB_MS_MAX,
  JOB_RECORDS_MAX,
  JOBS_MAX,
  JOBS_PER_CALLER_MAX,
} from './limits.ts';
import { type Listed, type Listing, listVersions } from './list-versions.ts';

/** Writes down, synced, what is about to leave; rejects when it cannot: then nothing leaves. */
export type JournalExport = (caller: Caller, chunk: ExportChunk) => Promise<void>;

export interface ExportDeskOptions {
  readonly gateway: GatewayContext;
  readonly store: ExportStore;
  readonly journal: JournalExport;
}

/** What a job was asked, as it is sealed beside it. */
interface SealedJob {
  readonly url: string;
  readonly level: ExportLevel;
  readonly request: ExportRequest;
  /** Patients of the Group, or of the `patient` parameter. */
  readonly patients?: readonly string[];
  readonly caller: Caller;
}

/** A job as its caller sees it. */
export interface JobView {
  readonly state: Job['state'];
  readonly url: string;
  /** Milliseconds. */
  readonly created: number;
  readonly expires: number;
  /** Part of the vault that was looked at, 0 to 1. */
  readonly progress: number;
  readonly files: readonly ExportFile[];
}

/** Whose a job is. The same user may be at work for several patients, by a token for each. */
function ownerOf(caller: Caller): string {
  return caller.patientId === undefined ? actorOf(caller) : `${actorOf(caller)}/${caller.patientId}`;
}

const READ: readonly Interaction[] = ['read', 'search-type'];

/** Answers bulk exports: a job lists record versions; a file is rendered from them when it is fetched. */
export class ExportDesk {
  readonly #options: ExportDeskOptions;
  readonly #listing = new Map<string, Promise<void>>();
  readonly #cancelled = new Set<string>();
  #stopping = false;

  constructor(options: ExportDeskOptions) {
    this.#options = options;
  }

  /** Goes on with what a restart broke off, and forgets what has expired. */
  async start(): Promise<void> {
    await this.sweep();
    for (const job of await this.#options.store.all()) if (job.state === 'listing') this.#list(job);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#listing.values());
    await this.#options.store.close();
  }

  /** Forgets jobs whose time is over. */
  async sweep(): Promise<void> {
    const { store, gateway } = this.#options;
    for (const { job, expires } of await store.all()) if (expires <= gateway.now()) await this.#forget(job);
  }

  /**
   * Begins an export.
   *
   * @returns The job's id.
   * @throws {@link FhirError} 403, 404 for a Group that the caller cannot see, 429.
   */
  async begin(caller: Caller, level: ExportLevel, request: ExportRequest, url: string): Promise<string> {
    const { gateway, store } = this.#options;
    this.#requireScopes(caller, level, request);
    // Refused now, while somebody listens, and not when it is listed.
    for (const filter of request.filters) planFilter(gateway, caller, filter);
    await this.sweep();
    const actor = ownerOf(caller);
    const jobs = await store.all();
    const own = jobs.filter((job) => job.actor === actor);
    if (own.length >= JOBS_PER_CALLER_MAX || jobs.length >= JOBS_MAX) throw tooManyJobs();
    const patients = await this.#patientsOf(caller, level, request);
    const sealed: SealedJob = { url, level, request, caller, ...(patients ? { patients } : {}) };
    const created = gateway.now();
    const job: Job = {
      job: randomUUID(),
      actor,
      state: 'listing',
      request: new Uint8Array(),
      created,
      expires: created + JOB_MS_MAX,
      until_seq: await gateway.vault.lastSeq(),
      listed_seq: 0,
    };
    const entered = { ...job, request: this.#seal(job.job, sealed) };
    await store.add(entered);
    this.#list(entered);
    return job.job;
  }

  /** @throws {@link FhirError} 404, also for a job of somebody else. */
  async look(caller: Caller, name: string): Promise<JobView> {
    const job = await this.#own(caller, name);
    const { state, created, expires, until_seq, listed_seq } = job;
    const files = state === 'ready' ? await this.#options.store.files(job.job) : [];
    const progress = until_seq === 0 ? 1 : listed_seq / until_seq;
    return { state, created, expires, progress, files, url: this.#open(job).url };
  }

  /** Ends a job and forgets its files. @throws {@link FhirError} 404. */
  async cancel(caller: Caller, name: string): Promise<void> {
    const { job } = await this.#own(caller, name);
    this.#cancelled.add(job);
    await this.#listing.get(job);
    await this.#forget(job);
    this.#cancelled.delete(job);
  }

  /**
   * The record versions of a file, chunk by chunk: what the caller may see *now*, each chunk in the journal before it
   * is handed on. What was deleted, moved out of sight or erased meanwhile is not there.
   *
   * @throws {@link FhirError} 404 or 403, before the first chunk.
   */
  async read(caller: Caller, name: string, file: ExportFile): Promise<AsyncIterable<ExportChunk>> {
    const { job } = await this.#own(caller, name);
    const start = await this.#options.store.startOf(job, file);
    if (!start) throw notFound();
    if (!isPermitted(caller, file.type)) throw forbidden();
    return this.#chunks(caller, job, start);
  }

  async *#chunks(caller: Caller, job: string, start: Item): AsyncIterable<ExportChunk> {
    const { store, journal } = this.#options;
    let from: Item | undefined = start;
    for (let left = FILE_RECORDS_MAX; from && left > 0; left -= CHUNK_RECORDS) {
      const items: readonly Item[] = await store.itemsFrom(job, from, CHUNK_RECORDS + 1);
      const seqs = items.slice(0, CHUNK_RECORDS).map(({ seq }) => seq);
      const versions = await this.#stillThere(caller, seqs, start.deleted === 1);
      for (const chunk of chunksBySubjects(versions)) {
        await journal(caller, chunk);
        yield chunk;
      }
      from = items[CHUNK_RECORDS];
    }
  }

  /** Those of these versions that the caller may have at this moment. */
  async #stillThere(
    caller: Caller,
    seqs: readonly number[],
    deleted: boolean,
  ): Promise<readonly StoredVersion[]> {
    const { gateway } = this.#options;
    const kept: StoredVersion[] = [];
    const opened = await openVersions(gateway.vault, seqs);
    for (const [version, current] of await withCurrent(gateway.vault, opened)) {
      if (current.deleted !== deleted) continue;
      if (await maySee(gateway.store.options, caller, current, 'read')) kept.push(version);
    }
    return kept;
  }

  #list(job: Job): void {
    const work = this.#listAll(job)
      .catch((error: unknown) => {
        const fault = error instanceof Error ? error.name : 'unknown';
        this.#options.gateway.log.error({ job: job.job, fault }, 'an export could not be listed');
        return this.#options.store.setState(job.job, 'refused');
      })
      .finally(() => this.#listing.delete(job.job));
    this.#listing.set(job.job, work);
  }

  async #listAll(job: Job): Promise<void> {
    const { gateway, store } = this.#options;
    const sealed = this.#open(job);
    const { caller, request, level } = sealed;
    const listing: Listing = {
      untilSeq: job.until_seq,
      ofPatients: level.kind !== 'system',
      ...(request.since === undefined ? {} : { since: request.since }),
      ...(sealed.patients ? { patients: new Set(sealed.patients) } : {}),
    };
    const found = await idsOfFilters(gateway, caller, request.filters);
    let after: number | undefined = job.listed_seq;
    while (after !== undefined) {
      if (this.#stopping || this.#cancelled.has(job.job)) return;
      const step = await listVersions(gateway.vault, listing, after);
      const wanted = step.listed.filter(
        ({ type, id, deleted }) =>
          (request.types?.includes(type) ?? true) &&
          (deleted === 1 || (found.get(type)?.has(id) ?? true)) &&
          isPermitted(caller, type),
      );
      const items = await this.#visible(caller, wanted);
      await store.addItems(job.job, items, step.next ?? job.until_seq);
      after = step.next;
      // Others are answered between two steps.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const count = await store.count(job.job);
    await store.setState(job.job, count > JOB_RECORDS_MAX ? 'refused' : 'ready');
  }

  /** A type of which the caller may see nothing gets no file: not even an empty one. */
  async #visible(caller: Caller, listed: readonly Listed[]): Promise<readonly Item[]> {
    const { gateway } = this.#options;
    const bySeq = new Map(listed.map((item) => [item.seq, item]));
    const items: Item[] = [];
    const opened = await openVersions(gateway.vault, [...bySeq.keys()]);
    for (const [version, current] of await withCurrent(gateway.vault, opened)) {
      const item = bySeq.get(version.seq);
      if (!item || !(await maySee(gateway.store.options, caller, current, 'read'))) continue;
      const { deleted, type, owner, seq } = item;
      items.push({ deleted, type, owner, seq });
    }
    return items;
  }

  #requireScopes(caller: Caller, level: ExportLevel, { types }: ExportRequest): void {
    if (caller.kind === 'organization') throw forbidden();
    if (caller.kind === 'patient' && level.kind !== 'patient') throw forbidden();
    if (types && !types.every((type) => isPermitted(caller, type))) throw forbidden();
    if (caller.scopes.length === 0) throw forbidden();
  }

  async #patientsOf(
    caller: Caller,
    level: ExportLevel,
    { patients }: ExportRequest,
  ): Promise<readonly string[] | undefined> {
    if (level.kind !== 'group') return patients;
    const members = await patientsOfGroup(this.#options.gateway, caller, level.id);
    return patients ? members.filter((id) => patients.includes(id)) : members;
  }

  async #own(caller: Caller, name: string): Promise<Job> {
    const job = await this.#options.store.find(name);
    if (!job || job.actor !== ownerOf(caller) || job.expires <= this.#options.gateway.now()) throw notFound();
    return job;
  }

  async #forget(job: string): Promise<void> {
    await this.#options.store.remove(job);
  }

  #context(job: string): Uint8Array {
    return utf8(JSON.stringify(['export', job]));
  }

  #seal(job: string, sealed: SealedJob): Uint8Array {
    return this.#options.gateway.keystore.wrap(
      PAGE_LINK_KEY,
      utf8(JSON.stringify(sealed)),
      this.#context(job),
    );
  }

  #open({ job, request }: Job): SealedJob {
    const { keystore } = this.#options.gateway;
    const plain = keystore.unwrap(PAGE_LINK_KEY, new Uint8Array(request), this.#context(job));
    if (!plain) throw notFound();
    return JSON.parse(new TextDecoder().decode(plain)) as SealedJob;
  }
}

/** An export reads and searches: both must be granted. */
function isPermitted(caller: Caller, type: string): boolean {
  return READ.every((interaction) => isAllowed(caller, type, interaction));
}

function tooManyJobs(): FhirError {
  return new FhirError({
    status: 429,
    code: 'throttled',
    message: 'There are as many exports as this server keeps at a time.',
    help: 'Fetch and delete earlier ones, or wait until they expire.',
  });
}
