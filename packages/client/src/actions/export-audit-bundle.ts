import { AUDIT_BUNDLE_BYTES_MAX, type AuditReport, decodeAuditBundle } from '@careledger/ledger';
import { invariant } from '@careledger/primitives';
import { ProofMismatchError } from '../errors.ts';
import type { LedgerClient } from '../ledger-client.ts';
import { queryText } from '../read-json.ts';
import { ask, CBOR_TYPE, chainPath } from '../transport.ts';
import { getBlock } from './get-block.ts';
import { getHead } from './get-head.ts';
import { verifyAuditBundleFile } from './verify-file.ts';

/** A bundle that was checked, as bytes to keep. */
export interface ExportedBundle {
  readonly bytes: Uint8Array;
  readonly report: AuditReport;
}

/** Which blocks: by heights, or by a span of block time. */
export type BundleRange =
  | { readonly fromHeight: number /** The newest height by default. */; readonly toHeight?: number }
  | { /** Block time in milliseconds, inclusive. */ readonly since: number; readonly until: number };

/**
 * Fetches consecutive blocks with everything that proves them, and checks them before handing them over. A span of time is
 * checked at both its ends: no block of it is left out.
 *
 * @throws ProofMismatchError naming the first block that does not hold, or `range`.
 *
 * @example
 * const { bytes } = await exportAuditBundle(client, { since: Date.parse('2026-01-01'), until: Date.parse('2026-02-01') });
 */
export async function exportAuditBundle(client: LedgerClient, range: BundleRange): Promise<ExportedBundle> {
  const query =
    'since' in range
      ? { since: range.since, until: range.until }
      : { from: range.fromHeight, to: range.toHeight };
  const bytes = await ask(
    client.transport,
    {
      method: 'GET',
      path: `${chainPath(client.chain, 'audit-bundle')}${queryText(query)}`,
      accept: CBOR_TYPE,
      bytesMax: AUDIT_BUNDLE_BYTES_MAX,
    },
    'range of blocks',
  );
  const { verifySignature } = client;
  const verified = verifyAuditBundleFile(bytes, { expectedChain: client.chain, verifySignature });
  if (!verified.ok) throw new ProofMismatchError(verified.error.code, verified.error.message);
  const { report } = verified.value;
  if ('since' in range) await checkSpan(client, bytes, range);
  else if (
    report.fromHeight !== range.fromHeight ||
    (range.toHeight !== undefined && report.toHeight !== range.toHeight)
  ) {
    throw new ProofMismatchError('range', 'other heights were asked for');
  }
  return { bytes, report };
}

/** Do the blocks lie within the span, and do the blocks before and behind them lie outside? */
async function checkSpan(
  client: LedgerClient,
  bytes: Uint8Array,
  { since, until }: { readonly since: number; readonly until: number },
): Promise<void> {
  const decoded = decodeAuditBundle(bytes);
  invariant(decoded.ok, 'a bundle that was verified can be read');
  const { previous, entries } = decoded.value;
  const first = entries[0]?.certified.header;
  const last = entries.at(-1)?.certified.header;
  invariant(first && last, 'a bundle that was verified holds a block');
  if (first.time < since || last.time > until)
    throw new ProofMismatchError('range', 'another span was asked for');
  if (previous.height > 0 && previous.time >= since)
    throw new ProofMismatchError('range', 'it begins too late');
  const { header: head } = await getHead(client);
  if (head.height <= last.height) return;
  const { header: next } = await getBlock(client, { height: last.height + 1 });
  if (next.time <= until) {
    throw new ProofMismatchError(
      'range',
      'it ends too early; one bundle holds so much: ask for a shorter span',
    );
  }
}
