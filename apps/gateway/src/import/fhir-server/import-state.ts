import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { ImportError } from '../import-error.ts';

const STATE_VERSION = 1;

/**
 * How far an import from a server has come: names of types and instants of the server's, nothing of a patient's. An import
 * that was interrupted goes on from here; one that came to its end leaves only `since`.
 */
export interface ImportProgress {
  /** Records changed since then are read; all of them where it is absent. FHIR instant. */
  readonly since?: string;
  /** The server's clock when this run began: the next run's `since`. */
  readonly began?: string;
  /** Types that are stored to their end. */
  readonly done: readonly string[];
  /** The type under way, and the newest `lastUpdated` up to which it is stored. */
  readonly type?: string;
  readonly until?: string;
}

const NOTHING_YET: ImportProgress = { done: [] };

function isProgress(value: unknown): value is ImportProgress & { version: number; source: string } {
  if (typeof value !== 'object' || value === null) return false;
  const { version, source, done }: { version?: unknown; source?: unknown; done?: unknown } = value;
  return version === STATE_VERSION && typeof source === 'string' && Array.isArray(done);
}

/** The state file of one source, readable by its owner alone. */
export class ImportStateFile {
  readonly #path: string;
  readonly #source: string;

  /** @param options.source What names the source in the file: a hash of its address. */
  constructor(options: { readonly path: string; readonly source: string }) {
    this.#path = options.path;
    this.#source = options.source;
  }

  #fault(what: string, cause?: unknown): ImportError {
    return new ImportError(
      'import/state',
      `The import's state file ${what}: ${this.#path}`,
      'Remove it: the import then reads everything again, and changes nothing that is there already.',
      cause === undefined ? undefined : { cause },
    );
  }

  /** @throws {@link ImportError} `import/state`. */
  read(): ImportProgress {
    let value: unknown;
    try {
      value = JSON.parse(readFileSync(this.#path, 'utf8'));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return NOTHING_YET;
      throw this.#fault('cannot be read', cause);
    }
    if (!isProgress(value) || value.source !== this.#source) throw this.#fault('belongs to another import');
    const { version: _version, source: _source, ...progress } = value;
    return progress;
  }

  /** Replaces the file as a whole, durably. @throws {@link ImportError} `import/state`. */
  write(progress: ImportProgress): void {
    const next = `${this.#path}.new`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      rmSync(next, { force: true });
      const file = openSync(next, 'wx', 0o600);
      try {
        writeSync(file, `${JSON.stringify({ version: STATE_VERSION, source: this.#source, ...progress })}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(next, this.#path);
    } catch (cause) {
      throw this.#fault('cannot be written', cause);
    }
  }
}
