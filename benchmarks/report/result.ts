import type { Row, Scale } from '../benchmark.ts';
import type { Machine } from './machine.ts';

/** One benchmark of a run. */
export interface Section {
  readonly name: string;
  readonly title: string;
  readonly ids: readonly string[];
  readonly seconds: number;
  readonly rows: readonly Row[];
  /** Why there are no rows. */
  readonly problem?: string;
}

/** One run as it is written to `benchmarks/results/`. */
export interface Result {
  readonly date: string;
  readonly scale: Scale;
  readonly seconds: number;
  readonly machine: Machine;
  readonly sections: readonly Section[];
}

/** The rows of a result by their ids. */
export function rowsById(result: Result): ReadonlyMap<string, Row> {
  return new Map(result.sections.flatMap(({ rows }) => rows).map((row) => [row.id, row]));
}
