import {
  bytes as bytesCodec,
  CborError,
  type CborLimits,
  type CborMap,
  type CborValue,
  type Codec,
  decodeCbor,
  fixedBytes,
  list,
  oneOf,
  optional,
  struct,
  toHex,
  uint,
} from '@careledger/primitives';
import type { Certificate, ValidatorKey } from '../protocol.ts';
import { COMMIT_DOMAIN, type CommitContent } from './certificate.ts';
import {
  certificateCodec,
  digestCodec,
  keyCodec,
  PROPOSAL_BYTES_MAX,
  signatureCodec,
  signaturesCodec,
  VALIDATORS_MAX,
} from './wire.ts';

/** A signed payload without certificate lists; a new-view holds a quorum of view-changes. */
const PAYLOAD_BYTES_MAX = 8 * 1024 * 1024;
/** What an envelope may hold besides a proposal. */
export const ENVELOPE_BYTES_MAX = PAYLOAD_BYTES_MAX + 64 * 1024;
const WIRE_LIMITS: CborLimits = {
  depthMax: 8,
  itemsMax: 200_000,
  bytesMax: PROPOSAL_BYTES_MAX + ENVELOPE_BYTES_MAX,
};

/** What travels: signed bytes, who signed them, and attachments that prove themselves. */
export interface Envelope {
  readonly payload: Uint8Array;
  readonly signer: ValidatorKey;
  readonly signature: Uint8Array;
  /** An encoded proposal, bound by the digest in the payload. */
  readonly proposal?: Uint8Array;
  /** The certificate of the engine height before (pre-prepare) or of the last one decided (decided). */
  readonly certificate?: Certificate;
  /** In a prepare: the leader's signature of the pre-prepare, so that a leader who signed two is found. */
  readonly leaderSignature?: Uint8Array;
}

const signedCodec = {
  payload: bytesCodec({ bytesMax: PAYLOAD_BYTES_MAX }),
  signer: keyCodec,
  signature: signatureCodec,
};

const envelopeCodec: Codec<Envelope> = struct({
  ...signedCodec,
  proposal: optional(bytesCodec({ bytesMax: PROPOSAL_BYTES_MAX })),
  certificate: optional(certificateCodec),
  leaderSignature: optional(signatureCodec),
});

/** That a quorum prepared one proposal in one view (Castro and Liskov 1999, section 4.4: an element of P). */
export interface PreparedProof {
  readonly view: number;
  readonly digest: string;
  readonly signatures: readonly { readonly key: ValidatorKey; readonly signature: Uint8Array }[];
}

export const preparedCodec: Codec<PreparedProof> = struct({
  view: uint,
  digest: digestCodec,
  signatures: signaturesCodec,
});

/** A view-change as it stands inside a new-view. */
export type SignedPayload = Pick<Envelope, 'payload' | 'signer' | 'signature'>;

const common = { chain: fixedBytes(32), engineHeight: uint, view: uint };
const PRE_PREPARE = 'careledger/pre-prepare/v1';
const PREPARE = 'careledger/prepare/v1';
const VIEW_CHANGE = 'careledger/view-change/v1';
const NEW_VIEW = 'careledger/new-view/v1';
const DECIDED = 'careledger/decided/v1';

const payloads = {
  [PRE_PREPARE]: struct({ kind: oneOf([PRE_PREPARE]), ...common, digest: digestCodec }),
  [PREPARE]: struct({ kind: oneOf([PREPARE]), ...common, digest: digestCodec }),
  [VIEW_CHANGE]: struct({ kind: oneOf([VIEW_CHANGE]), ...common, prepared: optional(preparedCodec) }),
  [NEW_VIEW]: struct({
    kind: oneOf([NEW_VIEW]),
    ...common,
    viewChanges: list(struct(signedCodec), { countMax: VALIDATORS_MAX }),
  }),
  [DECIDED]: struct({ kind: oneOf([DECIDED]), ...common }),
};

interface Position {
  readonly chain: Uint8Array;
  readonly engineHeight: number;
  readonly view: number;
}

export type Body =
  | { readonly kind: 'pre-prepare'; readonly digest: string }
  | { readonly kind: 'prepare'; readonly digest: string }
  | { readonly kind: 'commit'; readonly content: CommitContent }
  | { readonly kind: 'view-change'; readonly prepared: PreparedProof | undefined }
  | { readonly kind: 'new-view'; readonly viewChanges: readonly SignedPayload[] }
  | { readonly kind: 'decided' };

/** A message of the right form. Nothing about it is verified. */
export type Message = Position & Body & { readonly envelope: Envelope };
export type MessageOf<Kind extends Body['kind']> = Extract<Message, { readonly kind: Kind }>;

export function prePrepareBytes(position: Position, digest: string): Uint8Array {
  return payloads[PRE_PREPARE].encode({ kind: PRE_PREPARE, ...position, digest });
}

export function prepareBytes(position: Position, digest: string): Uint8Array {
  return payloads[PREPARE].encode({ kind: PREPARE, ...position, digest });
}

export function viewChangeBytes(position: Position, prepared: PreparedProof | undefined): Uint8Array {
  return payloads[VIEW_CHANGE].encode({ kind: VIEW_CHANGE, ...position, ...(prepared && { prepared }) });
}

export function newViewBytes(position: Position, viewChanges: readonly SignedPayload[]): Uint8Array {
  return payloads[NEW_VIEW].encode({ kind: NEW_VIEW, ...position, viewChanges });
}

export function decidedBytes(position: Position): Uint8Array {
  return payloads[DECIDED].encode({ kind: DECIDED, ...position });
}

const hash32 = fixedBytes(32);

/** The commit's payload is the certificate's own array, so its signature can go into the certificate. */
function decodeCommit(value: CborValue): Position & Body {
  if (!Array.isArray(value) || value.length !== 7) throw new CborError('not a commit');
  const [domain, chain, engineHeight, view, time, ledgerHeight, headerHash] = value;
  if (domain !== COMMIT_DOMAIN) throw new CborError('not a commit');
  const position = {
    chain: hash32.fromCbor(chain),
    engineHeight: uint.fromCbor(engineHeight),
    view: uint.fromCbor(view),
  };
  const content: CommitContent = {
    engineHeight: position.engineHeight,
    view: position.view,
    time: uint.fromCbor(time),
    ledgerHeight: uint.fromCbor(ledgerHeight),
    headerHash: toHex(hash32.fromCbor(headerHash)),
  };
  return { ...position, kind: 'commit', content };
}

function kindOf(value: CborMap): keyof typeof payloads {
  const kind = value.get('kind');
  if (typeof kind !== 'string' || !Object.hasOwn(payloads, kind)) throw new CborError('an unknown message');
  return kind as keyof typeof payloads;
}

function decodePayload(payload: Uint8Array): Position & Body {
  const value = decodeCbor(payload, WIRE_LIMITS);
  if (!(value instanceof Map)) return decodeCommit(value);
  const kind = kindOf(value);
  switch (kind) {
    case PRE_PREPARE:
      return { ...payloads[kind].fromCbor(value), kind: 'pre-prepare' };
    case PREPARE:
      return { ...payloads[kind].fromCbor(value), kind: 'prepare' };
    case VIEW_CHANGE: {
      const { prepared, ...rest } = payloads[kind].fromCbor(value);
      return { ...rest, kind: 'view-change', prepared };
    }
    case NEW_VIEW:
      return { ...payloads[kind].fromCbor(value), kind: 'new-view' };
    case DECIDED:
      return { ...payloads[kind].fromCbor(value), kind: 'decided' };
  }
}

export function encodeMessage(envelope: Envelope): Uint8Array {
  return envelopeCodec.encode(envelope);
}

/** Opens a signed payload that came without an envelope of its own. `undefined` when it is malformed. */
export function openPayload(envelope: Envelope): Message | undefined {
  try {
    return { ...decodePayload(envelope.payload), envelope };
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/** Decodes strictly: what {@link encodeMessage} would not have written is `undefined`. Verifies no signature. */
export function decodeMessage(bytes: Uint8Array, bytesMax: number): Message | undefined {
  try {
    return openPayload(envelopeCodec.decode(bytes, { ...WIRE_LIMITS, bytesMax }));
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}
