import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const THREADS = 2;

/** Verifies one signature again and again in two threads. */
export async function signaturesPerSecond(milliseconds: number): Promise<number> {
  const workers = Array.from(
    { length: THREADS },
    () => new Worker(new URL('./signature-worker.ts', import.meta.url), { workerData: milliseconds }),
  );
  const rates = await Promise.all(
    workers.map(async (worker) => (await once(worker, 'message'))[0] as number),
  );
  await Promise.all(workers.map((worker) => worker.terminate()));
  return rates.reduce((sum, rate) => sum + rate, 0);
}
