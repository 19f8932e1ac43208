import {
  headerHash,
  MerkleAccumulator,
  merkleLeafHash,
  proveState,
  verifyStateProof,
} from '@careledger/ledger';
import {
  CborTag,
  decodeCbor,
  encodeCbor,
  type HeaderHash,
  type PublicKey,
  utf8,
} from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import { refusals } from './refusals.ts';
import { DivergenceError, replayBlock } from './replay-block.ts';
import { EXPIRY_AHEAD_MAX } from './replay-window.ts';
import {
  addCodec,
  BLOCK_LIMIT,
  counterSignedCodec,
  leaveCodec,
  SIZE_LIMIT,
  signerOf,
  TestChain,
  totalIn,
} from './test-chain.test-support.ts';

function patched(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

/** Every way in which a transaction can be wrong for anyone to see, with the refusal that it earns. */
function malformed(chain: TestChain): readonly (readonly [string, Uint8Array, keyof typeof refusals])[] {
  const good = chain.add(1);
  const other = new TestChain([signerOf(7)]);
  const inner = { publicKey: signerOf(5).publicKey as PublicKey, signature: new Uint8Array(64) };
  const content = (decodeCbor(good) as CborTag).content as readonly (
    | Uint8Array
    | ReadonlyMap<number, number>
  )[];
  const unsigned = encodeCbor(new CborTag(18, [...content.slice(0, 3), new Uint8Array(64)]));
  const unprotected = encodeCbor(
    new CborTag(18, [
      content[0] as Uint8Array,
      new Map([[4, 1]]),
      content[2] as Uint8Array,
      content[3] as Uint8Array,
    ]),
  );
  const large = chain.sign('counter/add', new Uint8Array(SIZE_LIMIT));
  return [
    ['unsigned', unsigned, 'transaction/signature'],
    ['mis-signed', patched(good, good.length - 1), 'transaction/signature'],
    ['of a foreign chain', chain.add(1, { chain: other.chain }), 'transaction/foreign-chain'],
    ['oversized', large, 'transaction/too-large'],
    ['not canonical', Uint8Array.of(...good, 0), 'transaction/not-canonical'],
    ['with an unprotected header', unprotected, 'transaction/unprotected-header'],
    ['not an envelope', encodeCbor([1, 2, 3]), 'transaction/not-cose-sign1'],
    [
      'of an unknown type',
      chain.sign('counter/reset', addCodec.encode({ amount: 1 })),
      'transaction/unknown-type',
    ],
    [
      'with an unknown field',
      chain.sign(
        'counter/add',
        encodeCbor(
          new Map([
            ['amount', 1],
            ['comment', 2],
          ]),
        ),
      ),
      'transaction/body',
    ],
    ['with a missing field', chain.sign('counter/add', encodeCbor(new Map())), 'transaction/body'],
    ['with an identifier', chain.note('call 415 555 0132'), 'transaction/identifier'],
    [
      'with a wrong inner signature',
      chain.sign('counter/countersigned', counterSignedCodec.encode(inner)),
      'transaction/inner-signature',
    ],
  ];
}

describe('what no honest proposer includes', () => {
  test('LED-09: a transaction that is unsigned, mis-signed, foreign, oversized or malformed is refused everywhere', () => {
    const chain = new TestChain();
    for (const [name, bytes, reason] of malformed(chain)) {
      expect(chain.application.checkTransaction(bytes, chain.time), name).toMatchObject({ reason });
      expect(chain.application.processProposal(chain.proposal([bytes])), name).toContain(reason);
      expect(chain.application.prepareProposal([bytes], { time: chain.time }), name).toEqual([]);
      const draft = chain.application.execute(chain.proposal([bytes]));
      expect(draft.results, name).toEqual([{ code: refusals[reason], events: [], gas: 0 }]);
    }
  });

  test('OFF-02: a body with an unknown field is refused, and the refusal names the field that is wrong, not its content', () => {
    const chain = new TestChain();
    const body = encodeCbor(new Map<string, string | number>([['amount', 'Jane Roe']]));
    const checked = chain.application.checkTransaction(chain.sign('counter/add', body), chain.time);
    expect(checked).toEqual({
      code: refusals['transaction/body'],
      reason: 'transaction/body',
      detail: expect.any(String),
    });
    expect(checked.detail).toContain('amount');
    expect(checked.detail).not.toContain('Jane');
  });

  test('a proposal with a gap, a wrong parent, a backward time or a proposer who is no validator is refused', () => {
    const chain = new TestChain();
    chain.commit([chain.add(1)]);
    const { application } = chain;
    const good = chain.proposal([chain.add(1)]);
    expect(application.processProposal(good)).toBeUndefined();
    expect(application.processProposal({ ...good, height: good.height + 1 })).toBe('proposal/height');
    expect(application.processProposal({ ...good, parentHash: new Uint8Array(32) as HeaderHash })).toBe(
      'proposal/unknown-parent',
    );
    expect(application.processProposal({ ...good, time: chain.time - 1 })).toBe('proposal/backward-time');
    expect(application.processProposal({ ...good, proposer: signerOf(9).publicKey as PublicKey })).toBe(
      'proposal/not-a-validator',
    );
  });

  test('OFF-11: a block at its byte limit is accepted, one above it is refused', () => {
    const chain = new TestChain();
    const one = chain.add(1);
    const count = Math.floor(BLOCK_LIMIT / one.length);
    const full = Array.from({ length: count }, () => chain.add(1));
    expect(chain.application.processProposal(chain.proposal(full))).toBeUndefined();
    expect(chain.application.processProposal(chain.proposal([...full, one]))).toBe('proposal/too-large');
  });

  test('OFF-11: a transaction of exactly the byte limit passes the size rule, one byte more does not', () => {
    const chain = new TestChain();
    const overhead = chain.sign('counter/add', new Uint8Array(1_000)).length - 1_000;
    const body = (length: number) => chain.sign('counter/add', new Uint8Array(length));
    const atLimit = body(SIZE_LIMIT - overhead);
    expect(atLimit).toHaveLength(SIZE_LIMIT);
    expect(chain.verifyTransaction(atLimit)).toMatchObject({ reason: 'transaction/body' });
    expect(chain.verifyTransaction(body(SIZE_LIMIT - overhead + 1))).toMatchObject({
      reason: 'transaction/too-large',
    });
  });
});

describe('expiry and replay', () => {
  test('LED-09: a replayed or expired transaction is refused in the results of every node, and changes nothing', () => {
    const chain = new TestChain();
    const follower = new TestChain();
    const transaction = chain.add(5);
    expect(chain.codes([transaction])).toEqual([0]);
    const expired = chain.add(7, { expiresAt: chain.time - 1 });
    const proposal = chain.proposal([transaction, expired]);
    expect(chain.application.processProposal(proposal)).toBeUndefined();
    expect(chain.codes([transaction, expired])).toEqual([
      refusals['transaction/replayed'],
      refusals['transaction/expired'],
    ]);
    expect(totalIn(chain.store)).toBe(5);
    for (const block of chain.blocks) {
      follower.store.apply(replayBlock(follower.application, block));
      follower.application.commit(block.headerHash);
    }
    expect(follower.application.info()).toEqual(chain.application.info());
  });

  test('the same transaction twice in one block counts once', () => {
    const chain = new TestChain();
    const transaction = chain.add(5);
    expect(chain.codes([transaction, transaction])).toEqual([0, refusals['transaction/replayed']]);
    expect(totalIn(chain.store)).toBe(5);
  });

  test('a refused transaction is remembered too: it cannot be tried again', () => {
    const chain = new TestChain();
    const stranger = signerOf(9);
    const transaction = chain.add(5, { signer: stranger });
    expect(chain.codes([transaction])).toEqual([refusals['transaction/signer-not-in-force']]);
    expect(chain.codes([transaction])).toEqual([refusals['transaction/replayed']]);
  });

  test('a transaction lives up to and including its expiry, at most ten minutes ahead of the block', () => {
    const chain = new TestChain();
    const time = chain.time + 1_000;
    const last = chain.add(1, { expiresAt: time });
    const furthest = chain.add(1, { expiresAt: time + EXPIRY_AHEAD_MAX });
    const tooFar = chain.add(1, { expiresAt: time + EXPIRY_AHEAD_MAX + 1 });
    expect(chain.application.processProposal(chain.proposal([last, furthest], { time }))).toBeUndefined();
    expect(chain.application.processProposal(chain.proposal([tooFar], { time }))).toContain(
      'expires-too-late',
    );
    expect(chain.application.prepareProposal([last, tooFar], { time })).toEqual([last]);
    expect(chain.codes([last, furthest], { time })).toEqual([0, 0]);
  });

  test('no transaction is accepted twice at any distance, and closed buckets leave state', () => {
    const chain = new TestChain();
    const start = chain.time;
    const transaction = chain.add(1, { expiresAt: start + 1_000 + EXPIRY_AHEAD_MAX });
    chain.commit([transaction], { time: start + 1_000 });
    for (let minutes = 1; minutes <= 13; minutes += 1) {
      const [code] = chain.codes([transaction], { time: start + 1_000 + minutes * 60_000 });
      expect(code).not.toBe(0);
    }
    expect(totalIn(chain.store)).toBe(1);
    expect([...chain.store.scan(utf8('chain/replay/'), 100)].length).toBeLessThanOrEqual(12);
  });

  test('after a restart the window is rebuilt from blocks, checked against state, and needed before anything runs', () => {
    const chain = new TestChain();
    const transaction = chain.add(5);
    chain.commit([transaction, transaction, Uint8Array.of(1)]);
    chain.application = chain.start();
    expect(() => chain.application.checkTransaction(transaction, chain.time)).toThrow('replay window');
    expect(() => chain.application.execute(chain.proposal([]))).toThrow('replay window');
    expect(() => chain.start().restoreReplayWindow([])).toThrow('counted');
    chain.application.restoreReplayWindow(chain.blocks);
    expect(chain.codes([transaction])).toEqual([refusals['transaction/replayed']]);
  });

  test('an old transaction is expired, not replayed, on a node that still remembers it and on one that no longer can', () => {
    const steady = new TestChain();
    const restarted = new TestChain();
    const old = steady.add(1);
    for (const node of [steady, restarted]) node.commit([old]);
    restarted.application = restarted.start();
    restarted.application.restoreReplayWindow(restarted.blocks);
    const time = steady.time + 2 * EXPIRY_AHEAD_MAX;
    expect(steady.codes([old], { time })).toEqual([refusals['transaction/expired']]);
    expect(restarted.codes([old], { time })).toEqual([refusals['transaction/expired']]);
    expect(restarted.application.info()).toEqual(steady.application.info());
  });

  test('a node that restarted and one that did not agree on every header', () => {
    const steady = new TestChain();
    const restarted = new TestChain();
    const old = steady.add(1, { expiresAt: steady.time + EXPIRY_AHEAD_MAX });
    for (let round = 0; round < 16; round += 1) {
      const time = steady.time + 55_000;
      const transactions = [steady.add(1, { expiresAt: time }), old];
      steady.commit(transactions, { time });
      const recent = restarted.blocks.filter(({ header }) => header.time > restarted.time - 720_000);
      restarted.application = restarted.start();
      restarted.application.restoreReplayWindow(recent);
      restarted.commit(transactions, { time });
      expect(restarted.application.info().headerHash).toEqual(steady.application.info().headerHash);
    }
  });
});

describe('headers', () => {
  test('LED-15: the nonce counts the blocks of each proposer and is never used twice by one', () => {
    const chain = new TestChain();
    const [first, second] = chain.founders.map(({ publicKey }) => publicKey as PublicKey);
    const order = [first, second, first, first, second];
    const headers = order.map(
      (proposer) => chain.commit([chain.add(1)], proposer ? { proposer } : {}).header,
    );
    expect(headers.map(({ nonce }) => nonce)).toEqual([1, 1, 2, 3, 2]);
    const used = headers.map(({ proposer, nonce }) => `${proposer.join()}/${nonce}`);
    expect(new Set(used).size).toBe(headers.length);
  });

  test('every header links to the one before, and its history root covers all headers below', () => {
    const chain = new TestChain();
    let history = MerkleAccumulator.empty;
    for (let height = 1; height <= 9; height += 1) {
      const before = chain.application.info();
      history = history.append(merkleLeafHash(before.headerHash));
      const { header } = chain.commit([chain.add(1)]);
      expect(header.previousHash).toEqual(headerHash(before.header));
      expect(header.height).toBe(height);
      expect(header.historyRoot).toEqual(history.root());
      expect(header.validatorsHash).toEqual(before.header.nextValidatorsHash);
    }
  });

  test('a value and an absence are provable from the header and the store', () => {
    const chain = new TestChain();
    const { header } = chain.commit([chain.add(5)]);
    const root = header.stateRoot;
    for (const key of [utf8('counter/total'), utf8('counter/nothing')]) {
      const proof = proveState({ root, node: chain.store.node, key });
      expect(verifyStateProof({ root, key, value: chain.store.get(key), proof }).ok).toBe(true);
    }
  });

  test('NET-05: a validator whose key leaves is out of the next set, and its later transactions are refused', () => {
    const chain = new TestChain();
    const [, second] = chain.founders;
    if (!second) throw new Error('there are two founders');
    const publicKey = second.publicKey as PublicKey;
    const before = chain.application.info();
    const leave = chain.sign('counter/leave', leaveCodec.encode({ publicKey }));
    const { header } = chain.commit([leave, chain.add(1, { signer: second })]);
    expect(header.validatorsHash).toEqual(before.header.nextValidatorsHash);
    expect(header.nextValidatorsHash).not.toEqual(header.validatorsHash);
    expect(chain.application.info().validators).toHaveLength(1);
    expect(chain.blocks.at(-1)?.results.map(({ code }) => code)).toEqual([
      0,
      refusals['transaction/signer-not-in-force'],
    ]);
    expect(chain.application.processProposal(chain.proposal([], { proposer: publicKey }))).toBe(
      'proposal/not-a-validator',
    );
  });
});

describe('branches', () => {
  test('several drafts stand side by side on one parent; finality keeps one and drops the others', () => {
    const chain = new TestChain();
    const { application } = chain;
    const left = application.execute(chain.proposal([chain.add(1)]));
    const right = application.execute(chain.proposal([chain.add(2)]));
    expect(left.header.stateRoot).not.toEqual(right.header.stateRoot);
    expect(totalIn(chain.store)).toBe(0);
    chain.store.apply(application.finalize(right.headerHash));
    expect(() => application.finalize(left.headerHash)).toThrow('executed draft');
    application.commit(right.headerHash);
    expect(totalIn(chain.store)).toBe(2);
  });

  test('a draft over a draft sees its parent, also after the parent became durable', () => {
    const chain = new TestChain();
    const { application } = chain;
    const transaction = chain.add(1);
    const first = application.execute(chain.proposal([transaction]));
    const over = { height: 2, parentHash: first.headerHash, time: chain.time + 2_000 };
    const second = application.execute(chain.proposal([chain.add(10), transaction], over));
    expect(second.results.map(({ code }) => code)).toEqual([0, refusals['transaction/replayed']]);
    chain.store.apply(application.finalize(first.headerHash));
    application.commit(first.headerHash);
    const again = application.execute(
      chain.proposal([chain.add(100)], { ...over, height: 3, parentHash: second.headerHash }),
    );
    chain.store.apply(application.finalize(second.headerHash));
    application.commit(second.headerHash);
    chain.store.apply(application.finalize(again.headerHash));
    application.commit(again.headerHash);
    expect(totalIn(chain.store)).toBe(111);
    expect(application.info().height).toBe(3);
  });

  test('executing the same proposal twice gives the same header', () => {
    const chain = new TestChain();
    const proposal = chain.proposal([chain.add(1), chain.add(1_000)]);
    expect(chain.application.execute(proposal)).toEqual(chain.application.execute(proposal));
  });
});

describe('replay', () => {
  test('LED-05: replaying the blocks onto an empty store gives the same state root at every height', () => {
    const chain = new TestChain();
    for (let round = 0; round < 8; round += 1) {
      chain.commit([chain.add(round), chain.add(1_000), chain.add(1, { signer: signerOf(9) })]);
    }
    const fresh = new TestChain();
    for (const block of chain.blocks) {
      const batch = replayBlock(fresh.application, block);
      expect(batch.header.stateRoot).toEqual(block.header.stateRoot);
      fresh.store.apply(batch);
      fresh.application.commit(batch.headerHash);
    }
    const whole = (store: TestChain['store']) => [...store.scan(new Uint8Array(0), 10_000)];
    expect(whole(fresh.store)).toEqual(whole(chain.store));
  });

  test('LED-10: two nodes that execute the same blocks hold the same order of transactions and the same results', () => {
    const nodes = [new TestChain(), new TestChain()];
    const [first] = nodes;
    if (!first) throw new Error('there are two nodes');
    const transactions = Array.from({ length: 9 }, (_, index) => first.add(index));
    const batches = nodes.map((node) => [
      node.commit(transactions.slice(0, 5)),
      node.commit(transactions.slice(5)),
    ]);
    expect(batches[0]).toEqual(batches[1]);
    expect(batches[0]?.flatMap((batch) => batch.transactions)).toEqual(transactions);
  });

  test('SC-12: a node whose state differs computes another header and stops with the evidence', () => {
    const healthy = new TestChain();
    const damaged = new TestChain();
    damaged.store.write([{ key: utf8('counter/total'), value: Uint8Array.of(24, 99) }]);
    const block = healthy.commit([healthy.add(1)]);
    let caught: unknown;
    try {
      replayBlock(damaged.application, block);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(DivergenceError);
    const divergence = caught as DivergenceError;
    expect(divergence.field).toBe('resultsRoot');
    expect(divergence.agreed).toEqual(block.header);
    expect(divergence.computed.stateRoot).not.toEqual(block.header.stateRoot);
    expect(damaged.application.info().height).toBe(0);
  });

  test('TOK-02: no transaction needs a coin: a key with an empty account writes, at no gas', () => {
    const chain = new TestChain();
    const { results } = chain.commit([chain.add(1), chain.add(1_000)]);
    expect(results.map(({ gas }) => gas)).toEqual([0, 0]);
  });
});

describe('prepareProposal', () => {
  test('keeps the order, drops what is malformed and what stands twice, and passes dead ones on', () => {
    const chain = new TestChain();
    const time = chain.time + 1_000;
    const replayed = chain.add(1);
    chain.commit([replayed]);
    const live = [chain.add(1), chain.add(2)] as const;
    const dead = chain.add(3, { expiresAt: time - 2_000 });
    const offered = [live[0], Uint8Array.of(1, 2), dead, live[1], live[0], replayed];
    const chosen = chain.application.prepareProposal(offered, { time });
    expect(chosen).toEqual([live[0], dead, live[1], replayed]);
    expect(chain.application.processProposal(chain.proposal(chosen))).toBeUndefined();
  });

  test('dead ones take at most a quarter of a block while live ones wait, and the rest only after them', () => {
    const chain = new TestChain();
    const dead = Array.from({ length: 30 }, () => chain.add(1, { expiresAt: chain.time - 1 }));
    const live = Array.from({ length: 30 }, () => chain.add(1));
    const bytes = (list: readonly Uint8Array[]) => list.reduce((sum, item) => sum + item.length, 0);
    const mixed = chain.application.prepareProposal([...dead, ...live], { time: chain.time });
    expect(bytes(mixed)).toBeLessThanOrEqual(BLOCK_LIMIT);
    expect(bytes(mixed.filter((item) => dead.includes(item)))).toBeLessThanOrEqual(BLOCK_LIMIT / 4);
    expect(mixed.filter((item) => live.includes(item)).length).toBeGreaterThan(10);
    const onlyDead = chain.application.prepareProposal(dead, { time: chain.time });
    expect(bytes(onlyDead)).toBeGreaterThan(BLOCK_LIMIT / 2);
  });
});
