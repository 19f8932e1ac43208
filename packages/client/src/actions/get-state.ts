import {
  STATE_VALUE_BYTES_MAX,
  type StateEvidence,
  stateEvidenceCodec,
  type VerifiedState,
  verifyStateEvidence,
} from '@careledger/ledger';
import { toHex } from '@careledger/primitives';
import { ProofMismatchError } from '../errors.ts';
import { checkHeight, decodeAnswer, type LedgerClient, verifyCertified } from '../ledger-client.ts';
import { ask, CBOR_TYPE, chainPath } from '../transport.ts';

/** A value, the path to it, a header and its signatures. */
const EVIDENCE_BYTES_MAX = STATE_VALUE_BYTES_MAX + 512 * 1024;

export interface StateQuestion {
  readonly key: Uint8Array;
  /** A kept earlier height; the newest one by default. */
  readonly height?: number;
}

/**
 * Reads a state key and checks the answer against a header that a quorum signed. "Nothing there" is proven too.
 *
 * @returns The value, or `undefined` where the key is proven to have none.
 * @throws ProofMismatchError, StaleAnswerError, NodeRefusedError.
 *
 * @example
 * const { value } = await getState(client, { key: utf8('membership/organization/city-clinic') });
 */
export async function getState(client: LedgerClient, options: StateQuestion): Promise<VerifiedState> {
  return (await getStateEvidence(client, options)).state;
}

/** The same with the evidence, for those who pass it on. */
export async function getStateEvidence(
  client: LedgerClient,
  options: StateQuestion,
): Promise<{ readonly evidence: StateEvidence; readonly state: VerifiedState }> {
  const { key, height } = options;
  const query = height === undefined ? '' : `?height=${height}`;
  const answer = await ask(
    client.transport,
    {
      method: 'GET',
      path: `${chainPath(client.chain, 'state', toHex(key))}${query}`,
      accept: CBOR_TYPE,
      bytesMax: EVIDENCE_BYTES_MAX,
    },
    'state',
  );
  const evidence = decodeAnswer(stateEvidenceCodec, answer);
  await verifyCertified(client, evidence);
  const { trusted, verifySignature } = client;
  const verified = verifyStateEvidence({ evidence, key, trusted, verifySignature });
  if (!verified.ok) throw new ProofMismatchError(verified.error.code, verified.error.detail);
  checkHeight(client, evidence.header, height);
  client.saw(verified.value);
  return { evidence, state: verified.value };
}
