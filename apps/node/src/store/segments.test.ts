import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DamagedRecordError, encodeRecord } from './block-record.ts';
import { SegmentStore } from './segments.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'careledger-segments-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function blockBytes(height: number): Uint8Array {
  return Uint8Array.from({ length: 40 + height }, (_, index) => (height * 31 + index * 7) & 255);
}

async function fill(count: number, segmentBytesMax: number): Promise<void> {
  const store = SegmentStore.open({ folder, acknowledgedHeight: 0, segmentBytesMax });
  for (let height = 1; height <= count; height += 1) await store.append(height, blockBytes(height));
  await store.close();
}

function openStore(acknowledgedHeight = 0): SegmentStore {
  return SegmentStore.open({ folder, acknowledgedHeight });
}

/** Which heights are served, and at which the store names damage. */
function readAll(count: number): { served: number[]; damaged: number[] } {
  const served: number[] = [];
  const damaged: number[] = [];
  let store: SegmentStore;
  try {
    store = openStore(count);
  } catch (fault) {
    if (!(fault instanceof DamagedRecordError)) throw fault;
    return { served, damaged: [fault.height] };
  }
  for (let height = 1; height <= count; height += 1) {
    try {
      const bytes = store.read(height);
      expect(bytes).toEqual(blockBytes(height));
      served.push(height);
    } catch (fault) {
      if (!(fault instanceof DamagedRecordError)) throw fault;
      damaged.push(fault.height);
    }
  }
  void store.close();
  return { served, damaged };
}

test('LED-01: blocks are kept over several files, named by their first height, and read back after a restart', async () => {
  await fill(20, 400);
  const names = readdirSync(folder).sort();
  expect(names.length).toBeGreaterThan(2);
  expect(names[0]).toBe('0000000000000001.segment');
  expect(readAll(20).served.length).toBe(20);
});

test('LED-01: any flipped byte in any file is found, named with its height, and the record is not served', async () => {
  const count = 8;
  await fill(count, 300);
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const original = readFileSync(path);
    let height = Number(name.slice(0, 16));
    let recordEnd = encodeRecord(height, blockBytes(height)).length;
    for (let at = 0; at < original.length; at += 1) {
      if (at >= recordEnd) {
        height += 1;
        recordEnd += encodeRecord(height, blockBytes(height)).length;
      }
      const damaged = Buffer.from(original);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(path, damaged);
      const found = readAll(count);
      expect(found.damaged, `${name} byte ${at}`).toContain(height);
      expect(found.served).not.toContain(height);
    }
    writeFileSync(path, original);
  }
}, 20_000);

test('LED-01: a last record torn at any byte is cut off when it was never acknowledged', async () => {
  await fill(3, 10_000);
  const path = join(folder, '0000000000000001.segment');
  const original = readFileSync(path);
  const lastLength = encodeRecord(3, blockBytes(3)).length;
  for (let cut = 1; cut <= lastLength; cut += 1) {
    writeFileSync(path, original);
    truncateSync(path, original.length - cut);
    const store = openStore(2);
    expect(store.lastHeight).toBe(2);
    await store.append(3, blockBytes(3));
    expect(store.read(3)).toEqual(blockBytes(3));
    await store.close();
    expect(readFileSync(path)).toEqual(original);
  }
});

test('LED-01: a last record that was acknowledged is never cut off, at whatever byte it is torn', async () => {
  await fill(3, 10_000);
  const path = join(folder, '0000000000000001.segment');
  const original = readFileSync(path);
  const lastLength = encodeRecord(3, blockBytes(3)).length;
  for (let cut = 1; cut <= lastLength; cut += 1) {
    const torn = original.subarray(0, original.length - cut);
    writeFileSync(path, torn);
    expect(() => openStore(3)).toThrow(DamagedRecordError);
    expect(readFileSync(path)).toEqual(Buffer.from(torn));
  }
});

test('LED-01: damage in the middle is never taken for a torn tail, not even without an index', async () => {
  await fill(5, 10_000);
  const path = join(folder, '0000000000000001.segment');
  const damaged = readFileSync(path);
  const second = encodeRecord(1, blockBytes(1)).length;
  damaged[second] = 0x7f;
  writeFileSync(path, damaged);
  expect(() => openStore(0)).toThrow(/height 2 .* is damaged/);
  expect(readFileSync(path)).toEqual(damaged);
});

test('LED-20: a missing file of blocks is named', async () => {
  await fill(20, 400);
  const [, second] = readdirSync(folder).sort();
  rmSync(join(folder, second ?? ''));
  expect(() => openStore(0)).toThrow(DamagedRecordError);
});

test('a block that does not follow the last is not stored', async () => {
  const store = openStore();
  await store.append(1, blockBytes(1));
  await expect(store.append(3, blockBytes(3))).rejects.toThrow('blocks are stored in order');
  expect(store.lastHeight).toBe(1);
  await store.close();
});
