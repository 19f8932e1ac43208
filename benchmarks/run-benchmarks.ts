import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Benchmark, BenchmarkContext, Scale } from './benchmark.ts';
import { limitRows, measureLimits } from './limits/limits.ts';
import { endAllProcesses } from './network/node-handle.ts';
import type { Section } from './report/result.ts';

export interface RunOptions {
  readonly benchmarks: readonly Benchmark[];
  readonly scale: Scale;
  readonly say: (text: string) => void;
  readonly profiles?: string | undefined;
  /** Ends the run before the next benchmark; what is measured so far is kept. */
  readonly signal?: AbortSignal;
}

/** Runs the benchmarks one after the other. One that fails leaves its reason in the result, and the others go on. */
export async function runBenchmarks(options: RunOptions): Promise<readonly Section[]> {
  const { scale, say, profiles, signal } = options;
  const place = mkdtempSync(join(tmpdir(), 'careledger-bench-'));
  let number = 0;
  const folder = (name: string): string => {
    number += 1;
    const path = join(place, `${number}-${name}`);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const onAbort = (): void => endAllProcesses();
  signal?.addEventListener('abort', onAbort);
  try {
    say('limits of the machine');
    const limits = await measureLimits(scale, folder);
    const sections: Section[] = [
      { name: 'limits', title: 'Limits of this machine', ids: [], seconds: 0, rows: limitRows(limits) },
    ];
    for (const benchmark of options.benchmarks) {
      if (signal?.aborted) break;
      say(benchmark.title);
      const context: BenchmarkContext = { scale, limits, folder, profiles, say: (text) => say(`  ${text}`) };
      sections.push(await runOne(benchmark, context));
    }
    return sections;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    endAllProcesses();
    rmSync(place, { recursive: true, force: true });
  }
}

async function runOne({ name, title, ids, run }: Benchmark, context: BenchmarkContext): Promise<Section> {
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  try {
    const rows = await run(context);
    return { name, title, ids, rows, seconds: seconds() };
  } catch (fault) {
    const problem = fault instanceof Error ? fault.message : String(fault);
    return { name, title, ids, rows: [], seconds: seconds(), problem };
  }
}
