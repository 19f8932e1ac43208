import { utf8 } from '@careledger/primitives';
import { expect, test } from 'vitest';
import { createApplication } from './create-application.ts';
import { MemoryStore } from './memory-store.ts';
import { refusals } from './refusals.ts';
import { exportSnapshot, importSnapshot } from './snapshot.ts';
import { TestChain, testCatalog, totalIn } from './test-chain.test-support.ts';

function snapshotOf(chain: TestChain): Uint8Array {
  const { header } = chain.application.info();
  return exportSnapshot({ store: chain.store, header, replay: chain.application.replayMinutes() });
}

function grown(): { readonly chain: TestChain; readonly last: Uint8Array } {
  const chain = new TestChain();
  let last = chain.add(0);
  for (let round = 0; round < 5; round += 1) {
    last = chain.add(round);
    chain.commit([last, chain.add(500)], { time: chain.time + 30_000 });
  }
  return { chain, last };
}

test('a snapshot is the same bytes on a node that executed, one that replayed and one that restarted', () => {
  const { chain } = grown();
  const replayed = new TestChain();
  for (const { transactions, header } of chain.blocks) replayed.commit(transactions, { time: header.time });
  expect(snapshotOf(replayed)).toEqual(snapshotOf(chain));
  replayed.application = replayed.start();
  replayed.application.restoreReplayWindow(replayed.blocks);
  expect(snapshotOf(replayed)).toEqual(snapshotOf(chain));
});

test('a node that starts from a snapshot computes the next header as everybody else, replay rule included', () => {
  const { chain, last } = grown();
  const { header } = chain.application.info();
  const imported = importSnapshot(snapshotOf(chain), { header });
  if (!imported.ok) throw new Error(imported.error);
  const store = new MemoryStore();
  store.apply(imported.value);
  const application = createApplication({
    genesis: chain.genesis,
    catalog: testCatalog,
    store,
    head: imported.value.header,
    verifyTransaction: chain.verifyTransaction,
  });
  application.restoreReplayMinutes(imported.value.replay);
  const proposal = chain.proposal([last, chain.add(1)]);
  const draft = application.execute(proposal);
  expect(draft).toEqual(chain.application.execute(proposal));
  expect(draft.results[0]?.code).toBe(refusals['transaction/replayed']);
  expect(totalIn(store)).toBe(10);
});

test('a snapshot with a changed value, a missing id, another header or a flipped byte is not believed', () => {
  const { chain } = grown();
  const { header } = chain.application.info();
  const good = snapshotOf(chain);
  expect(importSnapshot(good, { header }).ok).toBe(true);
  expect(importSnapshot(good, { header: { ...header, time: header.time + 1 } })).toMatchObject({
    error: 'snapshot/header',
  });

  const forged = new MemoryStore();
  forged.write([...chain.store.scan(new Uint8Array(0), 1_000)].map(([key, value]) => ({ key, value })));
  forged.write([{ key: utf8('counter/total'), value: Uint8Array.of(23) }]);
  const replay = chain.application.replayMinutes();
  expect(importSnapshot(exportSnapshot({ store: forged, header, replay }), { header })).toMatchObject({
    error: 'snapshot/state-root',
  });
  const shortened = replay.map((minute, index) =>
    index === 0 ? { ...minute, ids: minute.ids.slice(1) } : minute,
  );
  for (const wrong of [shortened, replay.slice(1), [...replay, { minute: 1, ids: [new Uint8Array(32)] }]]) {
    expect(
      importSnapshot(exportSnapshot({ store: chain.store, header, replay: wrong }), { header }),
    ).toMatchObject({
      error: 'snapshot/replay',
    });
  }
  for (let at = 0; at < good.length; at += 1) {
    const flipped = good.slice();
    flipped[at] = (flipped[at] ?? 0) ^ 4;
    expect(importSnapshot(flipped, { header }).ok, `byte ${at}`).toBe(false);
  }
});
