import { transactionEvidenceCodec } from '@careledger/ledger';
import { sha256, toHex, utf8 } from '@careledger/primitives';
import type { FastifyRequest } from 'fastify';
import { NodeError } from '../errors.ts';
import { toJson } from '../evidence-file.ts';
import type { FinalTransaction } from '../ledger-node.ts';
import type { RunningNode } from '../running-node.ts';
import type { Lookup, LookupEntry } from '../store/transaction-lookups.ts';
import type { AccessDesk } from './access.ts';
import { CURSOR_CHARACTERS_MAX, nextCursor, type PageEnd, positionAfter, takePage } from './cursors.ts';
import { objectOf } from './json-schema.ts';
import { answer, BOTH, CBOR, hash, hexParameter, JSON_TYPE, number, transactionOf } from './parameters.ts';
import type { RouteOptions } from './routes.ts';

const FOUND_MAX = 1_000;
const FOUND_DEFAULT = 100;
/** How long `wait=final` holds the request; the transaction goes on without it. */
const WAIT_MS_MAX = 60_000;

/** Submitting, reading, proving and finding transactions. */
export function transactionRoutes(node: RunningNode, access: AccessDesk): readonly RouteOptions[] {
  return [submitRoute(node, access), ...readRoutes(node), searchRoute(node), matchRoute(node)];
}

function submitRoute(node: RunningNode, access: AccessDesk): RouteOptions {
  return {
    method: 'POST',
    path: '/transactions',
    summary:
      'Submits a signed transaction: a key in force is the permission. With wait=final the answer comes when it stands in a final block.',
    access: 'append',
    query: { wait: { type: 'string', enum: ['final', 'checked'] } },
    body: CBOR,
    answers: [JSON_TYPE],
    answer: 'FinalTransaction',
    accepted: { status: 202, answer: 'Submitted' },
    handler: async (request, reply) => {
      const { wait } = request.query as { readonly wait?: 'final' | 'checked' };
      if (!(request.body instanceof Uint8Array)) {
        throw new NodeError(
          'api/media-type',
          'the body is no transaction',
          `Send the transaction as ${CBOR}.`,
        );
      }
      const bytes = new Uint8Array(request.body);
      const { id, final } = await recordingDenial(request, access, bytes, () => node.desk.accept(bytes));
      if (wait === 'final') return toJson(await within(final, WAIT_MS_MAX));
      return reply.code(202).send({ id: toHex(id) });
    },
  };
}

/** A transaction of a key that is not in force is a denied call: it goes into the journal (LED-32). */
async function recordingDenial<Value>(
  request: FastifyRequest,
  access: AccessDesk,
  bytes: Uint8Array,
  work: () => Promise<Value>,
): Promise<Value> {
  try {
    return await work();
  } catch (fault) {
    if (fault instanceof NodeError && fault.code === NOT_IN_FORCE) {
      const key = transactionOf(bytes)?.signer;
      access.record(request, {
        access: 'append',
        reason: 'the key that signed is not in force',
        ...(key && { key }),
      });
    }
    throw fault;
  }
}

const NOT_IN_FORCE = 'transaction/signer-not-in-force';

async function within<Value>(work: Promise<Value>, milliseconds: number): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const help = 'It still may become final: ask for it by its id.';
    late.reject(new NodeError('api/not-final-yet', 'the transaction is not final yet', help));
  }, milliseconds);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function readRoutes(node: RunningNode): readonly RouteOptions[] {
  return [
    {
      method: 'GET',
      path: '/transactions/:id',
      summary: 'Where a transaction stands, by its id: height, index, time, result.',
      access: 'read',
      params: { id: hash },
      answers: [JSON_TYPE],
      answer: 'FinalTransaction',
      handler: (request) => toJson(findById(node, request.params)),
    },
    {
      method: 'GET',
      path: '/transactions/:id/evidence',
      summary:
        'The transaction with its result, the paths of both into the block, the header and its certificate.',
      access: 'read',
      params: { id: hash },
      answers: BOTH,
      answer: 'TransactionEvidence',
      handler: (request, reply) => {
        const value = node.evidence.proveTransaction(findById(node, request.params));
        return answer(request, reply, { value, codec: transactionEvidenceCodec });
      },
    },
  ];
}

function findById(node: RunningNode, params: unknown): FinalTransaction {
  const found = node.evidence.find(hexParameter((params as { readonly id: string }).id));
  if (found) return found;
  // Where transactions of pruned blocks stood is unknown once the index was made anew: no absence may be claimed.
  const message =
    node.chain.store.prunedBelow > 1
      ? 'no final block that is kept here with its body holds this transaction'
      : 'no final block holds this transaction';
  const help = 'It may still wait in a mempool. Ask again, or submit it again.';
  throw new NodeError('api/not-found', message, help);
}

interface Search {
  readonly type?: string;
  readonly actor?: string;
  readonly subject?: string;
  readonly commitment?: string;
  readonly from?: number;
  readonly to?: number;
  readonly limit?: number;
  readonly cursor?: string;
}

function searchRoute(node: RunningNode): RouteOptions {
  return {
    method: 'GET',
    path: '/transactions',
    summary:
      'Transactions by type, actor (public key), subject (an id in an event), body hash and block time.',
    query: {
      type: { type: 'string', maxLength: 96 },
      actor: hash,
      subject: { type: 'string', maxLength: 256 },
      commitment: hash,
      from: number,
      to: number,
      limit: { ...number, minimum: 1, maximum: FOUND_MAX },
      cursor: { type: 'string', maxLength: CURSOR_CHARACTERS_MAX },
    },
    access: 'read',
    answers: [JSON_TYPE],
    answer: 'TransactionPage',
    handler: (request) => {
      const { limit = FOUND_DEFAULT, cursor, ...asked } = request.query as Search;
      const after = positionAfter(['transactions', asked], cursor);
      const { items, last } = takePage(search(node, asked, after), limit);
      const next = last && nextCursor(['transactions', asked], last);
      return toJson({ transactions: items.map((entry) => describe(node, entry)), next });
    },
  };
}

function* search(node: RunningNode, options: Search, end: PageEnd | undefined): Iterable<LookupEntry> {
  const { index } = node.chain.store;
  const [first, ...others] = filtersOf(options);
  const after = end && { ...end, time: node.evidence.header(end.height).time };
  const range = { from: options.from ?? 0, to: options.to ?? Number.MAX_SAFE_INTEGER, after };
  for (const entry of index.find(first.lookup, first.value, range)) {
    if (others.every(({ lookup, value }) => index.matches(lookup, value, entry))) yield entry;
  }
}

function matchRoute(node: RunningNode): RouteOptions {
  return {
    method: 'POST',
    path: '/matches',
    summary:
      'Does exactly this commitment stand on the ledger: an anchored root, or another random or salted value that a final transaction told? A document’s own digest never does: it is matched with its receipt, offline.',
    access: 'read',
    body: JSON_TYPE,
    bodySchema: objectOf({ commitment: hash }),
    answers: [JSON_TYPE],
    answer: 'Match',
    handler: (request) => {
      const { commitment } = request.body as { readonly commitment: string };
      const { items } = takePage(search(node, { subject: commitment }, undefined), MATCHES_MAX);
      const transactions = items.map((entry) => describe(node, entry));
      return toJson({ matched: transactions.length > 0, transactions });
    },
  };
}

const MATCHES_MAX = 10;

type Filter = { readonly lookup: Lookup; readonly value: Uint8Array };

/** The narrowest filter first: it is the one that is scanned. */
function filtersOf({ commitment, subject, actor, type }: Search): [Filter, ...Filter[]] {
  const filters: Filter[] = [];
  if (commitment !== undefined) filters.push({ lookup: 'commitment', value: hexParameter(commitment) });
  if (subject !== undefined) filters.push({ lookup: 'subject', value: utf8(subject) });
  if (actor !== undefined) filters.push({ lookup: 'actor', value: hexParameter(actor) });
  if (type !== undefined) filters.push({ lookup: 'type', value: utf8(type) });
  const [first, ...others] = filters;
  return first ? [first, ...others] : [{ lookup: 'time', value: new Uint8Array(0) }];
}

function describe(node: RunningNode, { height, index, time }: LookupEntry): object {
  const { transactions, results } = node.evidence.block(height);
  const transaction = transactionOf(transactions[index] ?? new Uint8Array(0));
  const { type, body } = transaction?.payload ?? {};
  const commitment = body && sha256(body);
  return {
    id: transaction?.id,
    height,
    index,
    time,
    type,
    actor: transaction?.signer,
    commitment,
    result: results[index],
  };
}
