import { commitBytes, voteBytes } from '@careledger/ledger';
import {
  CborError,
  type ChainId,
  type Codec,
  codec,
  equalBytes,
  fixedBytes,
  hashCodec,
  oneOf,
  type PublicKey,
  publicKeyCodec,
  type SignatureClaim,
  struct,
  uint,
} from '@careledger/primitives';
import {
  accepted,
  type Outcome,
  rejected,
  type StateReader,
  type TransitionContext,
} from '@careledger/state-machine';
import { equivocationReported } from './events.ts';
import {
  countMisbehaviour,
  MISBEHAVIOURS_MAX,
  type Misbehaviour,
  misbehaviourKey,
  STATEMENT_KINDS,
  type StatementKind,
  writeMisbehaviour,
} from './misbehaviour.ts';
import type { MembershipRejection } from './rejections.ts';
import { readKey } from './state.ts';

/** One of two statements of a signer about one height and view. */
export interface SignedStatement {
  /** A commit's header hash; of a vote before it the digest of the proposal. */
  readonly hash: Uint8Array;
  /** Of a commit, milliseconds; else 0. */
  readonly time: number;
  /** Of a commit; else 0. */
  readonly ledgerHeight: number;
  readonly signature: Uint8Array;
}

/** Two statements that one key signed at one height and view, where an honest validator signs one. */
export interface Equivocation {
  readonly publicKey: PublicKey;
  readonly kind: StatementKind;
  readonly engineHeight: number;
  readonly view: number;
  readonly first: SignedStatement;
  readonly second: SignedStatement;
}

const statementCodec: Codec<SignedStatement> = struct({
  hash: hashCodec,
  time: uint,
  ledgerHeight: uint,
  signature: fixedBytes(64),
});

const openCodec: Codec<Equivocation> = struct({
  publicKey: publicKeyCodec,
  kind: oneOf(STATEMENT_KINDS),
  engineHeight: uint,
  view: uint,
  first: statementCodec,
  second: statementCodec,
});

/** What the signature does not cover must not vary, or one statement could be told as two. */
function checkStatements(message: Equivocation): Equivocation {
  const isCommit = message.kind === 'commit';
  const isBare = [message.first, message.second].every(
    ({ time, ledgerHeight }) => time === 0 && ledgerHeight === 0,
  );
  if (!isCommit && !isBare) throw new CborError('a vote has no time and no ledger height');
  return message;
}

export const reportEquivocationCodec: Codec<Equivocation> = codec(
  openCodec.shape,
  (message) => openCodec.toCbor(checkStatements(message)),
  (value) => checkStatements(openCodec.fromCbor(value)),
);

function statementBytes(chain: ChainId, message: Equivocation, statement: SignedStatement): Uint8Array {
  const { kind, engineHeight, view } = message;
  const { hash, time, ledgerHeight } = statement;
  const place = { chain, engineHeight, view };
  if (kind === 'commit') return commitBytes({ ...place, time, ledgerHeight, headerHash: hash });
  return voteBytes({ ...place, kind, digest: hash });
}

/** Both signatures, over the bytes that the engine signed: a report that the signer did not sign never gets in. */
export function equivocationClaims(message: Equivocation, chain: ChainId): readonly SignatureClaim[] {
  return [message.first, message.second].map((statement) => ({
    publicKey: message.publicKey,
    message: statementBytes(chain, message, statement),
    signature: statement.signature,
  }));
}

/**
 * Puts a proven contradiction on the ledger. Whoever has a key in force may report it: the two signatures speak, not
 * the reporter. What follows from it (suspension) is the consortium's to decide, never this rule's.
 */
export function reportEquivocation(
  state: StateReader,
  message: Equivocation,
  context: TransitionContext,
): Outcome<MembershipRejection> {
  const { publicKey, kind, engineHeight, view, first, second } = message;
  const signer = readKey(state, publicKey);
  const isSame =
    equalBytes(first.hash, second.hash) &&
    first.time === second.time &&
    first.ledgerHeight === second.ledgerHeight;
  if (isSame) return rejected('membership/no-contradiction');
  // A key that was rotated, suspended or revoked since then answers for what it signed.
  if (!signer?.roles.includes('validator')) return rejected('membership/not-a-validator');
  // Every honest node reports what it sees: the first report stands, the others change nothing.
  if (state.get(misbehaviourKey(publicKey, message))) return accepted([], []);
  if (countMisbehaviour(state, publicKey) >= MISBEHAVIOURS_MAX)
    return rejected('membership/too-many-reports');

  const found: Misbehaviour = {
    kind,
    engineHeight,
    view,
    organization: signer.organization,
    ...(signer.node !== undefined && { node: signer.node }),
    reportedBy: context.signer,
    report: context.transactionId,
  };
  return accepted([writeMisbehaviour(publicKey, found)], [equivocationReported(publicKey, found)]);
}
