import {
  type ChainTip,
  type LinkFault,
  nextTip,
  type TrustedChain,
  verifyBlockFinality,
  verifyBlockLink,
  verifyHeaderLink,
} from '@careledger/ledger';
import { ok, type Result } from '@careledger/primitives';
import { verifyWithSodium } from '../signatures/verify-batch.ts';
import { isWhole, type StoredBlock } from '../store/stored-block.ts';

/** Checks a stored record against the tip before it: link and certificate, and the body where there still is one. */
export function verifyStoredLink(
  tip: ChainTip,
  stored: StoredBlock,
  trusted: TrustedChain,
): Result<ChainTip, LinkFault> {
  const verifySignature = verifyWithSodium;
  if (isWhole(stored)) return verifyBlockLink({ tip, block: stored, trusted, verifySignature });
  const { header } = stored;
  const link = verifyHeaderLink(tip, header);
  if (!link.ok) return link;
  const final = verifyBlockFinality(stored, trusted, verifySignature);
  if (!final.ok) return final;
  return ok(nextTip(tip.history, header));
}
