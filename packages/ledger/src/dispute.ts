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
  type HeaderHash,
  type NodeId,
  nodeIdCodec,
  ok,
  oneOf,
  type PublicKey,
  publicKeyCodec,
  type Result,
  SIGNATURE_BYTES,
  sha256,
  struct,
  uint,
  utf8,
  type VerifySignature,
} from '@careledger/primitives';
import type { BlockHeader, CertifiedHeader, FinalityCertificate } from './block.ts';
import { certificateCodec, certifiedHeaderCodec, headerCodec, headerHash } from './block-codecs.ts';
import { type EvidenceFault, STATE_KEY_BYTES_MAX, STATE_VALUE_BYTES_MAX } from './evidence.ts';
import { orNull, type StateProof, stateProofCodec } from './proofs.ts';
import { verifyStateProof } from './state-tree/proof.ts';
import type { TrustedChain, TrustFault } from './trust.ts';

export const DISPUTE_KIND = 'careledger/dispute/1';
/** What a node signs begins with this, so that its signature can stand for nothing else. */
export const DISPUTE_DOMAIN = 'careledger/dispute/v1';
export const DISPUTE_BYTES_MAX: number = STATE_VALUE_BYTES_MAX + 1024 * 1024;

/**
 * What held for a key at an instant: its value, or that it had none, under the last header whose time is not after the
 * instant. The same bytes from every node, now and later.
 */
export interface DisputeAnswer {
  readonly kind: typeof DISPUTE_KIND;
  readonly chain: ChainId;
  readonly key: Uint8Array;
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  readonly instant: number;
  readonly header: BlockHeader;
  readonly value: Uint8Array | undefined;
  readonly proof: StateProof;
}

/** Which node stands behind an answer. */
export interface DisputeSignature {
  readonly node: NodeId;
  readonly publicKey: PublicKey;
  /** Over {@link disputeBytes}. */
  readonly signature: Uint8Array;
}

/** An answer with everything that shows it. Signatures and certificates differ from node to node, the answer does not. */
export interface Dispute {
  readonly answer: DisputeAnswer;
  /** The quorum behind the answer's header; the founding header has none and is named by the header that follows. */
  readonly certificate: FinalityCertificate | undefined;
  /** The next header, whose time is after the instant; none while the head holds, certified again after the instant. */
  readonly following: CertifiedHeader | undefined;
  readonly signed: DisputeSignature;
}

export const disputeAnswerCodec: Codec<DisputeAnswer> = struct({
  kind: oneOf([DISPUTE_KIND]),
  chain: chainIdCodec,
  key: bytes({ bytesMax: STATE_KEY_BYTES_MAX }),
  instant: uint,
  header: headerCodec,
  value: orNull(bytes({ bytesMax: STATE_VALUE_BYTES_MAX })),
  proof: stateProofCodec,
});

export const disputeCodec: Codec<Dispute> = struct({
  answer: disputeAnswerCodec,
  certificate: orNull(certificateCodec),
  following: orNull(certifiedHeaderCodec),
  signed: struct({
    node: nodeIdCodec,
    publicKey: publicKeyCodec,
    signature: fixedBytes(SIGNATURE_BYTES),
  }),
});

export type DisputeFaultCode =
  | EvidenceFault['code']
  | TrustFault['code']
  | 'question'
  | 'instant'
  | 'answer signature';

/** Which part of a dispute's answer is wrong, and in which way. Never holds content of it. */
export interface DisputeFault {
  readonly code: DisputeFaultCode;
  readonly detail: string;
}

export interface VerifiedDispute {
  readonly key: Uint8Array;
  readonly instant: number;
  /** `undefined`: the key is proven to have had no value then. */
  readonly value: Uint8Array | undefined;
  readonly header: BlockHeader;
  readonly headerHash: HeaderHash;
  /** Who signed the answer. Whose key it is, is state: `membership/key/<publicKey>`. */
  readonly node: NodeId;
  readonly publicKey: PublicKey;
  /** SHA-256 of the answer's bytes: two nodes that agree give the same. */
  readonly answerHash: Uint8Array;
}

/** What a node signs under its answer. @throws CborError for an answer without form. */
export function disputeBytes(answer: DisputeAnswer): Uint8Array {
  return concat(utf8(DISPUTE_DOMAIN), sha256(disputeAnswerCodec.encode(answer)));
}

function fault(code: DisputeFaultCode, detail: string): { readonly ok: false; readonly error: DisputeFault } {
  return err({ code, detail });
}

/** Is the answer's header on this chain, and the last one at the instant? */
function verifyInstant(
  { answer, certificate, following }: Dispute,
  trusted: TrustedChain,
  verifySignature: VerifySignature,
): Result<HeaderHash, DisputeFault> {
  const { header, instant } = answer;
  const hash = headerHash(header);
  if (header.time > instant) return fault('instant', 'the header is later than the instant');
  if (certificate) {
    const final = trusted.verifyHeader({ header, certificate }, verifySignature);
    if (!final.ok) return final;
  }
  if (!following) {
    if (!certificate) return fault('certificate', 'no quorum stands behind the header');
    return certificate.time > instant
      ? ok(hash)
      : fault('instant', 'no quorum says that the header still held after the instant');
  }
  const next = trusted.verifyHeader(following, verifySignature);
  if (!next.ok) return next;
  const { header: after } = following;
  const isNext = after.height === header.height + 1 && equalBytes(after.previousHash, hash);
  if (!isNext) return fault('instant', 'the following header does not follow');
  return after.time > instant ? ok(hash) : fault('instant', 'the next header is not after the instant');
}

/**
 * Checks what a node says held for a key at an instant: the value or its absence by the state root, the header by a
 * quorum or by the certified header that follows it, and that no other header lies between it and the instant.
 *
 * @param options.key What was asked for, as `instant`: evidence about anything else is refused.
 *
 * @example
 * const verified = verifyDispute({ dispute, key, instant, trusted, verifySignature });
 * if (verified.ok) console.log(verified.value.value === undefined ? 'nothing held' : 'this held');
 */
export function verifyDispute(options: {
  readonly dispute: Dispute;
  readonly key: Uint8Array;
  readonly instant: number;
  readonly trusted: TrustedChain;
  readonly verifySignature: VerifySignature;
}): Result<VerifiedDispute, DisputeFault> {
  const { dispute, key, instant, trusted, verifySignature } = options;
  const { answer, signed } = dispute;
  if (!equalBytes(answer.key, key)) return fault('question', 'another key was asked for');
  if (answer.instant !== instant) return fault('question', 'another instant was asked for');
  if (!equalBytes(answer.chain, trusted.chain)) return fault('question', 'another chain was asked for');
  const message = formOf(answer);
  if (!message) return fault('question', 'the answer has no canonical form');
  const isSigned = verifySignature({ publicKey: signed.publicKey, message, signature: signed.signature });
  if (!isSigned) return fault('answer signature', 'the named node did not sign the answer');
  const held = verifyInstant(dispute, trusted, verifySignature);
  if (!held.ok) return held;
  const { header, value, proof } = answer;
  const proven = verifyStateProof({ root: header.stateRoot, key, value, proof });
  if (!proven.ok) return fault('state proof', proven.error);
  const { node, publicKey } = signed;
  const answerHash = sha256(disputeAnswerCodec.encode(answer));
  return ok({ key, instant, value, header, headerHash: held.value, node, publicKey, answerHash });
}

function formOf(answer: DisputeAnswer): Uint8Array | undefined {
  try {
    return disputeBytes(answer);
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}
