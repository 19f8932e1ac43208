import {
  bytes,
  CborError,
  type ChainId,
  type Codec,
  chainIdCodec,
  concat,
  equalBytes,
  err,
  fixedBytes,
  fromHex,
  type NodeId,
  nodeIdCodec,
  ok,
  type PublicKey,
  publicKeyCodec,
  type Result,
  SIGNATURE_BYTES,
  type Signer,
  struct,
  toHex,
  uint,
  utf8,
  type VerifySignature,
} from '@careledger/primitives';

/** What a key signs begins with this, so that the signature can stand for nothing else. */
export const ACCESS_DOMAIN = 'careledger/access/v1';
/** A token is good for so long at most, in milliseconds: whoever steals one has it for no longer. */
export const ACCESS_TOKEN_MS_MAX = 3_600_000;
export const ACCESS_TOKEN_CHARACTERS_MAX = 1_024;
const TOKEN_PREFIX = 'careledger-access.';

/** Who asks one node, shown by a key that the ledger knows. What the key may do, the node reads from its state. */
export interface AccessClaim {
  readonly chain: ChainId;
  /** The one node that it is for: no other can use it elsewhere. */
  readonly node: NodeId;
  readonly publicKey: PublicKey;
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  readonly expiresAt: number;
}

const claimCodec: Codec<AccessClaim> = struct({
  chain: chainIdCodec,
  node: nodeIdCodec,
  publicKey: publicKeyCodec,
  expiresAt: uint,
});
const tokenCodec: Codec<{ readonly claim: Uint8Array; readonly signature: Uint8Array }> = struct({
  claim: bytes({ bytesMax: 256 }),
  signature: fixedBytes(SIGNATURE_BYTES),
});

/** Why a token shows nothing. */
export type AccessFault = 'malformed' | 'other chain' | 'other node' | 'expired' | 'too long' | 'signature';

/**
 * Makes the bearer token with which a member's key asks a node's API.
 *
 * @example
 * const token = signAccessToken({ chain, node, expiresAt: Date.now() + 600_000, signer });
 * headers.authorization = `Bearer ${token}`;
 */
export function signAccessToken(options: {
  readonly chain: ChainId;
  readonly node: NodeId;
  readonly expiresAt: number;
  readonly signer: Signer;
}): string {
  const { signer, ...claim } = options;
  const encoded = claimCodec.encode({ ...claim, publicKey: signer.publicKey as PublicKey });
  const signature = signer.sign(concat(utf8(ACCESS_DOMAIN), encoded));
  return TOKEN_PREFIX + toHex(tokenCodec.encode({ claim: encoded, signature }));
}

function decodeToken(
  token: string,
): { readonly claim: Uint8Array; readonly signature: Uint8Array } | undefined {
  if (!token.startsWith(TOKEN_PREFIX) || token.length > ACCESS_TOKEN_CHARACTERS_MAX) return undefined;
  const encoded = fromHex(token.slice(TOKEN_PREFIX.length));
  return encoded && decoded(() => tokenCodec.decode(encoded));
}

function decoded<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/** Which key shows this token, now, to this node? Whether the key is in force is state, and asked there. */
export function verifyAccessToken(options: {
  readonly token: string;
  readonly chain: ChainId;
  readonly node: NodeId;
  /** The node's clock, milliseconds. */
  readonly now: number;
  readonly verifySignature: VerifySignature;
}): Result<AccessClaim, AccessFault> {
  const { token, chain, node, now, verifySignature } = options;
  const parts = decodeToken(token);
  const claim = parts && decoded(() => claimCodec.decode(parts.claim));
  if (!parts || !claim) return err('malformed');
  if (!equalBytes(claim.chain, chain)) return err('other chain');
  if (claim.node !== node) return err('other node');
  if (claim.expiresAt <= now) return err('expired');
  if (claim.expiresAt > now + ACCESS_TOKEN_MS_MAX) return err('too long');
  const message = concat(utf8(ACCESS_DOMAIN), parts.claim);
  const { publicKey } = claim;
  return verifySignature({ publicKey, message, signature: parts.signature }) ? ok(claim) : err('signature');
}
