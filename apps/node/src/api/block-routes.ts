import {
  blockCodec,
  certifiedHeaderCodec,
  encodeHeader,
  genesisCodec,
  trustPathCodec,
} from '@careledger/ledger';
import { invariant } from '@careledger/primitives';
import { toJson } from '../evidence-file.ts';
import type { RunningNode } from '../running-node.ts';
import type { EventStreams } from './event-streams.ts';
import { answer, BOTH, JSON_TYPE, number } from './parameters.ts';
import type { RouteOptions } from './routes.ts';

const BLOCKS_LISTED_MAX = 100;

/** Status, genesis, blocks, validators, history. */
export function blockRoutes(node: RunningNode, streams: EventStreams): readonly RouteOptions[] {
  return [
    statusRoute(node, ''),
    statusRoute(node, '/status'),
    genesisRoute(node),
    ...blocksRoutes(node),
    ...trustRoutes(node),
    eventsRoute(streams),
  ];
}

function statusRoute(node: RunningNode, path: '' | '/status'): RouteOptions {
  return {
    method: 'GET',
    path,
    summary:
      'Where this node stands: newest final height, hash, state root, engine, peers, mempool, storage.',
    answers: [JSON_TYPE],
    handler: () => toJson(node.status()),
  };
}

function genesisRoute(node: RunningNode): RouteOptions {
  return {
    method: 'GET',
    path: '/genesis',
    summary: 'The genesis document. SHA-256 of its CBOR is the chain id.',
    answers: BOTH,
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
      summary: `Headers with their certificates by range of heights, at most ${BLOCKS_LISTED_MAX}.`,
      query: {
        from: { ...number, minimum: 1 },
        limit: { ...number, minimum: 1, maximum: BLOCKS_LISTED_MAX },
      },
      answers: [JSON_TYPE],
      handler: (request) => {
        const { from, limit } = request.query as { readonly from?: number; readonly limit?: number };
        const count = limit ?? BLOCKS_LISTED_MAX;
        const first = from ?? Math.max(1, node.chain.height - count + 1);
        const last = Math.min(node.chain.height, first + count - 1);
        const heights = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
        return { blocks: heights.map((height) => summaryOf(node, height)) };
      },
    },
    {
      method: 'GET',
      path: '/blocks/:height',
      summary: 'One certified block by height, or `latest`.',
      params: { height: { type: 'string', pattern: '^(latest|[1-9][0-9]{0,14})$' } },
      answers: BOTH,
      handler: (request, reply) => {
        const { height } = request.params as { readonly height: string };
        const block = node.evidence.block(height === 'latest' ? node.chain.height : Number(height));
        const extra = { headerHash: block.certificate.headerHash };
        return answer(request, reply, { value: block, codec: blockCodec, extra });
      },
    },
    {
      method: 'GET',
      path: '/head',
      summary:
        'The newest final engine block: the head with its newest certificate, by which freshness is judged.',
      answers: BOTH,
      handler: (request, reply) => {
        const { head } = node.chain;
        return answer(request, reply, { value: head, codec: certifiedHeaderCodec });
      },
    },
  ];
}

function summaryOf(node: RunningNode, height: number): unknown {
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
      answers: [JSON_TYPE],
      handler: () => toJson({ validators: node.chain.application.info().validators }),
    },
    {
      method: 'GET',
      path: '/trust-path',
      summary: 'Genesis and every change of the validator set since: what evidence is judged by.',
      answers: BOTH,
      handler: (request, reply) =>
        answer(request, reply, { value: node.evidence.trustPath(), codec: trustPathCodec }),
    },
    {
      method: 'GET',
      path: '/consistency',
      summary: 'Proof that the history of the second height begins with that of the first (RFC 9162).',
      query: { first: number, second: number },
      queryRequired: ['first', 'second'],
      answers: [JSON_TYPE],
      handler: (request) => {
        const { first, second } = request.query as { readonly first: number; readonly second: number };
        const proof = node.evidence.proveConsistency(first, second);
        const rootAt = (height: number) => {
          const header = node.chain.store.index.header(height);
          invariant(header, 'a height up to the head has a header');
          return header.historyRoot;
        };
        return toJson({ first, second, firstRoot: rootAt(first), secondRoot: rootAt(second), proof });
      },
    },
  ];
}

function eventsRoute(streams: EventStreams): RouteOptions {
  return {
    method: 'GET',
    path: '/events',
    summary:
      'Server-sent events of final blocks and heartbeats. The id is the height; Last-Event-ID continues.',
    answers: ['text/event-stream'],
    handler: (request, reply) => {
      const last = Number(request.headers['last-event-id'] ?? Number.NaN);
      reply.hijack();
      streams.open(reply.raw, Number.isSafeInteger(last) && last >= 0 ? last : undefined);
    },
  };
}
