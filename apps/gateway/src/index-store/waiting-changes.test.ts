import { cpSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type IndexChange, IndexStore } from './index-store.ts';
import type { SearchPlan } from './search-plan.ts';

let folder: string;
let index: IndexStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'careledger-index-'));
  index = await IndexStore.open(join(folder, 'one'));
});
afterEach(async () => {
  await index.close().catch(() => undefined);
  await rm(folder, { recursive: true });
});

function change(seq: number, id: string, more: Partial<IndexChange> = {}): IndexChange {
  const values = { tokens: [], texts: [], spans: [], links: [] };
  return { seq, type: 'Observation', id, time: seq, deleted: false, subjects: ['p'], values, ...more };
}

const EVERYTHING: SearchPlan = {
  type: 'Observation',
  criteria: [],
  visibility: { kind: 'all' },
  sort: [],
  countMax: 10,
  countTotal: false,
};

it('a change is found at once, by the newest version alone, and no more once it is deleted', async () => {
  await index.apply([change(1, 'a'), change(2, 'b')]);
  expect((await index.search(EVERYTHING)).seqs).toEqual([1, 2]);
  await index.apply([change(3, 'a')]);
  await index.apply([change(4, 'a')]);
  expect((await index.search(EVERYTHING)).seqs).toEqual([2, 4]);
  await index.apply([change(5, 'a', { deleted: true })]);
  expect((await index.search(EVERYTHING)).seqs).toEqual([2]);
});

it('what a crash finds waiting is what the index does not say it has: the next start catches up with it', async () => {
  await index.apply([change(1, 'a')]);
  await index.appliedSeq();
  await index.apply([change(2, 'b')]);
  cpSync(join(folder, 'one'), join(folder, 'crashed'), { recursive: true });
  const crashed = await IndexStore.open(join(folder, 'crashed'));
  expect(await crashed.appliedSeq()).toBe(1);
  await crashed.close();
  expect(await index.appliedSeq()).toBe(2);
});

it('what waits is written down when the index is closed, and soon without any search', async () => {
  await index.apply([change(1, 'a')]);
  await expect
    .poll(async () => {
      cpSync(join(folder, 'one'), join(folder, 'copy'), { recursive: true });
      const copy = await IndexStore.open(join(folder, 'copy'));
      const seq = await copy.appliedSeq();
      await copy.close();
      return seq;
    })
    .toBe(1);
  await index.apply([change(2, 'b')]);
  await index.close();
  const again = await IndexStore.open(join(folder, 'one'));
  expect(await again.appliedSeq()).toBe(2);
  await again.close();
});

it('an index that cannot follow refuses to search and tells the next writer, until it can', async () => {
  await index.apply([change(1, 'a', { type: null as unknown as string })]);
  await expect(index.search(EVERYTHING)).rejects.toThrow(/NOT NULL/);
  await expect(index.search(EVERYTHING)).rejects.toThrow(/NOT NULL/);
});
