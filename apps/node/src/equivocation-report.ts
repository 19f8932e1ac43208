import { type Equivocation, reportEquivocationCodec, type SignedStatement } from '@careledger/capabilities';
import { decodeMessage, ENVELOPE_BYTES_MAX, type EvidenceEffect, type Message } from '@careledger/consensus';
import { signTransaction } from '@careledger/ledger';
import type { ChainId, PublicKey, Signer } from '@careledger/primitives';
import { bytesOf } from './chain/certificates-between.ts';

/** Long enough for a node without quorum to get it in once others are back. Milliseconds. */
const REPORT_EXPIRY_MS = 300_000;

type Statement = Extract<Message, { readonly kind: Equivocation['kind'] }>;

function isStatement(message: Message | undefined): message is Statement {
  return message?.kind === 'pre-prepare' || message?.kind === 'prepare' || message?.kind === 'commit';
}

function signedStatement(message: Statement): SignedStatement {
  const { signature } = message.envelope;
  if (message.kind !== 'commit')
    return { hash: bytesOf(message.digest), time: 0, ledgerHeight: 0, signature };
  const { headerHash, time, ledgerHeight } = message.content;
  return { hash: bytesOf(headerHash), time, ledgerHeight, signature };
}

/** What an engine's evidence says in the words of the ledger, or `undefined` when it is of no kind that is recorded. */
export function equivocationOf(evidence: Pick<EvidenceEffect, 'first' | 'second'>): Equivocation | undefined {
  const first = decodeMessage(evidence.first, ENVELOPE_BYTES_MAX);
  const second = decodeMessage(evidence.second, ENVELOPE_BYTES_MAX);
  if (!isStatement(first) || !isStatement(second)) return undefined;
  const { kind, engineHeight, view } = first;
  const isOnePlace = second.kind === kind && second.engineHeight === engineHeight && second.view === view;
  if (!isOnePlace || first.envelope.signer !== second.envelope.signer) return undefined;
  return {
    publicKey: bytesOf(first.envelope.signer) as PublicKey,
    kind,
    engineHeight,
    view,
    first: signedStatement(first),
    second: signedStatement(second),
  };
}

/** The signed transaction that puts it on the ledger. */
export function reportTransaction(
  equivocation: Equivocation,
  by: { readonly chain: ChainId; readonly signer: Signer; readonly now: number; readonly nonce: Uint8Array },
): Uint8Array {
  const { chain, signer, now, nonce } = by;
  const body = reportEquivocationCodec.encode(equivocation);
  const type = 'membership/report-equivocation';
  const payload = { chain, nonce, expiresAt: now + REPORT_EXPIRY_MS, type, body };
  return signTransaction({ payload, signer }).bytes;
}
