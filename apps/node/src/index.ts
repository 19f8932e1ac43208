export { OPERATOR_TOKEN_FILE } from './api/access.ts';
export { type ApiLimits, DEFAULT_API_LIMITS } from './api/limits.ts';
export {
  createConsortiumCa,
  fingerprintOf,
  type IssuedCertificate,
  issueCertificate,
  type KeyAndCertificate,
} from './certificates.ts';
export { verifyBlockFiles } from './chain/verify-files.ts';
export { createNode } from './create-node.ts';
export { NodeError } from './errors.ts';
export { createSigningKey, readSigningKey, signerOfSeed } from './keys.ts';
export type {
  FinalHead,
  FinalTransaction,
  LedgerNode,
  NodeStatus,
  PruneReport,
  StoreVerdict,
} from './ledger-node.ts';
export type {
  Batching,
  EngineTimings,
  LogLevel,
  NodeAddresses,
  NodeOptions,
  PeerAddress,
  TlsIdentity,
} from './options.ts';
export { pruneNodeFolder } from './prune-node-folder.ts';
