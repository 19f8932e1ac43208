import { ImportRun } from './import-resources.ts';
import type { ImportSource } from './import-source.ts';
import type { ImportedRecord, ImportLink, ImportTarget, ImportWriter, SourceKey } from './import-target.ts';

/** How a record here and its original have come apart. */
export type DriftKind =
  /** At the source, but not here. */
  | 'new'
  /** The source says something else now. */
  | 'changed'
  /** Here, but the source shows it no more. */
  | 'missing'
  /** Changed or deleted here since it was imported. */
  | 'edited-here';

export interface Drift {
  readonly kind: DriftKind;
  /** `Observation/<id>`: our own, that a `new` record would get. */
  readonly reference: string;
}

/** How a source and what came from it compare. Counts alone: each record is told to `onDrift`. */
export interface DriftReport {
  /** Entries of the source. */
  readonly read: number;
  /** Records here that came from it. */
  readonly known: number;
  readonly counts: Readonly<Record<DriftKind, number>>;
  /** Entries that could not be compared: broken, or not a record by the rules of an import. */
  readonly refused: number;
  /** Files or pages that could not be read: what stood in them counts as missing. */
  readonly brokenFiles: number;
}

/** A target that writes nothing, and says what would have been written. */
class Comparison implements ImportTarget {
  readonly #target: ImportTarget;
  readonly #tell: (kind: DriftKind, reference: string) => void;

  constructor(target: ImportTarget, tell: (kind: DriftKind, reference: string) => void) {
    this.#target = target;
    this.#tell = tell;
  }

  findBySource(key: SourceKey): Promise<ImportedRecord | undefined> {
    return this.#target.findBySource(key);
  }

  idFor(key: SourceKey): string {
    return this.#target.idFor(key);
  }

  exists(resourceType: string, id: string): Promise<boolean> {
    return this.#target.exists(resourceType, id);
  }

  links(source: string): AsyncIterable<ImportLink> {
    return this.#target.links(source);
  }

  inTransaction(work: (writer: ImportWriter) => Promise<void>): Promise<void> {
    const referenceOf = (id: unknown, resourceType: string): string => `${resourceType}/${String(id)}`;
    return work({
      create: async ({ resource }) => this.#tell('new', referenceOf(resource.id, resource.resourceType)),
      update: async ({ resource }) => this.#tell('changed', referenceOf(resource.id, resource.resourceType)),
    });
  }
}

/**
 * Reads a source as an import would, writes nothing, and reports how it and the records that came from it have come apart
 * (OFF-22).
 *
 * @throws {@link ImportError} when the source cannot be read to its end: half a comparison would report the rest as missing.
 */
export async function findDrift(
  from: ImportSource,
  options: {
    readonly target: ImportTarget;
    readonly onDrift?: (drift: Drift) => void;
    readonly onProgress?: (done: number, total: number) => void;
    readonly signal?: AbortSignal;
  },
): Promise<DriftReport> {
  const counts: Record<DriftKind, number> = { new: 0, changed: 0, missing: 0, 'edited-here': 0 };
  const tell = (kind: DriftKind, reference: string): void => {
    counts[kind] += 1;
    options.onDrift?.({ kind, reference });
  };
  const run = new ImportRun(from, {
    target: new Comparison(options.target, tell),
    onProgress: ({ created, updated, unchanged, refused, read }) =>
      options.onProgress?.(created + updated + unchanged + refused, read),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  try {
    const { read, refused, brokenFiles } = await run.play();
    let known = 0;
    for await (const { resourceType, id, editedHere } of options.target.links(from.name)) {
      known += 1;
      const reference = `${resourceType}/${id}`;
      if (!run.index.hasSeen(reference)) tell('missing', reference);
      if (editedHere) tell('edited-here', reference);
    }
    return { read, known, counts, refused, brokenFiles };
  } finally {
    run.index.close();
  }
}
