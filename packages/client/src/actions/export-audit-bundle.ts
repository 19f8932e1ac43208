import { AUDIT_BUNDLE_BYTES_MAX, type AuditReport } from '@careledger/ledger';
import { ProofMismatchError } from '../errors.ts';
import type { LedgerClient } from '../ledger-client.ts';
import { ask, CBOR_TYPE, chainPath } from '../transport.ts';
import { verifyAuditBundleFile } from './verify-file.ts';

/** A bundle that was checked, as bytes to keep. */
export interface ExportedBundle {
  readonly bytes: Uint8Array;
  readonly report: AuditReport;
}

/**
 * Fetches the blocks of a range of heights with everything that proves them, and checks them before handing them over.
 *
 * @param options.toHeight The newest height by default.
 * @throws ProofMismatchError naming the first block that does not hold, or `range`.
 */
export async function exportAuditBundle(
  client: LedgerClient,
  options: { readonly fromHeight: number; readonly toHeight?: number },
): Promise<ExportedBundle> {
  const { fromHeight, toHeight } = options;
  const query = toHeight === undefined ? `?from=${fromHeight}` : `?from=${fromHeight}&to=${toHeight}`;
  const bytes = await ask(
    client.transport,
    {
      method: 'GET',
      path: `${chainPath(client.chain, 'audit-bundle')}${query}`,
      accept: CBOR_TYPE,
      bytesMax: AUDIT_BUNDLE_BYTES_MAX,
    },
    'range of blocks',
  );
  const { verifySignature } = client;
  const verified = verifyAuditBundleFile(bytes, { expectedChain: client.chain, verifySignature });
  if (!verified.ok) throw new ProofMismatchError(verified.error.code, verified.error.message);
  const { report } = verified.value;
  if (report.fromHeight !== fromHeight || (toHeight !== undefined && report.toHeight !== toHeight)) {
    throw new ProofMismatchError('range', 'other heights were asked for');
  }
  return { bytes, report };
}
