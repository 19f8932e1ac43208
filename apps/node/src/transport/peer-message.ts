import type { Hello } from '@careledger/consensus';
import {
  BLOCK_BYTES_MAX,
  BLOCK_TRANSACTIONS_MAX,
  engineIdentityCodec,
  TRANSACTION_BYTES_CEILING,
} from '@careledger/ledger';
import {
  bytes,
  CborError,
  type CborValue,
  type Codec,
  chainIdCodec,
  decodeCbor,
  encodeCbor,
  list,
  nodeIdCodec,
  struct,
  text,
  uint,
} from '@careledger/primitives';

/** Raised when the messages below change so that an older node would misread them. */
export const PEER_PROTOCOL_VERSION = 2;
/** A frame before the peer has shown who it is. */
export const HANDSHAKE_BYTES_MAX = 4096;
/** A frame of a known peer: one largest block with what travels around it. */
export const FRAME_BYTES_MAX = BLOCK_BYTES_MAX + 1024 * 1024;
/** Blocks of one answer together, but always at least one block. */
export const BLOCKS_BYTES_MAX = 4 * 1024 * 1024;
export const BLOCKS_COUNT_MAX = 512;
const REASON_BYTES_MAX = 512;

/** What nodes say to each other. */
export type PeerMessage =
  /** First of both sides: what must be the same before anything else is said. */
  | ({ readonly kind: 'hello' } & Hello)
  /** Why the connection ends. */
  | { readonly kind: 'refused'; readonly code: string; readonly reason: string }
  /** A message of the consensus protocol, signed by the protocol itself. */
  | { readonly kind: 'consensus'; readonly bytes: Uint8Array }
  | { readonly kind: 'transactions'; readonly transactions: readonly Uint8Array[] }
  | {
      readonly kind: 'blocks-request';
      readonly number: number;
      readonly from: number;
      readonly countMax: number;
    }
  /** Encoded blocks from the height asked for; none when the peer has no more. */
  | { readonly kind: 'blocks'; readonly number: number; readonly blocks: readonly Uint8Array[] }
  /** The blocks asked for have no bodies here any more: those from this height on have. */
  | { readonly kind: 'blocks-pruned'; readonly number: number; readonly below: number }
  | { readonly kind: 'ping' };

const kinds = {
  hello: struct({
    protocolVersion: uint,
    chain: chainIdCodec,
    engine: engineIdentityCodec,
    node: nodeIdCodec,
  }),
  refused: struct({ code: text({ bytesMax: 64 }), reason: text({ bytesMax: REASON_BYTES_MAX }) }),
  consensus: struct({ bytes: bytes({ bytesMax: FRAME_BYTES_MAX }) }),
  transactions: struct({
    transactions: list(bytes({ bytesMax: TRANSACTION_BYTES_CEILING }), { countMax: BLOCK_TRANSACTIONS_MAX }),
  }),
  'blocks-request': struct({ number: uint, from: uint, countMax: uint }),
  blocks: struct({
    number: uint,
    blocks: list(bytes({ bytesMax: BLOCK_BYTES_MAX }), { countMax: BLOCKS_COUNT_MAX }),
  }),
  'blocks-pruned': struct({ number: uint, below: uint }),
  ping: struct({}),
} satisfies Record<PeerMessage['kind'], unknown>;

const LIMITS = { depthMax: 6, itemsMax: 100_000, bytesMax: FRAME_BYTES_MAX };

function contentCodec(kind: string): Codec<object> | undefined {
  return Object.hasOwn(kinds, kind) ? (kinds as unknown as Record<string, Codec<object>>)[kind] : undefined;
}

export function encodePeerMessage(message: PeerMessage): Uint8Array {
  const content = contentCodec(message.kind)?.toCbor(message) as CborValue;
  return encodeCbor([message.kind, content]);
}

/** @throws CborError for anything but one message in its one form. */
export function decodePeerMessage(encoded: Uint8Array): PeerMessage {
  const value = decodeCbor(encoded, LIMITS);
  if (!Array.isArray(value) || value.length !== 2) throw new CborError('not a message');
  const [kind, content] = value as readonly CborValue[];
  const of = typeof kind === 'string' ? contentCodec(kind) : undefined;
  if (!of || content === undefined) throw new CborError('a message of an unknown kind');
  return { kind, ...of.fromCbor(content) } as unknown as PeerMessage;
}
