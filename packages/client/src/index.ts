// What a caller needs to name keys, ids and hashes, and the verifier that gives the same answer as every node's.
export {
  fromHex,
  fromUtf8,
  signerFromSeed,
  toHex,
  utf8,
  type VerifySignature,
  verifySignature,
} from '@careledger/primitives';
export { type BundleRange, type ExportedBundle, exportAuditBundle } from './actions/export-audit-bundle.ts';
export { type BlockQuery, findBlocks } from './actions/find-blocks.ts';
export { findTransactions, type TransactionQuery } from './actions/find-transactions.ts';
export { getBlock, type VerifiedBlock } from './actions/get-block.ts';
export { getConsent } from './actions/get-consent.ts';
export { type Consistency, getConsistency } from './actions/get-consistency.ts';
export { type DisputeWithEvidence, getDispute } from './actions/get-dispute.ts';
export { getHead } from './actions/get-head.ts';
export { getHistory, type StateChange } from './actions/get-history.ts';
export { getOrganization } from './actions/get-organization.ts';
export { getState } from './actions/get-state.ts';
export { getTransaction, type TransactionWithEvidence } from './actions/get-transaction.ts';
export {
  exportRecordProof,
  RECORD_PROOF_KIND,
  type RecordProofFile,
  type VerifiedRecordProof,
  verifyRecordProofFile,
} from './actions/record-proof.ts';
export {
  exportStateProof,
  STATE_PROOF_KIND,
  type StateProofFile,
  verifyStateProofFile,
} from './actions/state-proof.ts';
export { type SubmitTransaction, sendTransaction, submitTransaction } from './actions/submit-transaction.ts';
export {
  type AuditBundleFile,
  type DisclosureReportFile,
  FILE_BYTES_MAX,
  type FileFault,
  type OfflineTrust,
  type ReceiptFile,
  type VerifiedFile,
  type VerifiedStateProof,
  verifyAuditBundleFile,
  verifyDisclosureReportFile,
  verifyFile,
  verifyReceiptFile,
} from './actions/verify-file.ts';
export { type WatchOptions, watchBlocks } from './actions/watch-blocks.ts';
export {
  ClientError,
  NodeRefusedError,
  NotShownError,
  ProofMismatchError,
  StaleAnswerError,
  TransactionRefusedError,
  TransportError,
} from './errors.ts';
export type { FetchBody, NodeStream } from './event-stream.ts';
export {
  type Fetch,
  type FetchAnswer,
  type FetchOptions,
  fetchStream,
  fetchTransport,
} from './fetch-transport.ts';
export {
  createLedgerClient,
  type KnownHead,
  type LedgerClient,
  type LedgerClientOptions,
} from './ledger-client.ts';
export {
  CBOR_TYPE,
  chainPath,
  type NodeAnswer,
  type NodeRequest,
  type NodeTransport,
} from './transport.ts';
