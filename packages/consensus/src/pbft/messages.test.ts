import { concat } from '@careledger/primitives';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Cluster } from '../testing/cluster.ts';
import { CHAIN, keyOf, signAs } from '../testing/keys.ts';
import { commitBytes } from './certificate.ts';
import { decodeMessage, encodeMessage, prepareBytes } from './messages.ts';
import { createPbft } from './pbft.ts';

const BYTES_MAX = 1024 * 1024;

/** Every kind of message, as a short run with a change of views makes them. */
function sample(): readonly Uint8Array[] {
  const cluster = new Cluster({ create: createPbft, count: 4 });
  cluster.submit(2);
  cluster.pass(100);
  cluster.nodes[0]?.stop();
  cluster.submit(1);
  cluster.pass(3_000);
  cluster.nodes[0]?.start();
  cluster.pass(3_000);
  return cluster.nodes.flatMap((node) => [
    ...node.seen('broadcast').map(({ bytes }) => bytes),
    ...node.seen('send').map(({ bytes }) => bytes),
  ]);
}

const messages = sample();

test('what is encoded decodes to the same bytes again, every kind of it', () => {
  const kinds = new Set<string>();
  for (const bytes of messages) {
    const message = decodeMessage(bytes, BYTES_MAX);
    expect(message).toBeDefined();
    if (!message) continue;
    kinds.add(message.kind);
    expect(encodeMessage(message.envelope)).toEqual(bytes);
  }
  expect([...kinds].sort((left, right) => (left < right ? -1 : 1))).toEqual([
    'commit',
    'new-view',
    'pre-prepare',
    'prepare',
    'view-change',
  ]);
});

test('NET-18: a changed message is refused, or decodes to exactly itself; nothing throws', () => {
  fc.assert(
    fc.property(
      fc.nat(messages.length - 1),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (index, at, flip) => {
        const bytes = Uint8Array.from(messages[index] ?? []);
        const place = at % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ flip;
        const message = decodeMessage(bytes, BYTES_MAX);
        if (message) expect(encodeMessage(message.envelope)).toEqual(bytes);
      },
    ),
    { numRuns: 1_000 },
  );
});

test('a message that is cut, followed by more, or larger than its limit is refused', () => {
  const [bytes = new Uint8Array()] = messages;
  for (let length = 0; length < bytes.length; length += 7) {
    expect(decodeMessage(bytes.subarray(0, length), BYTES_MAX)).toBeUndefined();
  }
  expect(decodeMessage(concat(bytes, Uint8Array.of(0)), BYTES_MAX)).toBeUndefined();
  expect(decodeMessage(bytes, bytes.length)).toBeDefined();
  expect(decodeMessage(bytes, bytes.length - 1)).toBeUndefined();
});

test('NET-18: changed, replayed and foreign messages move nothing', () => {
  const cluster = new Cluster({ create: createPbft, count: 4 });
  cluster.submit(1);
  cluster.pass(100);
  const node = cluster.nodes[3];
  const before = node?.state;
  const effects = node?.effects.length;
  const from = keyOf('a');
  for (const bytes of messages.slice(0, 40)) {
    const message = decodeMessage(bytes, BYTES_MAX);
    if (!message || message.engineHeight > 1 || message.kind === 'view-change') continue;
    node?.input({ type: 'message', from, bytes });
  }
  const position = { chain: new Uint8Array(32), engineHeight: 2, view: 0 };
  const payload = prepareBytes(position, 'ab'.repeat(32));
  const foreign = {
    payload,
    signer: from,
    signature: signAs(from, payload),
    leaderSignature: signAs(from, payload),
  };
  node?.input({ type: 'message', from, bytes: encodeMessage(foreign) });
  expect(node?.effects.length).toBe(effects);
  expect(node?.state).toEqual(before);
});

test('a commit signs the certificate bytes of the design, in deterministic CBOR', () => {
  const headerHash = '11'.repeat(32);
  const bytes = commitBytes(CHAIN, { engineHeight: 7, view: 1, time: 1_000, ledgerHeight: 3, headerHash });
  const text = Buffer.from(bytes).toString('hex');
  const domain = Buffer.from('careledger/commit/v1').toString('hex');
  expect(text).toBe(`8774${domain}5820${Buffer.from(CHAIN).toString('hex')}07011903e8035820${headerHash}`);
});
