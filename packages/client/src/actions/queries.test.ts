import { type PublicKey, toHex, utf8, verifySignature } from '@careledger/primitives';
import { describe, expect, it } from 'vitest';
import { chunksOf, type NodeStream } from '../event-stream.ts';
import { createLedgerClient, type LedgerClient } from '../ledger-client.ts';
import { createTestNode, START_TIME, TIP_HEIGHT, testSigner } from '../testing.ts';
import { eventText } from '../testing-queries.ts';
import type { NodeAnswer, NodeRequest } from '../transport.ts';
import { exportAuditBundle } from './export-audit-bundle.ts';
import { findBlocks } from './find-blocks.ts';
import { findTransactions } from './find-transactions.ts';
import { getBlock } from './get-block.ts';
import { getConsistency } from './get-consistency.ts';
import { getDispute } from './get-dispute.ts';
import { getHistory } from './get-history.ts';
import { watchBlocks } from './watch-blocks.ts';

const node = createTestNode();

function clientOf(answer: (request: NodeRequest) => NodeAnswer = node.answer): Promise<LedgerClient> {
  const transport = async (request: NodeRequest): Promise<NodeAnswer> => answer(request);
  return createLedgerClient({ chain: node.chain, transport, verifySignature });
}

/** A client whose node lies where the path says so, in JSON. */
function lied(where: string, change: (text: string) => string): Promise<LedgerClient> {
  return clientOf((request) => {
    const answer = node.answer(request);
    if (!request.path.includes(where)) return answer;
    return { ...answer, body: utf8(change(new TextDecoder().decode(answer.body))) };
  });
}

async function all<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const MISMATCH = expect.objectContaining({ code: 'client/proof-mismatch' });
const key = utf8('test/2');

describe('IOP-12: what is asked of the ledger is checked, whatever the node says', () => {
  it('a block by height and by hash is all that its header says', async () => {
    const client = await clientOf();
    const byHeight = await getBlock(client, { height: 3 });
    expect(await getBlock(client, { hash: byHeight.headerHash })).toEqual(byHeight);
    expect(byHeight.transactions).toHaveLength(3);
    const other = await clientOf((request) =>
      node.answer(
        request.path.endsWith('/blocks/3') ? { ...request, path: request.path.replace(/3$/, '2') } : request,
      ),
    );
    await expect(getBlock(other, { height: 3 })).rejects.toThrow(MISMATCH);
    const [good] = node.blocks;
    for (const part of [good?.transactions[0], good?.header.stateRoot]) {
      const flipped = await clientOf((request) => {
        const answer = node.answer(request);
        if (!request.path.endsWith('/blocks/1')) return answer;
        const at = Buffer.from(answer.body).indexOf(part ?? new Uint8Array(0)) + 20;
        return { ...answer, body: answer.body.map((byte, index) => (index === at ? byte ^ 1 : byte)) };
      });
      await expect(getBlock(flipped, { height: 1 })).rejects.toThrow(MISMATCH);
    }
  });

  it('LED-28: blocks and transactions are found page by page; what was not asked for is refused', async () => {
    const client = await clientOf();
    const blocks = await all(findBlocks(client, { fromHeight: 2 }));
    expect(blocks.map(({ header }) => header.height)).toEqual([2, 3, 4, 5]);
    const found = await all(findTransactions(client, { type: 'records/anchor' }));
    expect(found.map(({ header, index }) => [header.height, index])).toEqual([[3, 1]]);
    const proposer = testSigner(5).publicKey as PublicKey;
    for (const query of [{ type: 'records/anchor' }, { since: START_TIME + 2_500 }, { proposer }]) {
      await expect(all(findBlocks(client, query))).rejects.toThrow(MISMATCH);
    }
    await expect(all(findTransactions(client, { actor: proposer }))).rejects.toThrow(MISMATCH);
    const circle = await lied('/blocks', (text) => text.replace(/"next":"\d"/, '"next":"0"'));
    await expect(all(findBlocks(circle, { fromHeight: 1 }))).rejects.toThrow(MISMATCH);
    const nonsense = await lied('/transactions?', () => '{"transactions":7}');
    await expect(all(findTransactions(nonsense, { type: 'x' }))).rejects.toThrow(MISMATCH);
  });

  it('the history of a key is proven change by change', async () => {
    const history = await all(getHistory(await clientOf(), { key }));
    expect(history).toEqual([{ height: 2, time: START_TIME + 2_000, value: utf8('value 2') }]);
    const value = toHex(utf8('value 2'));
    const invented = await lied('/history', (text) => text.replace(value, toHex(utf8('value 3'))));
    await expect(all(getHistory(invented, { key }))).rejects.toThrow(MISMATCH);
    const removed = await lied('/history', (text) => text.replace('"isRemoved":false', '"isRemoved":true'));
    await expect(all(getHistory(removed, { key }))).rejects.toThrow(MISMATCH);
  });

  it('what held at an instant is proven, and signed; another instant’s answer is refused', async () => {
    const client = await clientOf();
    const held = await getDispute(client, { key, at: START_TIME + 2_999 });
    expect([held.header.height, held.value]).toEqual([2, utf8('value 2')]);
    expect((await getDispute(client, { key, at: START_TIME + 1_500 })).value).toBeUndefined();
    const other = await clientOf((request) =>
      node.answer({
        ...request,
        path: request.path.replace(`at=${START_TIME + 2_999}`, `at=${START_TIME + 1_500}`),
      }),
    );
    await expect(getDispute(other, { key, at: START_TIME + 2_999 })).rejects.toThrow(MISMATCH);
  });

  it('LED-21: two heights are of one history, or not', async () => {
    const { proof } = await getConsistency(await clientOf(), { first: 2, second: 5 });
    expect(proof.length).toBeGreaterThan(0);
    const rewritten = await lied('/consistency', (text) => text.replace(/[0-9a-f]{8}/, '00000000'));
    await expect(getConsistency(rewritten, { first: 2, second: 5 })).rejects.toThrow(MISMATCH);
  });

  it('a bundle of a span of time holds every block of it', async () => {
    const span = { since: START_TIME + 2_000, until: START_TIME + 4_000 };
    const { report } = await exportAuditBundle(await clientOf(), span);
    expect([report.fromHeight, report.toHeight]).toEqual([2, 4]);
    for (const [since, until] of [
      [3_000, 4_000],
      [2_000, 3_000],
      [1_000, 4_000],
    ] as const) {
      const narrowed = await clientOf((request) =>
        node.answer({
          ...request,
          path: request.path.replace(
            /since=\d+&until=\d+/,
            `since=${START_TIME + since}&until=${START_TIME + until}`,
          ),
        }),
      );
      await expect(exportAuditBundle(narrowed, span)).rejects.toThrow(MISMATCH);
    }
  });
});

describe('IOP-12: events resume without loss or repetition', () => {
  /** A stream that breaks after so many characters, each time. */
  function breaking(charactersEach: number, tell: (text: string) => string = (text) => text): NodeStream {
    return async ({ path }) => {
      const text = tell(eventText(node.blocks, path));
      return { status: 200, body: chunksOf(new Response(text.slice(0, charactersEach)).body) };
    };
  }
  const wait = async (): Promise<void> => undefined;

  it.each([110, 130, 200, 10_000])('over connections that break after %i characters', async (characters) => {
    const heights: number[] = [];
    const client = await clientOf();
    for await (const { header } of watchBlocks(client, {
      stream: breaking(characters),
      wait,
      afterHeight: 0,
    })) {
      heights.push(header.height);
      if (header.height === TIP_HEIGHT) break;
    }
    expect(heights).toEqual([1, 2, 3, 4, 5]);
  });

  it('a block that is left out is noticed, one that is repeated is not handed over again', async () => {
    const client = await clientOf();
    const leaving = breaking(10_000, (text) => text.replace(/id: x-3[\s\S]*?\n\n/, ''));
    await expect(all(watchBlocks(client, { stream: leaving, wait, afterHeight: 0 }))).rejects.toThrow(
      MISMATCH,
    );
    const repeating = breaking(10_000, (text) => text.replace(/(id: x-3[\s\S]*?\n\n)/, '$1$1'));
    const heights: number[] = [];
    for await (const { header } of watchBlocks(client, { stream: repeating, wait, afterHeight: 0 })) {
      heights.push(header.height);
      if (header.height === TIP_HEIGHT) break;
    }
    expect(heights).toEqual([1, 2, 3, 4, 5]);
  });

  it('gives a node up that tells nothing any more, later each time', async () => {
    const waits: number[] = [];
    const gone = watchBlocks(await clientOf(), {
      stream: async () => Promise.reject(new Error('gone')),
      wait: async (milliseconds) => void waits.push(milliseconds),
    });
    await expect(all(gone)).rejects.toThrow(expect.objectContaining({ code: 'client/unreachable' }));
    expect(waits.slice(0, 3)).toEqual([250, 500, 1_000]);
  });
});
