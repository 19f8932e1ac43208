import { canonicalText } from '@careledger/fhir';
import { equalBytes } from '@careledger/primitives';
import type { ImportedRecord, ImportTarget, ImportWrite, ImportWriter, SourceKey } from './import-target.ts';

/** What the memory target holds for one record. */
export interface MemoryRecord {
  readonly versions: readonly ImportWrite[];
}

/** An import target without a vault: for tests of the importer, and for a dry run that only reports. */
export class MemoryTarget implements ImportTarget {
  readonly #records = new Map<string, ImportWrite[]>();
  /** Ids of records that the custodian has, but not from an import: `Patient/1`. */
  readonly native = new Set<string>();

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
