/** What can be wrong with a file or an entry. Codes starting `import/` here; validation's issues keep their own. */
export type ImportProblemCode =
  /** Not a file we can read: too large, not UTF-8, not JSON. */
  | 'import/unreadable'
  /** JSON, but neither a resource nor a bundle of a type that can be taken apart. */
  | 'import/not-importable'
  /** An entry without a resource of an R4 type. */
  | 'import/not-a-resource'
  /** More than the limits of one resource. */
  | 'import/too-large'
  /** The same fullUrl with other content earlier in this import, or with another type at the custodian. */
  | 'import/conflict'
  /** Names a patient that is neither in the import nor at the custodian. */
  | 'import/patient-not-found'
  /** Is about a patient, but does not say who in a way that can be resolved. */
  | 'import/subject-unresolved'
  /** A reference to something that is neither in the import nor at the custodian. */
  | 'import/reference-not-found'
  /** A conditional reference that matches more than one resource. */
  | 'import/reference-ambiguous'
  /** Not valid by R4; `text` is the validator's. */
  | 'import/invalid';

/** One thing to know about one place. Holds no value of the resource. */
export interface ImportProblem {
  readonly code: ImportProblemCode;
  /** FHIRPath within the resource, or `Bundle` for a whole file. */
  readonly expression: string;
  readonly text: string;
}

/** A problem with where it stands. */
export interface ImportFinding extends ImportProblem {
  /** Path below the folder that was imported. */
  readonly file: string;
  /** Position in `Bundle.entry` from 0, or line of NDJSON from 1; absent for a whole file. */
  readonly entry?: number;
  /** `flagged`: stored with its validation result. `refused`: not stored. */
  readonly outcome: 'flagged' | 'refused';
}

/** What an import did: `read = created + updated + unchanged + refused`; `flagged` counts among the stored. */
export interface ImportReport {
  readonly files: number;
  /** Files that could not be read at all, or not to their end. */
  readonly brokenFiles: number;
  readonly read: number;
  /** Different fullUrls among them. */
  readonly distinct: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly flagged: number;
  readonly refused: number;
  /** At most {@link FINDINGS_MAX}; `findingsOmitted` counts the others. */
  readonly findings: readonly ImportFinding[];
  readonly findingsOmitted: number;
}

/** Findings kept in a report. The counts go on. */
export const FINDINGS_MAX = 10_000;

type Counter = Exclude<keyof ImportReport, 'findings' | 'findingsOmitted'>;

/** Counts while an import runs. */
export class ImportTally {
  readonly #counts: Record<Counter, number> = {
    files: 0,
    brokenFiles: 0,
    read: 0,
    distinct: 0,
    created: 0,
    updated: 0,
    unchanged: 0,
    flagged: 0,
    refused: 0,
  };
  readonly #findings: ImportFinding[] = [];
  #findingsOmitted = 0;

  /** @returns the new count. */
  count(counter: Counter): number {
    this.#counts[counter] += 1;
    return this.#counts[counter];
  }

  find(finding: ImportFinding): void {
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push(finding);
    else this.#findingsOmitted += 1;
  }

  report(): ImportReport {
    return { ...this.#counts, findings: [...this.#findings], findingsOmitted: this.#findingsOmitted };
  }
}
