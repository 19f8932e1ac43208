import { type OrganizationRecord, organizationKey, readOrganization } from '@careledger/capabilities';
import { CborError, equalBytes, type OrganizationId } from '@careledger/primitives';
import { ProofMismatchError } from '../errors.ts';
import type { LedgerClient } from '../ledger-client.ts';
import { getState } from './get-state.ts';

/**
 * Reads a member organization and checks the answer against a trusted block header.
 *
 * @returns The record, or `undefined` where it is proven that there is no such member.
 * @throws ProofMismatchError, StaleAnswerError.
 */
export async function getOrganization(
  client: LedgerClient,
  options: { readonly organization: OrganizationId },
): Promise<OrganizationRecord | undefined> {
  const { organization } = options;
  const { key, value } = await getState(client, { key: organizationKey(organization) });
  try {
    return readOrganization(
      { get: (asked) => (equalBytes(asked, key) ? value : undefined), scan: () => [] },
      organization,
    );
  } catch (error) {
    if (error instanceof CborError) throw new ProofMismatchError('form', error.message);
    throw error;
  }
}
