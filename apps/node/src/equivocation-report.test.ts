import { listMisbehaviour, type Misbehaviour, nodeByFingerprint } from '@careledger/capabilities';
import { commitBytes, encodeMessage, prePrepareBytes, prepareBytes } from '@careledger/consensus';
import { voteBytes } from '@careledger/ledger';
import { type Signer, toHex } from '@careledger/primitives';
import { afterEach, expect, test } from 'vitest';
import { equivocationOf } from './equivocation-report.ts';
import { openLog } from './log.ts';
import { RunningNode } from './running-node.ts';
import { TestConsortium, until } from './testing/test-consortium.ts';
import { helloOf } from './transport/handshake.ts';
import { Mesh } from './transport/mesh.ts';

const [one, two] = ['11'.repeat(32), '22'.repeat(32)] as const;
const position = { chain: new Uint8Array(32).fill(9), engineHeight: 4, view: 2 };

let consortium: TestConsortium;
afterEach(() => consortium.close());

function signed(signer: Signer, payload: Uint8Array): Uint8Array {
  return encodeMessage({ payload, signer: toHex(signer.publicKey), signature: signer.sign(payload) });
}

test('LED-21: the engine’s evidence of each kind is what the ledger records; anything else is not', async () => {
  consortium = await TestConsortium.found({ members: 2 });
  const [guilty, other] = consortium.members.map(({ validator }) => validator) as [Signer, Signer];
  const commit = (headerHash: string, engineHeight = 4) =>
    commitBytes(position.chain, { engineHeight, view: 2, time: 5, ledgerHeight: 3, headerHash });
  const pairs = [
    [prePrepareBytes(position, one), prePrepareBytes(position, two), 'pre-prepare'],
    [prepareBytes(position, one), prepareBytes(position, two), 'prepare'],
    [commit(one), commit(two), 'commit'],
  ] as const;
  for (const [first, second, kind] of pairs) {
    const found = equivocationOf({ first: signed(guilty, first), second: signed(guilty, second) });
    expect(found).toMatchObject({ kind, engineHeight: 4, view: 2, publicKey: guilty.publicKey });
  }
  const nothing: readonly (readonly [Uint8Array, Uint8Array])[] = [
    [signed(guilty, commit(one)), signed(other, commit(two))],
    [signed(guilty, commit(one)), signed(guilty, commit(two, 5))],
    [signed(guilty, commit(one)), signed(guilty, prepareBytes(position, two))],
    [signed(guilty, commit(one)), Uint8Array.of(1)],
  ];
  for (const [first, second] of nothing) expect(equivocationOf({ first, second })).toBeUndefined();
});

test('LED-21: the ledger’s bytes of a vote are the engine’s', async () => {
  consortium = await TestConsortium.found({ members: 1 });
  const { engineHeight, view } = position;
  const place = { chain: consortium.chain, engineHeight, view };
  const digest = Buffer.from(one, 'hex');
  expect(voteBytes({ ...place, kind: 'prepare', digest: new Uint8Array(digest) })).toEqual(
    prepareBytes(place, one),
  );
  expect(voteBytes({ ...place, kind: 'pre-prepare', digest: new Uint8Array(digest) })).toEqual(
    prePrepareBytes(place, one),
  );
});

test('LED-21: nodes that hear a validator commit to two headers put it on the ledger by themselves, and it stays in office', async () => {
  consortium = await TestConsortium.found();
  const nodes: RunningNode[] = [];
  const closing: (() => unknown)[] = [];
  try {
    for (const place of [0, 1, 2]) {
      const node = await RunningNode.start(consortium.optionsOf(place));
      for (const [other, known] of nodes.entries()) {
        node.mesh.addPeers([{ node: consortium.member(other).node, ...known.addresses.peer }]);
      }
      nodes.push(node);
    }
    const [first] = nodes;
    if (!first) throw new RangeError('three nodes');
    await until(() => first.status().engineHeight > 0, 20_000);
    const villain = villainMesh(consortium, first);
    closing.push(() => villain.close());
    villain.addPeers(
      nodes.map((node, place) => ({ node: consortium.member(place).node, ...node.addresses.peer })),
    );
    const telling = setInterval(() => {
      for (const bytes of twoCommits(consortium, first.status().engineHeight + 1))
        villain.broadcast({ kind: 'consensus', bytes });
    }, 50);
    closing.push(() => clearInterval(telling));
    const found = (node: RunningNode): readonly Misbehaviour[] =>
      listMisbehaviour(node.chain.store.index.state);
    await until(() => nodes.every((node) => found(node).length > 0), 20_000);
    expect(found(first)[0]).toMatchObject({
      organization: consortium.member(3).organization,
      node: consortium.member(3).node,
      kind: 'commit',
    });
    expect(first.chain.application.info().validators).toHaveLength(4);
  } finally {
    for (const close of closing.reverse()) await close();
    for (const node of nodes) await node.stop();
  }
}, 60_000);

/** The fourth member's node as its consensus peers know it. */
function villainMesh({ members, ca, chain }: TestConsortium, friend: RunningNode): Mesh {
  const member = members[3];
  if (!member) throw new RangeError('four members');
  const { certificate, node } = member;
  return new Mesh({
    tls: { ...certificate, certificateAuthority: ca.certificate },
    hello: helloOf({ chain, engine: { id: 'pbft', version: 1 }, node }),
    authenticate: (fingerprint) => nodeByFingerprint(friend.chain.store.index.state, fingerprint),
    log: openLog(undefined).log,
    onPeer: () => undefined,
    onMessage: () => undefined,
  });
}

function twoCommits({ members, chain }: TestConsortium, engineHeight: number): readonly Uint8Array[] {
  const guilty = members[3]?.validator;
  if (!guilty) throw new RangeError('four members');
  return [one, two].map((headerHash) =>
    signed(guilty, commitBytes(chain, { engineHeight, view: 0, time: 5, ledgerHeight: 1, headerHash })),
  );
}
