import {
  bytes,
  type ChainId,
  type Codec,
  equalBytes,
  err,
  type HeaderHash,
  list,
  ok,
  oneOf,
  type Result,
  struct,
  type VerifySignature,
} from '@careledger/primitives';
import type { BlockHeader, CertifiedHeader, TransactionResult } from './block.ts';
import {
  certifiedHeaderCodec,
  decodeWith,
  headerCodec,
  headerHash,
  transactionResultCodec,
} from './block-codecs.ts';
import {
  type ChainTip,
  type LinkFaultCode,
  nextTip,
  verifyBlockBody,
  verifyBlockFinality,
  verifyHeaderLink,
} from './block-link.ts';
import { type TransactionInBlock, transactionInBlockCodec, verifyTransactionInBlock } from './evidence.ts';
import { genesisHeader } from './genesis.ts';
import { type MerkleAccumulator, merkleAccumulatorCodec } from './merkle/accumulator.ts';
import { orNull } from './proofs.ts';
import { TRANSACTION_BYTES_CEILING } from './transaction.ts';
import { TrustedChain, type TrustPath, trustPathCodec } from './trust.ts';

export const AUDIT_BUNDLE_KIND = 'careledger/audit-bundle/1';
export const AUDIT_BUNDLE_BYTES_MAX = 256 * 1024 * 1024;
export const AUDIT_ENTRIES_MAX = 1_000_000;
const TRANSACTIONS_MAX = 65_536;

export interface BlockBody {
  readonly transactions: readonly Uint8Array[];
  readonly results: readonly TransactionResult[];
}

/** One block of a bundle: with its whole body, or with the transactions that matter and their paths. */
export interface AuditEntry {
  readonly certified: CertifiedHeader;
  readonly body: BlockBody | undefined;
  readonly selected: readonly TransactionInBlock[];
}

/** Consecutive blocks that can be checked offline from the genesis hash alone. */
export interface AuditBundle {
  readonly kind: typeof AUDIT_BUNDLE_KIND;
  /** Changes of the validator set below the first entry, and every set that a header here names. */
  readonly trust: TrustPath;
  /** The header below the first entry; for height 1 the genesis header. */
  readonly previous: BlockHeader;
  /** History over the headers below the first entry, `previous` included. */
  readonly history: MerkleAccumulator;
  readonly entries: readonly AuditEntry[];
}

const bodyCodec: Codec<BlockBody> = struct({
  transactions: list(bytes({ bytesMax: TRANSACTION_BYTES_CEILING }), { countMax: TRANSACTIONS_MAX }),
  results: list(transactionResultCodec, { countMax: TRANSACTIONS_MAX }),
});

export const auditBundleCodec: Codec<AuditBundle> = struct({
  kind: oneOf([AUDIT_BUNDLE_KIND]),
  trust: trustPathCodec,
  previous: headerCodec,
  history: merkleAccumulatorCodec,
  entries: list(
    struct({
      certified: certifiedHeaderCodec,
      body: orNull(bodyCodec),
      selected: list(transactionInBlockCodec, { countMax: TRANSACTIONS_MAX }),
    }),
    { countMax: AUDIT_ENTRIES_MAX },
  ),
});

export type AuditFaultCode =
  | LinkFaultCode
  | 'bundle/malformed'
  | 'bundle/genesis'
  | 'bundle/trust'
  | 'bundle/empty'
  | 'bundle/start'
  | 'bundle/transaction';

/** The first thing in a bundle that does not hold. */
export interface AuditFault {
  readonly code: AuditFaultCode;
  /** `undefined` where the fault belongs to no height. */
  readonly height: number | undefined;
  readonly detail: string;
}

/** What a bundle proves. */
export interface AuditReport {
  readonly chain: ChainId;
  readonly network: string;
  readonly fromHeight: number;
  readonly toHeight: number;
  readonly headerHash: HeaderHash;
  /** Block time of the last header, milliseconds. */
  readonly time: number;
  readonly transactionCount: number;
  /** Transactions among them whose result is a refusal. */
  readonly refusedCount: number;
}

export function encodeAuditBundle(bundle: AuditBundle): Uint8Array {
  return auditBundleCodec.encode(bundle);
}

/** Reads a bundle file. Believes nothing of it yet. */
export function decodeAuditBundle(encoded: Uint8Array): Result<AuditBundle, AuditFault> {
  const bundle = decodeWith(auditBundleCodec, encoded, AUDIT_BUNDLE_BYTES_MAX);
  return bundle.ok ? bundle : err({ code: 'bundle/malformed', height: undefined, detail: bundle.error });
}

function verifyStart(bundle: AuditBundle, trusted: TrustedChain): Result<ChainTip, AuditFault> {
  const { previous, history } = bundle;
  const fault = (detail: string) => err({ code: 'bundle/start' as const, height: previous.height, detail });
  if (history.size !== previous.height + 1) return fault('the history is not that of the header below');
  const { chain, genesis } = trusted;
  if (previous.height === 0) {
    const derived = genesisHeader({ genesis, chain, stateRoot: previous.stateRoot });
    if (!equalBytes(headerHash(derived), headerHash(previous)))
      return fault('not the header that the genesis document founds');
  }
  return ok({ header: previous, headerHash: headerHash(previous), history });
}

interface EntryCount {
  readonly transactions: number;
  readonly refused: number;
}

function verifyContent(entry: AuditEntry, verifySignature: VerifySignature): Result<EntryCount, AuditFault> {
  const { header } = entry.certified;
  if (entry.body) {
    const body = verifyBlockBody(header, entry.body);
    if (!body.ok) return body;
  }
  for (const proven of entry.selected) {
    const verified = verifyTransactionInBlock({ header, proven, verifySignature });
    if (verified.ok) continue;
    const detail = `${verified.error.code}: ${verified.error.detail}`;
    return err({ code: 'bundle/transaction', height: header.height, detail });
  }
  const results = entry.body?.results ?? entry.selected.map((proven) => proven.result);
  return ok({
    transactions: results.length,
    refused: results.filter((result) => result.code !== 0).length,
  });
}

function verifyEntry(
  tip: ChainTip,
  entry: AuditEntry,
  context: { readonly trusted: TrustedChain; readonly verifySignature: VerifySignature },
): Result<{ readonly tip: ChainTip; readonly count: EntryCount }, AuditFault> {
  const { certified } = entry;
  const link = verifyHeaderLink(tip, certified.header);
  if (!link.ok) return link;
  const count = verifyContent(entry, context.verifySignature);
  if (!count.ok) return count;
  const final = verifyBlockFinality(certified, context.trusted, context.verifySignature);
  if (!final.ok) return final;
  return ok({ tip: nextTip(tip.history, certified.header), count: count.value });
}

/** A height that is missing here and stands elsewhere was moved, not deleted. */
function explainGap(fault: AuditFault, entries: readonly AuditEntry[]): AuditFault {
  const isMoved = entries.some((entry) => entry.certified.header.height === fault.height);
  if (fault.code !== 'block/gap' || !isMoved) return fault;
  return { ...fault, code: 'block/order', detail: 'the block stands elsewhere in the bundle' };
}

/**
 * Checks a bundle link by link with nothing but the trusted chain id, and names the first height and rule that does not
 * hold: a deleted, swapped, dropped or altered part each has a code of its own.
 */
export function verifyAuditBundle(options: {
  readonly bundle: AuditBundle;
  readonly expectedChain: Uint8Array;
  readonly verifySignature: VerifySignature;
}): Result<AuditReport, AuditFault> {
  const { bundle, expectedChain, verifySignature } = options;
  const path = TrustedChain.fromPath({ path: bundle.trust, expectedChain, verifySignature });
  if (!path.ok) {
    const code = path.error.code === 'genesis' ? 'bundle/genesis' : 'bundle/trust';
    return err({ code, height: undefined, detail: `${path.error.code}: ${path.error.detail}` });
  }
  const trusted = path.value;
  const start = verifyStart(bundle, trusted);
  if (!start.ok) return start;
  if (bundle.entries.length === 0)
    return err({ code: 'bundle/empty', height: undefined, detail: 'the bundle holds no block' });
  let tip = start.value;
  let transactionCount = 0;
  let refusedCount = 0;
  for (const entry of bundle.entries) {
    const verified = verifyEntry(tip, entry, { trusted, verifySignature });
    if (!verified.ok) return err(explainGap(verified.error, bundle.entries));
    tip = verified.value.tip;
    transactionCount += verified.value.count.transactions;
    refusedCount += verified.value.count.refused;
  }
  if (trusted.hasUnnamedValidators())
    return err({
      code: 'bundle/trust',
      height: undefined,
      detail: 'no verified header names a validator set',
    });
  return ok({
    chain: trusted.chain,
    network: trusted.genesis.network,
    fromHeight: bundle.previous.height + 1,
    toHeight: tip.header.height,
    headerHash: tip.headerHash,
    time: tip.header.time,
    transactionCount,
    refusedCount,
  });
}
