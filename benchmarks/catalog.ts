import type { Benchmark } from './benchmark.ts';
import { blocks } from './rows/blocks.ts';
import { finality } from './rows/finality.ts';
import { throughput } from './rows/throughput.ts';

/** Everything that is measured, in the order of the table. */
export const benchmarks: readonly Benchmark[] = [throughput, blocks, finality];
