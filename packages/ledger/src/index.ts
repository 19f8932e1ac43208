export {
  ACCESS_DOMAIN,
  ACCESS_TOKEN_MS_MAX,
  type AccessClaim,
  type AccessFault,
  signAccessToken,
  verifyAccessToken,
} from './access-token.ts';
export {
  AUDIT_BUNDLE_BYTES_MAX,
  AUDIT_BUNDLE_KIND,
  AUDIT_ENTRIES_MAX,
  type AuditBundle,
  type AuditEntry,
  type AuditFault,
  type AuditFaultCode,
  type AuditReport,
  auditBundleCodec,
  type BlockBody,
  decodeAuditBundle,
  encodeAuditBundle,
  verifyAuditBundle,
} from './audit-bundle.ts';
export type {
  Block,
  BlockHeader,
  CertifiedHeader,
  CommitSignature,
  EngineIdentity,
  FinalityCertificate,
  LedgerEvent,
  TransactionResult,
  Validator,
} from './block.ts';
export {
  BLOCK_BYTES_MAX,
  BLOCK_TRANSACTIONS_MAX,
  type BlockFault,
  blockCodec,
  certificateCodec,
  certifiedHeaderCodec,
  decodeBlock,
  encodeBlock,
  encodeHeader,
  engineIdentityCodec,
  HEADER_BYTES_MAX,
  headerCodec,
  headerHash,
  ledgerEventCodec,
  resultsRoot,
  SEAL_BYTES_MAX,
  sortValidators,
  transactionResultCodec,
  transactionsRoot,
  VALIDATOR_POWER_MAX,
  VALIDATORS_MAX,
  validatorCodec,
  validatorSetCodec,
  validatorsHash,
} from './block-codecs.ts';
export {
  type ChainTip,
  type LinkFault,
  type LinkFaultCode,
  nextTip,
  verifyBlockBody,
  verifyBlockFinality,
  verifyBlockLink,
  verifyHeaderLink,
} from './block-link.ts';
export {
  COMMIT_DOMAIN,
  commitBytes,
  type FinalityFault,
  isQuorum,
  totalPowerOf,
  verifyFinality,
} from './certificate.ts';
export {
  DISPUTE_BYTES_MAX,
  DISPUTE_DOMAIN,
  DISPUTE_KIND,
  type Dispute,
  type DisputeAnswer,
  type DisputeFault,
  type DisputeFaultCode,
  type DisputeSignature,
  disputeAnswerCodec,
  disputeBytes,
  disputeCodec,
  type VerifiedDispute,
  verifyDispute,
} from './dispute.ts';
export {
  type EvidenceFault,
  type EvidenceFaultCode,
  type ProvenTransaction,
  proveTransaction,
  STATE_KEY_BYTES_MAX,
  STATE_VALUE_BYTES_MAX,
  type StateEvidence,
  stateEvidenceCodec,
  type TransactionEvidence,
  type TransactionInBlock,
  transactionEvidenceCodec,
  transactionInBlockCodec,
  type VerifiedState,
  type VerifiedTransaction,
  verifyStateEvidence,
  verifyTransactionEvidence,
  verifyTransactionInBlock,
} from './evidence.ts';
export type { FinalHead, FinalTransaction } from './final.ts';
export {
  type ChainParameters,
  chainIdOf,
  decodeGenesis,
  GENESIS_BYTES_MAX,
  GENESIS_VERSION,
  type Genesis,
  genesisCodec,
  genesisHeader,
  HEADER_VERSION,
} from './genesis.ts';
export { MerkleAccumulator, merkleAccumulatorCodec } from './merkle/accumulator.ts';
export {
  type ConsistencyClaim,
  type ConsistencyFault,
  consistencyProof,
  verifyConsistency,
} from './merkle/consistency.ts';
export { EMPTY_MERKLE_ROOT, merkleLeafHash, merkleNodeHash } from './merkle/hash.ts';
export {
  type InclusionFault,
  inclusionProof,
  inclusionProofOf,
  verifyInclusion,
} from './merkle/inclusion.ts';
export { merkleRoot, type SubtreeHash, subtreesOf, subtreesOfLeaves } from './merkle/subtrees.ts';
export {
  type InclusionProof,
  inclusionProofCodec,
  type StateLeaf,
  type StateProof,
  stateProofCodec,
} from './proofs.ts';
export {
  ANCHOR_TYPE,
  decodeReceipt,
  encodeReceipt,
  type Opening,
  RECEIPT_BYTES_MAX,
  RECEIPT_KIND,
  type Receipt,
  type ReceiptFault,
  type ReceiptFaultCode,
  receiptCodec,
  type VerifiedReceipt,
  verifyReceipt,
} from './receipt.ts';
export {
  commitmentOf,
  leafBytes,
  PADDING_LEAF_BYTES,
  paddingCountOf,
  RECORD_BATCH_MAX,
  RETIRE_SECRET_BYTES,
  type RecordBatch,
  type RecordLeaf,
  recordBatchOf,
  recordLeafCodec,
  recordLeafHash,
  retireKeyOf,
  SALT_BYTES,
} from './record-leaf.ts';
export { EMPTY_STATE_ROOT, type ReadStateNode, type StateNode } from './state-tree/nodes.ts';
export { proveState, type StateProofFault, verifyStateProof } from './state-tree/proof.ts';
export { staleNodes } from './state-tree/stale.ts';
export { type StateChange, updateStateTree } from './state-tree/update.ts';
export {
  decodeTransaction,
  encodeTransaction,
  isSameTransaction,
  signTransaction,
  TRANSACTION_BYTES_CEILING,
  TRANSACTION_BYTES_MAX,
  TRANSACTION_NONCE_BYTES,
  TRANSACTION_TYPE_BYTES_MAX,
  type Transaction,
  type TransactionFault,
  type TransactionPayload,
  transactionId,
  transactionPayloadCodec,
  transactionSignedBytes,
  verifyTransactionSignature,
} from './transaction.ts';
export {
  TrustedChain,
  type TrustFault,
  type TrustPath,
  trustPathCodec,
  VALIDATOR_CHANGES_MAX,
} from './trust.ts';
export { VOTE_KINDS, type Vote, type VoteKind, voteBytes } from './vote.ts';
