import { DISPUTE_BYTES_MAX, disputeCodec, type VerifiedDispute, verifyDispute } from '@careledger/ledger';
import { toHex } from '@careledger/primitives';
import { ProofMismatchError } from '../errors.ts';
import { decodeAnswer, type LedgerClient, learnTrustPath } from '../ledger-client.ts';
import { ask, CBOR_TYPE, chainPath } from '../transport.ts';

/** What held, and the node's signed answer to keep. */
export interface DisputeWithEvidence extends VerifiedDispute {
  /** For `verifyDispute`: what to show to somebody who doubts it. */
  readonly evidence: Uint8Array;
}

/**
 * What held for a key at an instant: its value or its absence, under the last header that is not after it, signed by the
 * node that answers. `answerHash` is the same from every honest node, now and later.
 *
 * @param options.at Milliseconds since 1970-01-01T00:00:00Z.
 * @throws NodeRefusedError `ledger/not-yet` while no block is final after the instant; ProofMismatchError.
 *
 * @example
 * const { value, answerHash } = await getDispute(client, { key, at: Date.parse('2026-03-01T12:00:00Z') });
 */
export async function getDispute(
  client: LedgerClient,
  options: { readonly key: Uint8Array; readonly at: number },
): Promise<DisputeWithEvidence> {
  const { key, at: instant } = options;
  const evidence = await ask(
    client.transport,
    {
      method: 'GET',
      path: `${chainPath(client.chain, 'disputes', toHex(key))}?at=${instant}`,
      accept: CBOR_TYPE,
      bytesMax: DISPUTE_BYTES_MAX,
    },
    'instant',
  );
  const dispute = decodeAnswer(disputeCodec, evidence);
  const { trusted, verifySignature } = client;
  const check = () => verifyDispute({ dispute, key, instant, trusted, verifySignature });
  let verified = check();
  if (!verified.ok && verified.error.code === 'validator set') {
    await learnTrustPath(client);
    verified = check();
  }
  if (!verified.ok) throw new ProofMismatchError(verified.error.code, verified.error.detail);
  return { ...verified.value, evidence };
}
