import {
  type Block,
  type BlockHeader,
  blockCodec,
  consistencyProof,
  DISPUTE_KIND,
  type DisputeAnswer,
  decodeTransaction,
  disputeBytes,
  disputeCodec,
  headerHash,
  type StateEvidence,
  subtreesOfLeaves,
} from '@careledger/ledger';
import {
  type ChainId,
  fromHex,
  nodeId,
  type PublicKey,
  type Signer,
  toHex,
  utf8,
} from '@careledger/primitives';

/** What the test node's lists and searches are answered from. */
export interface QueryParts {
  readonly chain: ChainId;
  readonly first: BlockHeader;
  readonly blocks: readonly Block[];
  readonly stateAt: (key: Uint8Array, height: number) => StateEvidence;
  readonly signer: Signer;
}

const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value));

function pageOf<Item>(url: URL, list: string, items: readonly Item[]): Uint8Array {
  // Two at a time, so that cursors are followed.
  const start = Number(url.searchParams.get('cursor') ?? 0);
  const next = start + 2 < items.length ? { next: String(start + 2) } : {};
  return json({ [list]: items.slice(start, start + 2), ...next });
}

function blocksAnswer({ blocks }: QueryParts, url: URL, name: string): Uint8Array | undefined {
  if (name !== '') {
    const block = blocks.find(
      ({ header, certificate }) => String(header.height) === name || toHex(certificate.headerHash) === name,
    );
    return block && blockCodec.encode(block);
  }
  const from = Number(url.searchParams.get('from') ?? 0);
  const listed = blocks.filter(({ header }) => header.height >= from);
  return pageOf(
    url,
    'blocks',
    listed.map(({ header }) => ({ header: { height: header.height } })),
  );
}

function transactionsAnswer({ blocks }: QueryParts, url: URL): Uint8Array {
  const type = url.searchParams.get('type');
  const found = blocks.flatMap(({ transactions }) =>
    transactions.flatMap((bytes) => {
      const decoded = decodeTransaction(bytes);
      if (!decoded.ok || (type !== null && decoded.value.payload.type !== type)) return [];
      return [{ id: toHex(decoded.value.id) }];
    }),
  );
  return pageOf(url, 'transactions', found);
}

function historyAnswer(parts: QueryParts, url: URL, key: Uint8Array): Uint8Array {
  const changes: object[] = [];
  let before: string | undefined;
  for (const { header } of parts.blocks) {
    const { value } = parts.stateAt(key, header.height);
    const now = value && toHex(value);
    if (now !== before) changes.push({ height: header.height, isRemoved: now === undefined, value: now });
    before = now;
  }
  return pageOf(url, 'changes', changes);
}

function disputeAnswer(parts: QueryParts, url: URL, key: Uint8Array): Uint8Array | undefined {
  const instant = Number(url.searchParams.get('at'));
  const { blocks, chain, signer } = parts;
  const index = blocks.findLastIndex(({ header }) => header.time <= instant);
  const block = blocks[index];
  if (!block) return undefined;
  const { value, proof } = parts.stateAt(key, block.header.height);
  const answer: DisputeAnswer = {
    ...{ kind: DISPUTE_KIND, chain, key, instant, header: block.header, value, proof },
  };
  const publicKey = signer.publicKey as PublicKey;
  const signed = { node: nodeId('member-0-1'), publicKey, signature: signer.sign(disputeBytes(answer)) };
  const next = blocks[index + 1];
  const following = next && { header: next.header, certificate: next.certificate };
  return disputeCodec.encode({ answer, certificate: block.certificate, following, signed });
}

function consistencyAnswer({ first: genesis, blocks }: QueryParts, url: URL): Uint8Array {
  const headers = [genesis, ...blocks.map(({ header }) => header)];
  const subtree = subtreesOfLeaves(headers.map((header) => headerHash(header)));
  const [first, second] = [Number(url.searchParams.get('first')), Number(url.searchParams.get('second'))];
  return json({ proof: consistencyProof({ first, second, subtree }).map(toHex) });
}

/** Answers of the test node that search; `undefined` for what it has not. */
export function queryAnswer(parts: QueryParts, url: URL): Uint8Array | undefined {
  const [, , , , what = '', name = '', more = ''] = url.pathname.split('/');
  if (what === 'blocks') return blocksAnswer(parts, url, name);
  if (what === 'transactions' && name === '') return transactionsAnswer(parts, url);
  if (what === 'state' && more === 'history') return historyAnswer(parts, url, fromHex(name) ?? utf8(''));
  if (what === 'disputes') return disputeAnswer(parts, url, fromHex(name) ?? utf8(''));
  if (what === 'consistency') return consistencyAnswer(parts, url);
  return undefined;
}

/** Server-sent events of the blocks behind the one that `after` names, as the node writes them. */
export function eventText(blocks: readonly Block[], path: string): string {
  const after = new URL(path, 'https://node').searchParams.get('after');
  const last = Number(after?.split('-')[1] ?? 0);
  const told = blocks.filter(({ header }) => header.height > last);
  const events = told.map(
    ({ header }) =>
      `id: x-${header.height}\nevent: block\ndata: ${JSON.stringify({ height: header.height })}\n\n`,
  );
  return `: listening\n\nevent: heartbeat\ndata: {"height":0}\n\n${events.join('')}`;
}
