import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** A block with one transaction on disk is about this long. */
const RECORD_BYTES = 2048;

/** Appends and syncs, one after the other: no chain that is durable block by block can be faster than this. */
export async function syncedWritesPerSecond(folder: string, milliseconds: number): Promise<number> {
  const handle = await open(join(folder, 'appended'), 'w');
  const record = Buffer.alloc(RECORD_BYTES, 7);
  const began = performance.now();
  let count = 0;
  while (performance.now() - began < milliseconds) {
    await handle.write(record, 0, record.length, count * record.length);
    await handle.datasync();
    count += 1;
  }
  const rate = (count * 1000) / (performance.now() - began);
  await handle.close();
  return rate;
}
