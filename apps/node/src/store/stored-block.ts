import {
  BLOCK_BYTES_MAX,
  type Block,
  type CertifiedHeader,
  certifiedHeaderCodec,
  decodeBlock,
} from '@careledger/ledger';
import { CborError, err, ok, type Result } from '@careledger/primitives';

/** What a block record holds: a whole block, or what stays of one whose body was pruned. */
export type StoredBlock = Block | CertifiedHeader;

const LIMITS = { depthMax: 24, itemsMax: 10_000, bytesMax: BLOCK_BYTES_MAX };

export function isWhole(stored: StoredBlock): stored is Block {
  return 'transactions' in stored;
}

/** Header and certificate alone: enough for every proof but those of the block's own transactions. */
export function encodePruned({ header, certificate }: CertifiedHeader): Uint8Array {
  return certifiedHeaderCodec.encode({ header, certificate });
}

/** Reads a record of either kind. The problem in words, never its content. */
export function decodeStored(bytes: Uint8Array): Result<StoredBlock, string> {
  const block = decodeBlock(bytes);
  if (block.ok) return block;
  try {
    return ok(certifiedHeaderCodec.decode(bytes, LIMITS));
  } catch (error) {
    if (error instanceof CborError) return err(block.error.detail);
    throw error;
  }
}
