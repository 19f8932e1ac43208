import {
  isLosslessArray,
  isLosslessObject,
  isResource,
  type LosslessResource,
  type LosslessValue,
} from '@careledger/fhir';
import { sha256, toHex, utf8 } from '@careledger/primitives';
import { isR4ResourceType } from '../../validation/index.ts';
import type { ImportEntry } from '../import-entries.ts';
import { ImportError } from '../import-error.ts';
import type { ImportSource, Which } from '../import-source.ts';
import { type Asking, fetchJson } from './fetch-json.ts';
import { type ImportProgress, ImportStateFile } from './import-state.ts';
import { searchPages } from './search-pages.ts';
import { sourceAddress } from './source-address.ts';

/** Entries that are asked for with one page. */
export const PAGE_ENTRIES = 100;
/** How much earlier than its end the window of the last run is read again: a server commits later than it stamps. */
export const WINDOW_OVERLAP_MILLISECONDS = 60_000;
/** Types that say nothing about anybody's health: a server's own affairs. */
const NOT_RECORDS: ReadonlySet<string> = new Set([
  'Bundle',
  'OperationOutcome',
  'Parameters',
  'Subscription',
]);

export interface ServerSourceOptions extends Asking {
  /** Base URL of the server, as the operator names it. */
  readonly url: string;
  /** What the data is known by; the server's base URL by default. */
  readonly source?: string;
  /** Where the progress is kept; without it every run reads everything. */
  readonly stateFile?: string;
  /** Types to read; all that the server can search by default. */
  readonly types?: readonly string[];
}

function capabilityTypes(capabilities: LosslessValue): readonly string[] {
  const rest = isLosslessObject(capabilities) && isLosslessArray(capabilities.rest) ? capabilities.rest : [];
  const resources = rest.flatMap((each) =>
    isLosslessObject(each) && isLosslessArray(each.resource) ? [...each.resource] : [],
  );
  const canSearch = (interactions: LosslessValue | undefined): boolean =>
    isLosslessArray(interactions) &&
    interactions.some((each) => isLosslessObject(each) && each.code === 'search-type');
  return resources.flatMap((each) =>
    isLosslessObject(each) && typeof each.type === 'string' && canSearch(each.interaction) ? [each.type] : [],
  );
}

function lastUpdatedOf(resource: LosslessResource): string | undefined {
  const value = isLosslessObject(resource.meta) ? resource.meta.lastUpdated : undefined;
  return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : undefined;
}

/** A FHIR server as a source: each type by a paged search, patients first, in the order of their last update. */
class ServerSource implements ImportSource {
  readonly name: string;
  readonly #base: URL;
  readonly #options: ServerSourceOptions;
  readonly #state: ImportStateFile | undefined;
  #types: readonly string[] | undefined;
  /** Where the run is, and where it was when everything so far had been stored. */
  #progress: ImportProgress = { done: [] };

  constructor(options: ServerSourceOptions) {
    this.#base = sourceAddress(options.url);
    this.#options = options;
    this.name = options.source ?? this.#base.href;
    const { stateFile: path } = options;
    if (path !== undefined)
      this.#state = new ImportStateFile({ path, source: toHex(sha256(utf8(this.#base.href))) });
  }

  async #begin(): Promise<readonly string[]> {
    if (this.#types) return this.#types;
    const kept = this.#state?.read() ?? { done: [] };
    const { value, date } = await fetchJson(new URL('metadata', this.#base), this.#options);
    const offered = this.#options.types ?? capabilityTypes(value);
    const types = [...new Set(offered)].filter((type) => isR4ResourceType(type) && !NOT_RECORDS.has(type));
    if (types.length === 0) {
      throw new ImportError(
        'import/source-answer',
        'The server offers no resource type that can be searched.',
        'Is it the base of a FHIR R4 server?',
      );
    }
    const began =
      date === undefined ? {} : { began: new Date(date - WINDOW_OVERLAP_MILLISECONDS).toISOString() };
    this.#progress = { ...began, ...kept };
    this.#types = types.sort();
    return this.#types;
  }

  /** `Observation?_count=100&_sort=_lastUpdated&_lastUpdated=ge...` */
  #query(type: string, parameters: readonly (readonly [string, string])[]): URL {
    const { since, type: underWay, until } = this.#progress;
    const from = underWay === type && until !== undefined ? until : since;
    const url = new URL(type, this.#base);
    url.searchParams.set('_count', String(PAGE_ENTRIES));
    if (from !== undefined) url.searchParams.set('_lastUpdated', `ge${from}`);
    for (const [name, value] of parameters) url.searchParams.set(name, value);
    return url;
  }

  async *#entries(type: string, first: URL): AsyncGenerator<ImportEntry> {
    const asking = this.#options;
    for await (const { number, entries } of searchPages({ base: this.#base, first, asking })) {
      const file = `${type}, page ${number}`;
      for (const [entry, value] of entries.entries()) {
        const found = this.#entry(type, value);
        if (found !== undefined) yield { file, entry, source: this.name, ...found };
      }
    }
  }

  #entry(
    type: string,
    value: LosslessValue,
  ): Pick<ImportEntry, 'fullUrl' | 'resource' | 'problems'> | undefined {
    const resource = isLosslessObject(value) ? value.resource : undefined;
    const mode = isLosslessObject(value) && isLosslessObject(value.search) ? value.search.mode : undefined;
    // What comes along with the matches is read with its own type, or is about the search alone.
    if (mode === 'outcome' || mode === 'include') return undefined;
    const id = isResource(resource) && typeof resource.id === 'string' ? resource.id : '';
    if (isResource(resource) && resource.resourceType === type && /^[A-Za-z0-9.-]{1,64}$/.test(id)) {
      return { fullUrl: new URL(`${type}/${id}`, this.#base).href, resource, problems: [] };
    }
    const text = 'The entry holds no resource of the type that was asked for, or one without an id';
    return {
      fullUrl: '',
      problems: [{ code: 'import/not-a-resource', expression: 'Bundle.entry.resource', text }],
    };
  }

  async *survey(): AsyncGenerator<ImportEntry> {
    for (const type of await this.#begin()) {
      if (this.#progress.done.includes(type)) continue;
      // A server that does not know `_elements` sends the whole: the same, only slower.
      yield* this.#entries(type, this.#query(type, [['_elements', 'identifier']]));
    }
  }

  async *read(which: Which): AsyncGenerator<ImportEntry> {
    for (const type of await this.#begin()) {
      if ((type === 'Patient') !== (which === 'patients') || this.#progress.done.includes(type)) continue;
      yield* this.#readType(type);
      const { type: _type, until: _until, ...rest } = this.#progress;
      this.#progress = { ...rest, done: [...rest.done, type] };
    }
  }

  async *#readType(type: string): AsyncGenerator<ImportEntry> {
    let isOrdered = true;
    let newest = '';
    for await (const entry of this.#entries(type, this.#query(type, [['_sort', '_lastUpdated']]))) {
      if (!entry.resource) continue;
      const updated = lastUpdatedOf(entry.resource);
      // A server that does not sort must be read from the beginning of the type again.
      isOrdered = isOrdered && updated !== undefined && Date.parse(updated) >= (Date.parse(newest) || 0);
      if (isOrdered && updated !== undefined) {
        newest = updated;
        this.#progress = { ...this.#progress, type, until: updated };
      } else if (this.#progress.until !== undefined) {
        const { until: _until, ...rest } = this.#progress;
        this.#progress = rest;
      }
      yield entry;
    }
  }

  async settled(): Promise<void> {
    this.#state?.write(this.#progress);
  }

  async finished(): Promise<void> {
    const { began } = this.#progress;
    this.#state?.write({ ...(began === undefined ? {} : { since: began }), done: [] });
  }
}

/**
 * A FHIR R4 server as a source: what changed since the last run that came to its end, each type by a search that follows next
 * links, the oldest change first. An interrupted run goes on where everything had been stored.
 *
 * @throws {@link ImportError} `import/source-address`; while it is read, any other.
 * @example const source = serverSource({ url: 'https://ehr.example.org/fhir', token, wait, stateFile });
 */
export function serverSource(options: ServerSourceOptions): ImportSource {
  return new ServerSource(options);
}
