import {
  bytes,
  CborError,
  type Codec,
  encodeCbor,
  err,
  fixedBytes,
  ok,
  type PublicKey,
  publicKeyCodec,
  type Result,
  SIGNATURE_BYTES,
  type Signer,
  struct,
  type VerifySignature,
} from '@careledger/primitives';

const STATEMENT_BYTES_MAX = 8 * 1024;

/** Something one member's key says to another member, outside the ledger. The domain keeps the kinds apart. */
const envelopeCodec = struct({
  content: bytes({ bytesMax: STATEMENT_BYTES_MAX }),
  publicKey: publicKeyCodec,
  signature: fixedBytes(SIGNATURE_BYTES),
});

export interface Statement<Content> {
  readonly content: Content;
  /** The exact bytes that were signed as `content`. */
  readonly contentBytes: Uint8Array;
  readonly publicKey: PublicKey;
}

export type StatementFailure = 'statement/malformed' | 'statement/signature';

function signedText(domain: string, content: Uint8Array): Uint8Array {
  return encodeCbor([domain, content]);
}

/** Signs a value under a domain. The bytes travel as they are: they are their own canonical form. */
export function signStatement<Content>(
  options: { readonly domain: string; readonly codec: Codec<Content> },
  content: Content,
  signer: Signer,
): Uint8Array {
  const contentBytes = options.codec.encode(content);
  return envelopeCodec.encode({
    content: contentBytes,
    publicKey: signer.publicKey as PublicKey,
    signature: signer.sign(signedText(options.domain, contentBytes)),
  });
}

/** Decodes a statement and checks its signature. Whose key it is, and whether it is in force, the caller asks of state. */
export function openStatement<Content>(
  options: { readonly domain: string; readonly codec: Codec<Content>; readonly verify: VerifySignature },
  statement: Uint8Array,
): Result<Statement<Content>, StatementFailure> {
  try {
    const envelope = envelopeCodec.decode(statement);
    const content = options.codec.decode(envelope.content);
    const claim = {
      publicKey: envelope.publicKey,
      message: signedText(options.domain, envelope.content),
      signature: envelope.signature,
    };
    if (!options.verify(claim)) return err('statement/signature');
    return ok({ content, contentBytes: envelope.content, publicKey: envelope.publicKey });
  } catch (error) {
    if (error instanceof CborError) return err('statement/malformed');
    throw error;
  }
}
