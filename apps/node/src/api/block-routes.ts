import {
  blockCodec,
  certifiedHeaderCodec,
  encodeHeader,
  genesisCodec,
  trustPathCodec,
} from '@careledger/ledger';
import { NodeError } from '../errors.ts';
import { toJson } from '../evidence-file.ts';
import type { RunningNode } from '../running-node.ts';
import { type BlockQuestion, findBlocks } from './block-search.ts';
import { CURSOR_CHARACTERS_MAX, nextCursor, positionAfter, takePage } from './cursors.ts';
import { answer, BOTH, hash, hexParameter, JSON_TYPE, number } from './parameters.ts';
import type { RouteOptions } from './routes.ts';

export const BLOCKS_LISTED_MAX = 100;
const TYPE_CHARACTERS_MAX = 96;
/** A block by `latest`, height or hash. */
const BLOCK_NAME = '^(latest|[1-9][0-9]{0,14}|[0-9a-f]{64})$';

/** Status, genesis, blocks, validators, history. */
export function blockRoutes(node: RunningNode): readonly RouteOptions[] {
  return [
    statusRoute(node, ''),
    statusRoute(node, '/status'),
    genesisRoute(node),
    ...blocksRoutes(node),
    ...trustRoutes(node),
  ];
}

function statusRoute(node: RunningNode, path: '' | '/status'): RouteOptions {
  return {
    method: 'GET',
    path,
    summary:
      'Where this node stands: newest final height, hash, state root, engine, peers, mempool, storage.',
    access: 'open',
    answers: [JSON_TYPE],
    answer: 'Status',
    handler: () => toJson(node.status()),
  };
}

function genesisRoute(node: RunningNode): RouteOptions {
  return {
    method: 'GET',
    path: '/genesis',
    summary: 'The genesis document. SHA-256 of its CBOR is the chain id.',
    access: 'open',
    answers: BOTH,
    answer: 'Genesis',
    handler: (request, reply) => {
      const value = genesisCodec.decode(node.options.genesis);
      return answer(request, reply, { value, codec: genesisCodec });
    },
  };
}

function blocksRoutes(node: RunningNode): readonly RouteOptions[] {
  return [
    {
      method: 'GET',
      path: '/blocks',
      summary: `Headers with their certificates by height, block time, proposer and transaction type, at most ${BLOCKS_LISTED_MAX} a page; the newest ones when nothing is asked for.`,
      access: 'read',
      query: {
        from: { ...number, minimum: 1 },
        to: { ...number, minimum: 1 },
        since: number,
        until: number,
        proposer: hash,
        type: { type: 'string', maxLength: TYPE_CHARACTERS_MAX },
        limit: { ...number, minimum: 1, maximum: BLOCKS_LISTED_MAX },
        cursor: { type: 'string', maxLength: CURSOR_CHARACTERS_MAX },
      },
      answers: [JSON_TYPE],
      answer: 'BlockPage',
      handler: (request) => blockPage(node, request.query as BlockQuestion),
    },
    {
      method: 'GET',
      path: '/blocks/:block',
      summary: 'One certified block by height, by hash, or `latest`; 410 when its body was pruned.',
      access: 'read',
      params: { block: { type: 'string', pattern: BLOCK_NAME } },
      answers: BOTH,
      answer: 'Block',
      handler: (request, reply) => {
        const { block: name } = request.params as { readonly block: string };
        const block = node.evidence.block(heightOf(node, name));
        const extra = { headerHash: block.certificate.headerHash };
        return answer(request, reply, { value: block, codec: blockCodec, extra });
      },
    },
    {
      method: 'GET',
      path: '/head',
      summary:
        'The newest final engine block: the head with its newest certificate, by which freshness is judged.',
      access: 'open',
      answers: BOTH,
      answer: 'Head',
      handler: (request, reply) => {
        const { head } = node.chain;
        return answer(request, reply, { value: head, codec: certifiedHeaderCodec });
      },
    },
  ];
}

function heightOf(node: RunningNode, name: string): number {
  if (name === 'latest') return node.chain.height;
  if (name.length < HASH_DIGITS) return Number(name);
  const height = node.chain.store.index.heightOf(hexParameter(name));
  if (height !== undefined) return height;
  const help = 'See the status for the newest hash, or ask by height.';
  throw new NodeError('ledger/not-found', 'no final block has this hash', help);
}

const HASH_DIGITS = 64;

function blockPage(node: RunningNode, question: BlockQuestion): object {
  const { limit = BLOCKS_LISTED_MAX, cursor, ...asked } = question;
  const after = positionAfter(['blocks', asked], cursor);
  const isOpen = Object.values(asked).every((value) => value === undefined) && !after;
  const newest = isOpen ? { from: Math.max(1, node.chain.height - limit + 1) } : {};
  const found = findBlocks(node, { ...asked, ...newest }, after?.height);
  const { items, last } = takePage(found, limit);
  const next = last !== undefined && nextCursor(['blocks', asked], { height: last, index: 0 });
  return { blocks: items.map((height) => summaryOf(node, height)), ...(next !== false && { next }) };
}

function summaryOf(node: RunningNode, height: number): unknown {
  if (height < node.chain.store.prunedBelow) {
    const { header, certificate } = node.evidence.certified(height);
    return toJson({ headerHash: certificate.headerHash, header, certificate, isPruned: true });
  }
  const { header, certificate, transactions } = node.evidence.block(height);
  const bytes = encodeHeader(header).length + transactions.reduce((sum, one) => sum + one.length, 0);
  const { headerHash } = certificate;
  return toJson({ headerHash, header, certificate, transactions: transactions.length, bytes });
}

function trustRoutes(node: RunningNode): readonly RouteOptions[] {
  return [
    {
      method: 'GET',
      path: '/validators',
      summary: 'The set that signs the next block.',
      access: 'open',
      answers: [JSON_TYPE],
      answer: 'Validators',
      handler: () => toJson({ validators: node.chain.application.info().validators }),
    },
    {
      method: 'GET',
      path: '/trust-path',
      summary: 'Genesis and every change of the validator set since: what evidence is judged by.',
      access: 'open',
      answers: BOTH,
      answer: 'TrustPath',
      handler: (request, reply) =>
        answer(request, reply, { value: node.evidence.trustPath(), codec: trustPathCodec }),
    },
    {
      method: 'GET',
      path: '/consistency',
      summary: 'Proof that the history of the second height begins with that of the first (RFC 9162).',
      query: { first: number, second: number },
      queryRequired: ['first', 'second'],
      access: 'open',
      answers: [JSON_TYPE],
      answer: 'Consistency',
      handler: (request) => {
        const { first, second } = request.query as { readonly first: number; readonly second: number };
        const proof = node.evidence.proveConsistency(first, second);
        const rootAt = (height: number) => node.evidence.header(height).historyRoot;
        return toJson({ first, second, firstRoot: rootAt(first), secondRoot: rootAt(second), proof });
      },
    },
  ];
}
