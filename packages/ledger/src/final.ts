import type { HeaderHash, TransactionId } from '@careledger/primitives';
import type { BlockHeader, FinalityCertificate, TransactionResult } from './block.ts';

/** The newest final engine block, sealed or heartbeat: freshness is judged by its time, never by the header's. */
export interface FinalHead {
  readonly engineHeight: number;
  /** Engine block time in milliseconds. */
  readonly time: number;
  readonly header: BlockHeader;
  readonly headerHash: HeaderHash;
  readonly certificate: FinalityCertificate;
}

/** Where a transaction stands in the ledger, once its block is certified and durable on the answering node. */
export interface FinalTransaction {
  readonly id: TransactionId;
  readonly height: number;
  readonly index: number;
  /** Block time in milliseconds. */
  readonly time: number;
  readonly result: TransactionResult;
}
