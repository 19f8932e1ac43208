export type {
  Application,
  ApplicationInfo,
  Block,
  BlockProposal,
  CheckResult,
  CommitBatch,
  Draft,
  FinalityCertificate,
  KeyChange,
  StateStore,
  VerifiedTransaction,
  VerifyTransaction,
} from './application.ts';
export { Branch, byteName } from './branch.ts';
export {
  accepted,
  type Capability,
  type Invariant,
  type MessageType,
  messageType,
  type Outcome,
  rejected,
  type StateReader,
  type TransitionContext,
  type Write,
} from './capability.ts';
export { type Catalog, type Dispatch, dispatchOf, type KeyInForce } from './catalog.ts';
export { type ApplicationOptions, createApplication, type LedgerApplication } from './create-application.ts';
export {
  type Detect,
  detectorOf,
  findIdentifier,
  type IdentifierFinding,
  type IdentifierKind,
} from './detector/index.ts';
export { GenesisError, initChain } from './init-chain.ts';
export { MemoryStore } from './memory-store.ts';
export { type Refusal, refusals } from './refusals.ts';
export { DivergenceError, replayBlock } from './replay-block.ts';
export { EXPIRY_AHEAD_MAX, isInReplayWindow, type ReplayMinute } from './replay-window.ts';
export {
  exportSnapshot,
  type ImportedSnapshot,
  importSnapshot,
  SNAPSHOT_BYTES_MAX,
  type SnapshotFault,
} from './snapshot.ts';
export { verifyTransactionWith } from './verify-transaction.ts';
