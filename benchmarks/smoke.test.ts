import { expect, test } from 'vitest';
import { benchmarks } from './catalog.ts';
import { rowsById } from './report/result.ts';
import { runBenchmarks } from './run-benchmarks.ts';

// No number is judged here: only that every row is measured at all. A regression shows as a ratio, by --compare.
test.each(benchmarks.map((benchmark) => [benchmark.ids.join(', '), benchmark.name, benchmark] as const))(
  '%s: the benchmark %s measures its rows',
  async (_ids, name, benchmark) => {
    const sections = await runBenchmarks({ benchmarks: [benchmark], scale: 'smoke', say: () => undefined });
    const section = sections.find((one) => one.name === name);
    expect(section?.problem).toBeUndefined();
    const rows = section?.rows ?? [];
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter(({ value }) => !(value > 0))).toEqual([]);
    const result = { date: '', scale: 'smoke' as const, seconds: 0, machine: {} as never, sections };
    expect(rowsById(result).size).toBe(sections.flatMap((one) => one.rows).length);
  },
);
