import { type ConsentRecord, consentKey, consentRecordCodec } from '@careledger/capabilities';
import type { ConsentId } from '@careledger/primitives';
import { decodeAnswer, type LedgerClient } from '../ledger-client.ts';
import { getState } from './get-state.ts';

/**
 * Reads a consent and checks the answer against a trusted block header.
 *
 * @returns The record, or `undefined` where it is proven that no such consent was recorded.
 * @throws ProofMismatchError if the node's answer is not proven.
 */
export async function getConsent(
  client: LedgerClient,
  options: { readonly consentId: ConsentId; readonly height?: number },
): Promise<ConsentRecord | undefined> {
  const { consentId, height } = options;
  const { value } = await getState(client, {
    key: consentKey(consentId),
    ...(height === undefined ? {} : { height }),
  });
  return value === undefined ? undefined : decodeAnswer(consentRecordCodec, value);
}
