import { toHex } from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import { createAuthority } from './authority/authority.ts';
import { verifyCertificate } from './pbft/certificate.ts';
import { createPbft } from './pbft/pbft.ts';
import { Cluster, type CreateEngine, type Decision, hashOf } from './testing/cluster.ts';
import { CHAIN, GENESIS_HASH, verifyAs } from './testing/keys.ts';

const engines: readonly (readonly [string, CreateEngine])[] = [
  ['pbft', createPbft],
  ['authority', createAuthority],
];

function headers(chain: readonly Decision[]): readonly string[] {
  return chain.map(({ proposal }) => proposal.headerHash);
}

function expectChain(chain: readonly Decision[]): void {
  let parent = { ledgerHeight: 0, headerHash: GENESIS_HASH, time: 0 };
  for (const { proposal } of chain) {
    expect(proposal.ledgerHeight).toBe(parent.ledgerHeight + 1);
    expect(proposal.parentHash).toBe(parent.headerHash);
    expect(proposal.time).toBeGreaterThanOrEqual(parent.time);
    expect(proposal.headerHash).toBe(hashOf(proposal));
    parent = proposal;
  }
}

function transactionsIn(chain: readonly Decision[]): readonly string[] {
  return chain.flatMap(({ proposal }) => proposal.transactions.map(toHex));
}

describe.each(engines)('the engine %s', (_name, create) => {
  test('CON-01: a network of one seals what is pending, and heartbeats', () => {
    const cluster = new Cluster({ create, count: 1 });
    cluster.submit(3);
    cluster.pass(3_500);
    const [node] = cluster.nodes;
    expect(transactionsIn(node?.chain ?? [])).toHaveLength(3);
    expect(node?.decisions.length).toBeGreaterThanOrEqual(4);
  });

  test('CON-01: LED-06: four nodes agree on one chain of consecutive heights and times that never run backwards', () => {
    const cluster = new Cluster({ create, count: 4 });
    for (let round = 0; round < 20; round += 1) {
      cluster.submit(2);
      cluster.pass(100);
    }
    cluster.pass(1_000);
    const [first] = cluster.nodes;
    expect(transactionsIn(first?.chain ?? [])).toHaveLength(40);
    for (const node of cluster.nodes) {
      expectChain(node.chain);
      expect(headers(node.chain)).toEqual(headers(first?.chain ?? []));
      const heights = node.decisions.map(({ proposal }) => proposal.engineHeight);
      expect(heights).toEqual(heights.map((_, index) => index + 1));
    }
  });

  test('NET-02: what a node decides carries a certificate of a quorum, and one signature less is none', () => {
    const cluster = new Cluster({ create, count: 4 });
    cluster.submit(1);
    cluster.pass(200);
    const context = { chain: CHAIN, verify: verifyAs };
    for (const node of cluster.nodes) {
      expect(node.decisions.length).toBeGreaterThan(0);
      for (const { certificate } of node.decisions) {
        expect(verifyCertificate(certificate, node.validators, context)).toBe(true);
        const fewer = { ...certificate, signatures: certificate.signatures.slice(0, 2) };
        expect(verifyCertificate(fewer, node.validators, context)).toBe(false);
        const other = { ...certificate, time: certificate.time + 1 };
        expect(verifyCertificate(other, node.validators, context)).toBe(false);
        const [one, two] = certificate.signatures;
        const doubled = { ...certificate, signatures: one && two ? [one, two, two] : [] };
        expect(verifyCertificate(doubled, node.validators, context)).toBe(false);
      }
    }
  });

  test('an idle network certifies the same header again every second, at a new engine height and time', () => {
    const cluster = new Cluster({ create, count: 4 });
    cluster.submit(1);
    cluster.pass(200);
    const before = cluster.nodes[0]?.decisions.length ?? 0;
    cluster.pass(5_000);
    const beats = cluster.nodes[0]?.decisions.slice(before) ?? [];
    expect(beats.length).toBeGreaterThanOrEqual(4);
    expect(beats.length).toBeLessThanOrEqual(5);
    for (const { proposal, certificate } of beats) {
      expect(proposal.transactions).toEqual([]);
      expect(certificate.ledgerHeight).toBe(1);
      expect(certificate.headerHash).toBe(cluster.nodes[0]?.chain[0]?.proposal.headerHash);
      expect(certificate.time).toBe(proposal.time);
    }
    expect(new Set(beats.map(({ certificate }) => certificate.time)).size).toBe(beats.length);
  });

  test('NET-15: each node stops in turn under load; the others go on, and it catches up', () => {
    const cluster = new Cluster({ create, count: 4 });
    for (const victim of cluster.nodes) {
      victim.stop();
      const before = cluster.nodes.find((node) => node.up)?.chain.length ?? 0;
      for (let round = 0; round < 10; round += 1) {
        cluster.submit(1);
        cluster.pass(500);
      }
      const others = cluster.nodes.filter((node) => node.up);
      for (const node of others) expect(node.chain.length).toBeGreaterThan(before);
      victim.start();
      cluster.pass(5_000);
    }
    const [first] = cluster.nodes;
    expect(transactionsIn(first?.chain ?? [])).toHaveLength(40);
    for (const node of cluster.nodes) expect(headers(node.chain)).toEqual(headers(first?.chain ?? []));
  });

  test('CON-06: without a quorum nothing is decided; with the third of four it goes on', () => {
    const cluster = new Cluster({ create, count: 4 });
    cluster.pass(1_500);
    cluster.nodes[1]?.stop();
    cluster.nodes[2]?.stop();
    cluster.pass(1_000);
    const before = cluster.nodes[0]?.decisions.length;
    cluster.submit(1);
    cluster.pass(60_000);
    expect(cluster.nodes[0]?.decisions.length).toBe(before);
    cluster.nodes[2]?.start();
    cluster.pass(10_000);
    expect(cluster.nodes[0]?.chain.length).toBe(1);
  });

  test('CON-06: all nodes stop at once and start again: no height is decided twice', () => {
    const cluster = new Cluster({ create, count: 4 });
    for (let restart = 0; restart < 5; restart += 1) {
      cluster.submit(1);
      cluster.pass(1_210 + 7 * restart);
      for (const node of cluster.nodes) node.stop();
      for (const node of cluster.nodes) node.start();
    }
    cluster.pass(8_000);
    const byHeight = new Map<number, string>();
    for (const node of cluster.nodes) {
      expect(node.chain.length).toBe(5);
      expect(node.seen('evidence')).toEqual([]);
      for (const { certificate } of node.decisions) {
        const { engineHeight, time, headerHash } = certificate;
        const block = `${time} ${headerHash}`;
        expect(byHeight.get(engineHeight) ?? block).toBe(block);
        byHeight.set(engineHeight, block);
      }
    }
  });

  test('SC-12: a node that computes another header hash than the quorum halts with evidence; the others go on', () => {
    const cluster = new Cluster({ create, count: 4 });
    const wrong = cluster.nodes[3];
    if (wrong) wrong.computesWrong = true;
    for (let round = 0; round < 3; round += 1) {
      cluster.submit(1);
      cluster.pass(3_000);
    }
    const [halt, ...more] = wrong?.seen('halt') ?? [];
    expect(more).toEqual([]);
    expect(halt?.reason).toContain('does not compute');
    expect(halt?.proposal?.headerHash).toBe(halt?.certificate.headerHash);
    expect(halt?.computed).not.toBe(halt?.certificate.headerHash);
    const context = { chain: CHAIN, verify: verifyAs };
    expect(halt && verifyCertificate(halt.certificate, wrong?.validators ?? [], context)).toBe(true);
    expect(wrong?.chain.length).toBeLessThan(cluster.nodes[0]?.chain.length ?? 0);
    expect(transactionsIn(cluster.nodes[0]?.chain ?? [])).toHaveLength(3);
  });

  test.each([
    [1_900, true],
    [10_000, false],
  ])('LED-13: a leader whose clock is %d ms ahead is followed: %s', (clockAheadMs, followed) => {
    const cluster = new Cluster({ create, count: 4 });
    const [ahead] = cluster.nodes;
    if (ahead) ahead.clockAheadMs = clockAheadMs;
    for (let round = 0; round < 12; round += 1) {
      cluster.submit(1);
      cluster.pass(1_000);
      const newest = cluster.nodes[1]?.decisions.at(-1)?.certificate.time ?? 0;
      expect(newest).toBeLessThanOrEqual(cluster.now + 2_000);
    }
    const decided = cluster.nodes[1]?.decisions ?? [];
    expect(decided.length).toBeGreaterThan(5);
    expect(decided.some(({ proposal }) => proposal.proposer === ahead?.key)).toBe(followed);
  });

  test('a node that is not in the validator set follows and says nothing', () => {
    const cluster = new Cluster({ create, count: 5, validatorCount: 4 });
    const follower = cluster.nodes[4];
    for (let round = 0; round < 5; round += 1) {
      cluster.submit(2);
      cluster.pass(1_100);
    }
    expect(follower?.chain).toHaveLength(5);
    expect(headers(follower?.chain ?? [])).toEqual(headers(cluster.nodes[0]?.chain ?? []));
    expect(follower?.seen('broadcast')).toEqual([]);
    expect(follower?.seen('build')).toEqual([]);
  });

  test('CON-06: a height that is final leaves nothing behind: its certificate is the checkpoint', () => {
    const cluster = new Cluster({ create, count: 4 });
    cluster.submit(1);
    cluster.pass(300);
    const state = cluster.nodes[0]?.state;
    expect(state?.head?.certificate?.signatures.length).toBeGreaterThanOrEqual(3);
    expect(state?.round?.engineHeight).toBe((state?.head?.engineHeight ?? 0) + 1);
    expect(state?.round?.candidates.size).toBe(0);
    expect(state?.round?.votes.size).toBe(0);
    expect(state?.round?.prepared).toBeUndefined();
    for (const messages of state?.early.values() ?? []) expect(messages).toEqual([]);
  });
});

test('CON-06: a crashed primary of pbft is replaced once and its successor stays', () => {
  const cluster = new Cluster({ create: createPbft, count: 4 });
  cluster.pass(1_500);
  cluster.nodes[0]?.stop();
  for (let round = 0; round < 10; round += 1) {
    cluster.submit(1);
    cluster.pass(500);
  }
  const chain = cluster.nodes[1]?.chain ?? [];
  expect(new Set(chain.map(({ certificate }) => certificate.view))).toEqual(new Set([1]));
  expect(new Set(chain.map(({ proposal }) => proposal.proposer))).toEqual(new Set([cluster.nodes[1]?.key]));
});

test('CON-10: the signers of authority take turns by engine height, and a missed turn passes to the next', () => {
  const cluster = new Cluster({ create: createAuthority, count: 4 });
  cluster.pass(8_500);
  const signers = (): readonly number[] =>
    (cluster.nodes[0]?.decisions ?? []).map(({ proposal }) =>
      cluster.nodes.findIndex((node) => node.key === proposal.proposer),
    );
  expect(signers()).toEqual([1, 2, 3, 0, 1, 2, 3, 0]);
  cluster.nodes[2]?.stop();
  cluster.pass(8_000);
  const later = signers().slice(8);
  expect(later.slice(0, 4)).toEqual([1, 3, 3, 0]);
  expect(later).not.toContain(2);
});

test('LED-11: more transactions in a block raise the throughput at the same rate of blocks', () => {
  const measured = [1, 10, 100].map((blockCount) => {
    // No batch is ever full, so the interval alone sets the rate of blocks.
    const limits = { batchCount: 1_000_000, batchBytes: 1_000_000_000 };
    const cluster = new Cluster({ create: createPbft, count: 4, blockCount, options: { limits } });
    cluster.submit(1_500);
    cluster.pass(200);
    const chain = cluster.nodes[0]?.chain ?? [];
    return { blocks: chain.length, transactions: transactionsIn(chain).length };
  });
  const [one, ten, hundred] = measured;
  expect(one && ten && hundred).toBeDefined();
  if (!one || !ten || !hundred) return;
  expect(Math.abs(one.blocks - ten.blocks)).toBeLessThanOrEqual(1);
  expect(ten.transactions).toBeGreaterThanOrEqual(9 * one.transactions);
  expect(hundred.transactions).toBeGreaterThanOrEqual(9 * ten.transactions);
});
