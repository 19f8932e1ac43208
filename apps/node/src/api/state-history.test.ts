import { anchors, keyKey } from '@careledger/capabilities';
import {
  type Dispute,
  disputeAnswerCodec,
  disputeBytes,
  disputeCodec,
  stateEvidenceCodec,
  TrustedChain,
  trustPathCodec,
  verifyDispute,
  verifyStateEvidence,
} from '@careledger/ledger';
import { type PublicKey, sha256, toHex, uint, utf8, verifySignature } from '@careledger/primitives';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LedgerNode } from '../ledger-node.ts';
import { RunningNode } from '../running-node.ts';
import { type ApiCaller, apiCaller, operatorTokenOf } from '../testing/api-caller.ts';
import { agreement, TestConsortium, until } from '../testing/test-consortium.ts';

const KEPT = 6;

async function trustedBy(ask: ApiCaller, chain: string, expectedChain: Uint8Array): Promise<TrustedChain> {
  const { bytes } = await ask(`${chain}/trust-path`, { accept: 'application/cbor' });
  const known = TrustedChain.fromPath({
    path: trustPathCodec.decode(bytes),
    expectedChain,
    verifySignature,
  });
  if (!known.ok) throw new Error(known.error.detail);
  return known.value;
}

describe('one node', () => {
  let consortium: TestConsortium;
  let node: RunningNode;
  let ask: ApiCaller;
  let chain: string;
  let countKey: Uint8Array;

  beforeAll(async () => {
    consortium = await TestConsortium.found({ members: 1, engine: { id: 'authority', version: 1 } });
    node = await RunningNode.start(consortium.optionsOf(0, { stateHeightsKept: KEPT }));
    const authorization = `Bearer ${operatorTokenOf(consortium.member(0).folder)}`;
    ask = apiCaller(node.addresses.api.url, consortium.ca.certificate, { authorization });
    chain = `/v1/chains/${toHex(consortium.chain)}`;
    countKey = anchors.countKey(consortium.member(0).organization);
    for (let count = 0; count < 12; count += 1) await node.desk.submit(consortium.anchor(0).bytes);
  });
  afterAll(async () => {
    await node.stop();
    await consortium.close();
  });

  test('LED-29: state is proven at every kept height, and an unkept or future one is said so', async () => {
    const trusted = await trustedBy(ask, chain, consortium.chain);
    const newest = node.status().height;
    for (let height = newest - KEPT + 1; height <= newest; height += 1) {
      const { bytes } = await ask(`${chain}/state/${toHex(countKey)}?height=${height}`, {
        accept: 'application/cbor',
      });
      const evidence = stateEvidenceCodec.decode(bytes);
      const proven = verifyStateEvidence({ evidence, key: countKey, trusted, verifySignature });
      expect(proven.ok && uint.decode(proven.value.value ?? new Uint8Array(0))).toBe(height);
    }
    const pruned = await ask(`${chain}/state/${toHex(countKey)}?height=${newest - KEPT}`);
    expect([pruned.status, pruned.json.code]).toEqual([410, 'ledger/pruned']);
    const future = await ask(`${chain}/state/${toHex(countKey)}?height=${newest + 1}`);
    expect([future.status, future.json.code]).toEqual([404, 'ledger/not-yet']);
  });

  test('what was pruned is gone from the disk, and every key of the newest state is still there', async () => {
    const { index } = node.chain.store;
    expect(index.state.oldestHeight).toBe(node.status().height - KEPT + 1);
    const entries = [...index.state.scan(new Uint8Array(0), 10_000)];
    expect(entries.length).toBeGreaterThan(12);
    for (const [key] of entries) expect(() => node.evidence.proveState(key)).not.toThrow();
    const genesisRoot = index.header(0)?.stateRoot ?? new Uint8Array(0);
    expect(index.state.node(genesisRoot)).toBeUndefined();
  });

  test('LED-10: the history of a key names every change in order, page by page, with its transaction', async () => {
    const first = await ask(`${chain}/state/${toHex(countKey)}/history?limit=5`);
    expect(first.json.changes).toHaveLength(5);
    const rest = await ask(`${chain}/state/${toHex(countKey)}/history?limit=500&cursor=${first.json.next}`);
    expect(rest.json.next).toBeUndefined();
    const changes = [...first.json.changes, ...rest.json.changes];
    const heights = changes.map(({ height }: { height: number }) => height);
    expect(heights).toEqual(Array.from({ length: node.status().height }, (_, index) => index + 1));
    const last = changes.at(-1);
    expect(last).toMatchObject({ type: 'records/anchor', isRemoved: false });
    expect(last.valueHash).toBe(toHex(sha256(uint.encode(heights.length))));
    const found = await ask(`${chain}/transactions/${last.transaction}`);
    expect(found.json.height).toBe(last.height);
    expect(changes[0].value).toBeUndefined();
  });

  test('the founding state and a key that nobody wrote have a history too', async () => {
    const founded = await ask(
      `${chain}/state/${toHex(keyKey(consortium.member(0).signer.publicKey))}/history`,
    );
    expect(founded.json.changes).toMatchObject([{ height: 0, isRemoved: false }]);
    expect(founded.json.changes[0].transaction).toBeUndefined();
    const none = await ask(`${chain}/state/${toHex(utf8('nobody/wrote'))}/history`);
    expect(none.json.changes).toEqual([]);
  });

  test('OFF-21: a cursor of another query, or of nobody, is refused', async () => {
    const { json } = await ask(`${chain}/state/${toHex(countKey)}/history?limit=1`);
    const foreign = await ask(`${chain}/state/${toHex(utf8('other'))}/history?cursor=${json.next}`);
    expect([foreign.status, foreign.json.code]).toEqual([400, 'api/cursor']);
    const made = await ask(`${chain}/state/${toHex(countKey)}/history?cursor=abc`);
    expect([made.status, made.json.code]).toEqual([400, 'api/cursor']);
  });
});

describe('four nodes', () => {
  let consortium: TestConsortium;
  let nodes: readonly LedgerNode[];
  let asks: readonly ApiCaller[];
  let chain: string;
  let trusted: TrustedChain;
  /** Just before the first member anchored for the second time. */
  let instant: number;
  let key: Uint8Array;

  beforeAll(async () => {
    consortium = await TestConsortium.found({ members: 4 });
    nodes = await consortium.startAll();
    chain = `/v1/chains/${toHex(consortium.chain)}`;
    const addresses = await Promise.all(nodes.map((node) => node.start()));
    asks = addresses.map(({ api }, place) => {
      const authorization = `Bearer ${operatorTokenOf(consortium.member(place).folder)}`;
      return apiCaller(api.url, consortium.ca.certificate, { authorization });
    });
    key = anchors.countKey(consortium.member(0).organization);
    for (const place of [0, 1, 2]) await nodes[place]?.submit(consortium.anchor(place).bytes);
    const second = await nodes[3]?.submit(consortium.anchor(0).bytes);
    instant = (second?.time ?? 0) - 1;
    await nodes[2]?.submit(consortium.anchor(2).bytes);
    await agreement(nodes);
    const [ask] = asks;
    if (!ask) throw new Error('there is a first node');
    trusted = await trustedBy(ask, chain, consortium.chain);
  });
  afterAll(() => consortium.close());

  async function disputes(at: number): Promise<readonly Dispute[]> {
    const path = `${chain}/disputes/${toHex(key)}?at=${at}`;
    const answers = await Promise.all(asks.map((ask) => ask(path, { accept: 'application/cbor' })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    return answers.map(({ bytes }) => disputeCodec.decode(bytes));
  }

  test('LED-29: every node gives the same signed answer, with proof, for a key and an instant', async () => {
    const first = nodes[0]?.block(1)?.header.time ?? 0;
    const head = nodes[0]?.head().header.time ?? 0;
    const expected = new Map([
      [first - 1, undefined],
      [first, 1],
      [instant, 1],
      [head, 2],
    ]);
    await until(() => nodes.every((node) => node.head().time > head));
    for (const [at, count] of expected) {
      const given = await disputes(at);
      const bodies = new Set(given.map(({ answer }) => toHex(disputeAnswerCodec.encode(answer))));
      expect(bodies.size).toBe(1);
      expect(new Set(given.map(({ signed }) => signed.node)).size).toBe(4);
      for (const dispute of given) {
        const verified = verifyDispute({ dispute, key, instant: at, trusted, verifySignature });
        expect(verified).toMatchObject({ ok: true });
        const value = verified.ok ? verified.value.value : undefined;
        expect(value && uint.decode(value)).toBe(count);
      }
    }
  });

  test('LED-29: an answer with anything changed in it is not believed', async () => {
    const [dispute] = await disputes(instant);
    if (!dispute) throw new Error('there is an answer');
    const { answer, signed, following } = dispute;
    const codeOf = (changed: Dispute, asked = instant): string => {
      const verified = verifyDispute({ dispute: changed, key, instant: asked, trusted, verifySignature });
      return verified.ok ? 'believed' : verified.error.code;
    };
    expect(codeOf(dispute)).toBe('believed');
    expect(codeOf(dispute, instant + 1)).toBe('question');
    expect(codeOf({ ...dispute, answer: { ...answer, value: undefined } })).toBe('answer signature');
    const publicKey = consortium.member(0).signer.publicKey as PublicKey;
    expect(codeOf({ ...dispute, signed: { ...signed, publicKey } })).toBe('answer signature');
    const later = nodes[0]?.block((following?.header.height ?? 0) + 1);
    expect(later && codeOf({ ...dispute, following: later })).toBe('instant');
    expect(codeOf({ ...dispute, certificate: undefined, following: undefined })).toBe('certificate');
    // A liar who signs anew: an older header with its own proof does not become the last one at the instant.
    const resigned = (changed: Dispute['answer']): Dispute => {
      const { signer } = consortium.member(0);
      const signature = signer.sign(disputeBytes(changed));
      const { publicKey: own } = signer;
      return { ...dispute, answer: changed, signed: { ...signed, publicKey: own as PublicKey, signature } };
    };
    expect(codeOf(resigned({ ...answer, value: undefined }))).toBe('state proof');
    const older = nodes[0]?.proveState(key, 1);
    if (!older) throw new Error('there is a first block');
    const { header, value, proof, certificate } = older;
    expect(codeOf({ ...resigned({ ...answer, header, value, proof }), certificate })).toBe('instant');
    expect(
      codeOf({ ...resigned({ ...answer, header, value, proof }), certificate, following: undefined }),
    ).toBe('instant');
  });

  test('an instant that is not over yet, or before the chain, has no answer', async () => {
    const [ask] = asks;
    const future = await ask?.(`${chain}/disputes/${toHex(key)}?at=${Date.now() + 60_000}`);
    expect([future?.status, future?.json.code]).toEqual([404, 'ledger/not-yet']);
    const before = await ask?.(`${chain}/disputes/${toHex(key)}?at=1000`);
    expect([before?.status, before?.json.code]).toEqual([404, 'ledger/not-found']);
  });
});
