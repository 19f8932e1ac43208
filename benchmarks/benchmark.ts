import type { Limits } from './limits/limits.ts';

/** How much work a run does: `full` fills twelve minutes, `quick` ninety seconds, `smoke` shows only that it works. */
export type Scale = 'full' | 'quick' | 'smoke';

/** One measured number. */
export interface Row {
  /** Stays the same from run to run, so that runs can be compared. */
  readonly id: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** Which way is progress; `none` for a number that is only told. */
  readonly better: 'more' | 'less' | 'none';
  /** What is counted, and when it counts: `committed` or `certified` (section 5 of the design). */
  readonly counts: string;
  /** The value over the machine's own limit, measured in the same run. */
  readonly share?: { readonly of: string; readonly ratio: number };
  readonly bottleneck?: string;
  /** Further numbers of the same measurement. */
  readonly details?: Readonly<Record<string, number | string>>;
}

/** What a benchmark gets from the run. */
export interface BenchmarkContext {
  readonly scale: Scale;
  readonly limits: Limits;
  /** A new folder, removed when the run ends. */
  readonly folder: (name: string) => string;
  /** Progress, on standard error. */
  readonly say: (text: string) => void;
  /** Where profiles of the measured processes go, when asked for. */
  readonly profiles: string | undefined;
}

/** One question about speed and how it is answered. */
export interface Benchmark {
  readonly name: string;
  readonly title: string;
  /** Capability ids that ask for these numbers. */
  readonly ids: readonly string[];
  /** Left out unless it is named by `--only`. */
  readonly onlyByName?: boolean;
  readonly run: (context: BenchmarkContext) => Promise<readonly Row[]>;
}

/** The size of a piece of work at this scale. */
export function sized<Size>(scale: Scale, sizes: Readonly<Record<Scale, Size>>): Size {
  return sizes[scale];
}

/** The value below which this share of the sorted values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
