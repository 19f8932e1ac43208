import type { Benchmark } from './benchmark.ts';
import { batchCurve } from './rows/batch-curve.ts';
import { blocks } from './rows/blocks.ts';
import { changes } from './rows/changes.ts';
import { fhir } from './rows/fhir.ts';
import { finality } from './rows/finality.ts';
import { longChain } from './rows/long-chain.ts';
import { memory, memoryShort } from './rows/memory.ts';
import { nodeCounts, payloads } from './rows/payloads.ts';
import { records } from './rows/records.ts';
import { stateMillion, stateSize } from './rows/state-size.ts';
import { storage } from './rows/storage.ts';
import { throughput } from './rows/throughput.ts';

/** Everything that is measured, in the order of the table. */
export const benchmarks: readonly Benchmark[] = [
  throughput,
  batchCurve,
  blocks,
  finality,
  records,
  changes,
  payloads,
  nodeCounts,
  stateSize,
  storage,
  longChain,
  fhir,
  memoryShort,
  memory,
  stateMillion,
];
