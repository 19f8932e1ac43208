import { canonicalText } from '@careledger/fhir';
import { domainHash, equalBytes } from '@careledger/primitives';
import type {
  ImportedRecord,
  ImportLink,
  ImportTarget,
  ImportWrite,
  ImportWriter,
  SourceKey,
} from './import-target.ts';
import { stableId } from './stable-id.ts';

/** What the memory target holds for one record. */
export interface MemoryRecord {
  readonly versions: readonly ImportWrite[];
}

/** An import target without a vault: for tests of the importer, and for a dry run that only reports. */
export class MemoryTarget implements ImportTarget {
  readonly #records = new Map<string, ImportWrite[]>();
  /** Ids of records that the custodian has, but not from an import: `Patient/1`. */
  readonly native = new Set<string>();
  /** Imported records that somebody changed here since: `Patient/1`. */
  readonly edited = new Set<string>();

  #key({ source, fullUrl }: SourceKey): string {
    return `${source} ${fullUrl}`;
  }

  async findBySource(key: SourceKey): Promise<ImportedRecord | undefined> {
    const newest = this.#records.get(this.#key(key))?.at(-1);
    if (!newest) return undefined;
    const { resource, contentHash } = newest;
    return {
      resourceType: resource.resourceType,
      id: String(resource.id),
      contentMatches: (hash) => equalBytes(hash, contentHash),
    };
  }

  /** Keyed like a custodian's, with a key that everybody knows: for tests. */
  idFor(key: SourceKey): string {
    return stableId((message) => domainHash('careledger/test-import', message), key);
  }

  async *links(source: string): AsyncGenerator<ImportLink> {
    for (const versions of this.#records.values()) {
      const newest = versions.at(-1);
      if (newest?.source !== source) continue;
      const { resourceType, id } = newest.resource;
      yield { resourceType, id: String(id), editedHere: this.edited.has(`${resourceType}/${String(id)}`) };
    }
  }

  async exists(resourceType: string, id: string): Promise<boolean> {
    return this.native.has(`${resourceType}/${id}`);
  }

  async inTransaction(work: (writer: ImportWriter) => Promise<void>): Promise<void> {
    const writes: { readonly isNew: boolean; readonly write: ImportWrite }[] = [];
    await work({
      create: async (write) => void writes.push({ isNew: true, write }),
      update: async (write) => void writes.push({ isNew: false, write }),
    });
    for (const { isNew, write } of writes) {
      const key = this.#key(write);
      const versions = this.#records.get(key) ?? [];
      if (isNew !== (versions.length === 0)) throw new Error('create and update do not fit what is stored');
      this.#records.set(key, [...versions, write]);
    }
  }

  /** Every record's versions, oldest first. */
  records(): readonly MemoryRecord[] {
    return [...this.#records.values()].map((versions) => ({ versions }));
  }

  /** Canonical texts of all versions in one order: equal when two targets hold the same. */
  contents(): readonly string[] {
    return this.records()
      .map(({ versions }) => versions.map(({ resource }) => canonicalText(resource)).join('\n'))
      .sort();
  }
}
