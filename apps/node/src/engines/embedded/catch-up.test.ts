import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeByFingerprint, catalog as wholeCatalog } from '@careledger/capabilities';
import { type Block, commitBytes, encodeBlock, headerHash } from '@careledger/ledger';
import type { PublicKey } from '@careledger/primitives';
import type { Capability, Catalog, MessageType } from '@careledger/state-machine';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DivergenceError } from '../../chain/chain.ts';
import type { LedgerNode } from '../../ledger-node.ts';
import { openLog } from '../../log.ts';
import { RunningNode } from '../../running-node.ts';
import { agreement, TestConsortium, until } from '../../testing/test-consortium.ts';
import { helloOf } from '../../transport/handshake.ts';
import { Mesh } from '../../transport/mesh.ts';
import { CatchUp } from './catch-up.ts';

const BLOCKS = 6;
let consortium: TestConsortium;

describe('a block from a peer', () => {
  let blocks: readonly Block[];
  let target: RunningNode;
  let turn = 0;

  beforeAll(async () => {
    consortium = await TestConsortium.found();
    const nodes = await consortium.startAll();
    for (let number = 0; number < BLOCKS; number += 1) await nodes[0]?.submit(consortium.anchor(0).bytes);
    await agreement(nodes);
    blocks = Array.from({ length: nodes[0]?.status().height ?? 0 }, (_, index) =>
      nodes[0]?.block(index + 1),
    ).filter((block) => block !== undefined);
    for (const node of nodes) await consortium.stop(node);
  });
  afterAll(() => consortium.close());

  // Alone it has no quorum: its chain grows by what the test gives it.
  beforeEach(async () => {
    turn += 1;
    target = await RunningNode.start(
      consortium.optionsOf(3, { folder: join(consortium.member(3).folder, `fresh-${turn}`) }),
    );
  });
  afterEach(() => target.stop());

  function blockAt(height: number): Block {
    const block = blocks[height - 1];
    if (!block) throw new RangeError(`no block ${height}`);
    return block;
  }

  /** The block with another header, signed anew by a quorum: only the rule that it breaks can tell. */
  function forged(height: number, header: Partial<Block['header']>, body: Partial<Block> = {}): Uint8Array {
    const block = blockAt(height);
    const changed = { ...block, ...body, header: { ...block.header, ...header } };
    const certificate = {
      ...block.certificate,
      ledgerHeight: changed.header.height,
      headerHash: headerHash(changed.header),
    };
    const message = commitBytes({ ...certificate, chain: consortium.chain });
    const signatures = consortium.members.slice(0, 3).map(({ validator }) => ({
      publicKey: validator.publicKey as PublicKey,
      signature: validator.sign(message),
    }));
    return encodeBlock({ ...changed, certificate: { ...certificate, signatures } });
  }

  async function verdictOn(encoded: Uint8Array): Promise<string> {
    const taken = await target.chain.importBlock(encoded);
    return taken.ok ? 'taken' : taken.error.code;
  }

  const zeros = new Uint8Array(32);

  test('LED-06, LED-12, LED-13, LED-14: a gap, a wrong previous hash, a backward time and a wrong root are each refused by name', async () => {
    expect(await verdictOn(encodeBlock(blockAt(1)))).toBe('taken');
    expect(await verdictOn(encodeBlock(blockAt(3)))).toBe('block/gap');
    expect(await verdictOn(forged(2, { previousHash: zeros }))).toBe('block/previous-hash');
    expect(await verdictOn(forged(2, { time: blockAt(1).header.time - 1 }))).toBe('block/time');
    expect(await verdictOn(forged(2, { transactionsRoot: zeros }))).toBe('block/transactions-root');
    expect(await verdictOn(forged(2, { resultsRoot: zeros }))).toBe('block/results-root');
    expect(await verdictOn(forged(2, { historyRoot: zeros }))).toBe('block/history-root');
    expect(await verdictOn(forged(2, { validatorsHash: zeros }))).toBe('block/validators');
    expect(await verdictOn(encodeBlock(blockAt(1)))).toBe('taken');
    expect(target.chain.height).toBe(1);
    expect(await verdictOn(encodeBlock(blockAt(2)))).toBe('taken');
    expect(target.chain.height).toBe(2);
  });

  test('NET-02: a block without a quorum of signatures over it is refused, whatever it holds', async () => {
    const block = blockAt(1);
    const { certificate, header } = block;
    const two = { ...certificate, signatures: certificate.signatures.slice(0, 2) };
    expect(await verdictOn(encodeBlock({ ...block, certificate: two }))).toBe('block/certificate');
    expect(await verdictOn(encodeBlock({ ...block, header: { ...header, stateRoot: zeros } }))).toMatch(
      /block\/(header-hash|certificate)/,
    );
    const [first] = certificate.signatures;
    const twice = {
      ...certificate,
      signatures: certificate.signatures.map(() => first ?? certificate.signatures[0]),
    };
    expect(await verdictOn(encodeBlock({ ...block, certificate: twice as Block['certificate'] }))).toBe(
      'block/certificate',
    );
    expect(await verdictOn(encodeBlock(block).slice(1))).toBe('block/malformed');
    expect(target.chain.height).toBe(0);
  });

  test('SC-12: a certified block that executes to another state root here is never taken, and the difference is named', async () => {
    const divergence = await target.chain.importBlock(forged(1, { stateRoot: zeros })).then(
      () => undefined,
      (fault: unknown) => fault,
    );
    expect(divergence).toBeInstanceOf(DivergenceError);
    expect(divergence).toMatchObject({ code: 'node/diverged', height: 1 });
    expect((divergence as DivergenceError).message).toContain('stateRoot');
    expect(target.chain.height).toBe(0);
  });

  function meshOf(place: number, answer: (from: number) => readonly Uint8Array[]): Mesh {
    const { certificate, node } = consortium.member(place);
    return new Mesh({
      tls: { ...certificate, certificateAuthority: consortium.ca.certificate },
      hello: helloOf({ chain: consortium.chain, engine: { id: 'pbft', version: 1 }, node }),
      authenticate: (fingerprint) => nodeByFingerprint(target.chain.store.index.state, fingerprint),
      log: openLog(undefined).log,
      onPeer: () => undefined,
      onMessage: (peer, message) => {
        if (message.kind === 'blocks') catchUp.receive(peer, message.number, message.blocks);
        if (message.kind !== 'blocks-request') return;
        peer.send({ kind: 'blocks', number: message.number, blocks: answer(message.from) });
      },
    });
  }
  let catchUp: CatchUp;

  test('NET-17: a peer that sends a wrong block is dropped, and the rest is taken from the next one', async () => {
    const honest = (from: number) => blocks.slice(from - 1, from + 1).map(encodeBlock);
    const liar = (from: number) => (from < 3 ? honest(from) : [forged(from, { previousHash: zeros })]);
    const meshes = [meshOf(0, honest), meshOf(1, liar)];
    const own = meshOf(3, () => []);
    for (const [place, mesh] of meshes.entries()) {
      const port = await mesh.listen('127.0.0.1', 0);
      own.addPeers([{ node: consortium.member(place).node, host: '127.0.0.1', port }]);
    }
    catchUp = new CatchUp({
      chain: target.chain,
      mesh: own,
      log: openLog(undefined).log,
      exclusively: (work) => work(),
      onCaughtUp: () => undefined,
      onFault: (fault) => {
        throw fault;
      },
    });
    await until(() => own.peers.length === 2);
    const lying = own.peers.find((peer) => peer.node === consortium.member(1).node);
    catchUp.begin(lying?.key ?? '');
    await until(() => target.chain.height === blocks.length);
    expect(catchUp.taken).toBe(blocks.length);
    expect(await target.verifyStore()).toEqual({ ok: true, height: blocks.length, withoutBodies: 0 });
    await catchUp.stop();
    for (const mesh of [...meshes, own]) await mesh.close();
  });
});

/** A release of the software in which one rule is wrong. */
function faultyCatalog(): Catalog {
  const withFault = <Message>(message: MessageType<Message, string>): MessageType<Message, string> => ({
    ...message,
    transition: (state, content, context) => {
      const outcome = message.transition(state, content, context);
      if (outcome.status === 'rejected') return outcome;
      return { ...outcome, writes: outcome.writes.slice(1) };
    },
  });
  const faulty = (capability: Capability): Capability => ({
    ...capability,
    messages: Object.fromEntries(
      Object.entries(capability.messages).map(([type, message]) => [type, withFault(message)]),
    ),
  });
  return {
    ...wholeCatalog,
    capabilities: wholeCatalog.capabilities.map((one) => (one.name === 'records' ? faulty(one) : one)),
  };
}

describe('a node whose execution is wrong', () => {
  afterEach(() => consortium.close());

  test('SC-12: it halts with an evidence file while the others go on', async () => {
    consortium = await TestConsortium.found();
    const honest: LedgerNode[] = [];
    for (const place of [0, 1, 2]) honest.push(await consortium.start(place));
    let reason: Error | undefined;
    const onHalt = (fault: Error) => {
      reason = fault;
    };
    const faulty = await consortium.start(3, { catalog: faultyCatalog(), onHalt });
    await until(() => faulty.status().peers.every(({ connected }) => connected));
    const final = await honest[0]?.submit(consortium.anchor(0).bytes);
    expect(final?.result.code).toBe(0);
    await until(() => reason !== undefined);
    expect(reason).toMatchObject({ code: 'node/diverged' });
    expect(faulty.status().halted).toBeDefined();
    expect(faulty.status().height).toBe(0);
    const place = join(consortium.member(3).folder, 'evidence');
    expect(existsSync(place)).toBe(true);
    const [file] = readdirSync(place);
    const evidence = JSON.parse(readFileSync(join(place, file ?? ''), 'utf8'));
    expect(evidence.certificate.headerHash).not.toBe(evidence.computed);
    expect((await honest[1]?.submit(consortium.anchor(1).bytes))?.result.code).toBe(0);
  });
});
