import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TestConsortium } from '../testing/test-consortium.ts';

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'careledger-waiting-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

test('LED-05: blocks that wait for the index are found at once, and after a crash they are indexed from the segments', async () => {
  const consortium = await TestConsortium.found({ members: 1 });
  try {
    const node = await consortium.start(0);
    const finals = [];
    for (let count = 0; count < 3; count += 1) finals.push(await node.submit(consortium.anchor(0).bytes));
    // What a crash leaves: the blocks are on disk, the index is not yet told of the last of them.
    cpSync(consortium.member(0).folder, place, { recursive: true });
    const heights = finals.map(({ height }) => height);
    expect(finals.map(({ id }) => node.find(id)?.height)).toEqual(heights);
    const { stateRoot, height } = node.status();
    await consortium.stop(node);

    const again = await consortium.start(0, { folder: place });
    expect(again.status()).toMatchObject({ stateRoot, height });
    expect(finals.map(({ id }) => again.find(id)?.height)).toEqual(heights);
    await consortium.stop(again);
  } finally {
    await consortium.close();
  }
});
