import { decodeTransaction, TRANSACTION_BYTES_CEILING, type Transaction } from '@careledger/ledger';
import type { Codec } from '@careledger/primitives';
import { fromHex } from '@careledger/primitives';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { NodeError } from '../errors.ts';
import { toJson } from '../evidence-file.ts';

export const CBOR = 'application/cbor';
export const JSON_TYPE = 'application/json';

/** Both forms of most answers: deterministic CBOR for programs that verify, JSON for people. */
export const BOTH = [JSON_TYPE, CBOR];

export const hash = { type: 'string', pattern: '^[0-9a-f]{64}$' };
export const number = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

/** Sends a value as CBOR by its codec where the client asks for it, else as JSON with bytes in hexadecimal. */
export function answer<Value>(
  request: FastifyRequest,
  reply: FastifyReply,
  { value, codec, extra }: { readonly value: Value; readonly codec: Codec<Value>; readonly extra?: object },
): FastifyReply {
  if (request.headers.accept?.includes(CBOR)) return reply.type(CBOR).send(Buffer.from(codec.encode(value)));
  return reply.send({ ...(toJson(value) as object), ...(toJson(extra ?? {}) as object) });
}

/** Bytes of a hexadecimal parameter. */
export function hexParameter(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes) return bytes;
  throw new NodeError(
    'api/malformed',
    'not an even number of lower-case hexadecimal digits',
    'See /v1/openapi.json.',
  );
}

/** A transaction of a final block, decoded. Its signature was checked before the block became final. */
export function transactionOf(bytes: Uint8Array): Transaction | undefined {
  const decoded = decodeTransaction(bytes, { bytesMax: TRANSACTION_BYTES_CEILING });
  return decoded.ok ? decoded.value : undefined;
}
