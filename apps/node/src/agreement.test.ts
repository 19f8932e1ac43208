import { setTimeout as wait } from 'node:timers/promises';
import { anchors, changeOrganizationCodec, changeOrganizationText } from '@careledger/capabilities';
import { headerHash, TrustedChain, verifyStateEvidence } from '@careledger/ledger';
import type { ChainId, PublicKey } from '@careledger/primitives';
import { toHex, verifySignature } from '@careledger/primitives';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LedgerNode } from './ledger-node.ts';
import { agreement, TestConsortium, until } from './testing/test-consortium.ts';

let consortium: TestConsortium;
let nodes: readonly LedgerNode[];

function nodeAt(place: number): LedgerNode {
  const node = nodes[place];
  if (!node) throw new RangeError('no such node');
  return node;
}

function areConnected(): boolean {
  return nodes.every(
    (node) => node.status().peers.length === 3 && node.status().peers.every((peer) => peer.connected),
  );
}

describe.each(['pbft', 'authority'])('four nodes under %s', (engine) => {
  beforeAll(async () => {
    consortium = await TestConsortium.found({ engine: { id: engine, version: 1 } });
    nodes = await consortium.startAll();
    await until(areConnected);
  });
  afterAll(() => consortium.close());

  test('LED-03, LED-10, NET-01, CON-01: what is submitted at every node ends in one order, with one hash and one state root on all', async () => {
    const final = await Promise.all(
      Array.from({ length: 40 }, (_, number) =>
        nodeAt(number % 4).submit(consortium.anchor((number * 3) % 4).bytes),
      ),
    );
    expect(final.map(({ result }) => result.code)).toEqual(final.map(() => 0));
    await agreement(nodes);
    for (const { id, height, index } of final) {
      const places = nodes.map((node) => node.find(id)).map((found) => found && [found.height, found.index]);
      expect(places).toEqual(nodes.map(() => [height, index]));
    }
  });

  test('LED-29: for a key and a height every node gives the same value under the same certified header', async () => {
    const { height } = await nodeAt(2).submit(consortium.anchor(2).bytes);
    await agreement(nodes);
    const key = anchors.countKey(consortium.member(2).organization);
    const expectedChain = consortium.chain;
    const answers = nodes.map((node) => {
      const trusted = TrustedChain.fromPath({ path: node.trustPath(), expectedChain, verifySignature });
      const evidence = node.proveState(key, height);
      if (!trusted.ok) throw new Error(trusted.error.detail);
      const verified = verifyStateEvidence({ evidence, key, trusted: trusted.value, verifySignature });
      if (!verified.ok) throw new Error(verified.error.detail);
      return [verified.value.value, headerHash(verified.value.header)];
    });
    expect(answers).toEqual(nodes.map(() => answers[0]));
  });

  test('NET-02: an idle chain certifies its head again without a new block, with a newer time', async () => {
    const before = nodeAt(1).head();
    await until(() => nodeAt(1).head().engineHeight > before.engineHeight, 5_000);
    const after = nodeAt(1).head();
    expect(after.header.height).toBe(before.header.height);
    expect(after.time).toBeGreaterThan(before.time);
    expect(after.certificate.signatures.length).toBeGreaterThanOrEqual(3);
  });

  test('NET-03: every node is connected to every other: there is no hub', () => {
    for (const [place, node] of nodes.entries()) {
      const others = consortium.members.filter((_, other) => other !== place).map((member) => member.node);
      const connected = node.status().peers.filter((peer) => peer.connected);
      expect(connected.map((peer) => peer.node)).toEqual(others);
    }
  });
});

describe('bad transactions', () => {
  beforeAll(async () => {
    consortium = await TestConsortium.found();
    nodes = await consortium.startAll();
    await until(areConnected);
  });
  afterAll(() => consortium.close());

  async function codesAtEveryNode(transaction: Uint8Array): Promise<readonly string[]> {
    return Promise.all(
      nodes.map((node) =>
        node.submit(transaction).then(
          () => 'taken',
          (fault: { readonly code: string }) => fault.code,
        ),
      ),
    );
  }

  function flipped(bytes: Uint8Array, at: number): Uint8Array {
    const changed = bytes.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    return changed;
  }

  test.each<[string, () => Uint8Array, string]>([
    [
      'mis-signed',
      () => flipped(consortium.anchor(0).bytes, -1 + consortium.anchor(0).bytes.length),
      'transaction/signature',
    ],
    ['not canonical', () => Uint8Array.of(...consortium.anchor(0).bytes, 0), 'transaction/not-canonical'],
    [
      'for a foreign chain',
      () => consortium.anchor(0, { chain: new Uint8Array(32) as ChainId }).bytes,
      'transaction/foreign-chain',
    ],
    ['expired', () => consortium.anchor(0, { expiresAt: Date.now() - 1_000 }).bytes, 'transaction/expired'],
    [
      'expiring too late',
      () => consortium.anchor(0, { expiresAt: Date.now() + 3_600_000 }).bytes,
      'transaction/expires-too-late',
    ],
    ['oversized', () => new Uint8Array(70_000), 'transaction/too-large'],
    [
      'of an unknown type',
      () => consortium.anchor(0, { type: 'records/unknown' }).bytes,
      'transaction/unknown-type',
    ],
    [
      'without the declared fields',
      () => consortium.anchor(0, { body: Uint8Array.of(0xa0) }).bytes,
      'transaction/body',
    ],
  ])('LED-09: a transaction %s is refused by every node', async (_name, make, code) => {
    const bytes = make();
    expect(await codesAtEveryNode(bytes)).toEqual(nodes.map(() => code));
  });

  test('LED-09: an unsigned, a foreign-key and a replayed transaction are refused by every node', async () => {
    const { bytes } = consortium.anchor(0);
    expect(await codesAtEveryNode(bytes.slice(0, -66))).toEqual(nodes.map(() => 'transaction/not-canonical'));
    const stranger = await TestConsortium.found({ members: 1 });
    const foreign = stranger.anchor(0, { chain: consortium.chain });
    expect(await codesAtEveryNode(foreign.bytes)).toEqual(nodes.map(() => 'transaction/signer-not-in-force'));
    await stranger.close();

    const replayed = consortium.anchor(1);
    await nodeAt(1).submit(replayed.bytes);
    await agreement(nodes);
    expect(await codesAtEveryNode(replayed.bytes)).toEqual(nodes.map(() => 'transaction/replayed'));
  });

  test('LED-02: nothing of the node changes a block once it is final, and a block handed out is a copy', async () => {
    const { id, height } = await nodeAt(0).submit(consortium.anchor(0).bytes);
    const before = await agreement(nodes);
    const handedOut = nodeAt(0).block(height);
    handedOut?.transactions[0]?.fill(0);
    expect(nodeAt(0).find(id)?.height).toBe(height);
    expect(await nodeAt(0).verifyStore()).toEqual({
      ok: true,
      height: nodeAt(0).status().height,
      withoutBodies: 0,
    });
    expect(await agreement(nodes)).toBe(before);
  });

  test('LED-34: bytes a transaction and a block are reported', async () => {
    await Promise.all(
      Array.from({ length: 50 }, (_, at) => nodeAt(at % 4).submit(consortium.anchor(at % 4).bytes)),
    );
    await agreement(nodes);
    const { storage, height } = nodeAt(0).status();
    const perTransaction = storage.segmentBytes / storage.transactions;
    const sent = consortium.anchor(0).bytes.length;
    expect(storage.transactions).toBeGreaterThanOrEqual(50);
    expect(perTransaction).toBeGreaterThan(sent);
    console.log(
      `LED-34: ${Math.round(perTransaction)} bytes a transaction (${sent} sent), ${Math.round(storage.segmentBytes / height)} bytes a block`,
    );
  });

  test('NET-05: a revoked organization is dropped within one block, and what it signs afterwards is refused', async () => {
    const { organization, node } = consortium.member(3);
    const terms = { organization, revision: 0 };
    const text = changeOrganizationText('revoke', consortium.chain, terms);
    const approvals = [1, 2].map((place) => {
      const { signer } = consortium.member(place);
      return { publicKey: signer.publicKey as PublicKey, signature: signer.sign(text) };
    });
    approvals.sort((left, right) => Buffer.compare(left.publicKey, right.publicKey));
    const body = changeOrganizationCodec.encode({ ...terms, approvals });
    const revoked = await nodeAt(0).submit(
      consortium.transaction(0, { type: 'membership/revoke-organization', body }).bytes,
    );
    expect(revoked.result.code).toBe(0);
    const remaining = nodes.slice(0, 3);
    await until(() => remaining.every((one) => one.status().height > revoked.height), 5_000);
    for (const one of remaining) {
      const connection = one.status().peers.find((peer) => peer.node === node);
      expect(connection?.connected).toBe(false);
      expect(
        one
          .trustPath()
          .validatorSets.at(-1)
          ?.map((validator) => toHex(validator.publicKey)),
      ).not.toContain(toHex(consortium.member(3).validator.publicKey));
    }
    // The block after the change is signed by the new set alone, although it holds no transaction.
    const next = nodeAt(0).block(revoked.height + 1);
    expect(next?.transactions).toEqual([]);
    const late = consortium.anchor(3).bytes;
    const codes = await Promise.all(
      remaining.map((one) => one.submit(late).catch((fault: { readonly code: string }) => fault.code)),
    );
    expect(codes).toEqual(remaining.map(() => 'transaction/signer-not-in-force'));
    const still = await nodeAt(1).submit(consortium.anchor(1).bytes);
    expect(still.result.code).toBe(0);
    expect(await nodeAt(1).verifyStore()).toMatchObject({ ok: true });
    await wait(50);
    expect(remaining.map((one) => one.status().halted)).toEqual([undefined, undefined, undefined]);
  });
});
