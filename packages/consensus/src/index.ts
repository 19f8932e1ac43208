export { AUTHORITY, createAuthority } from './authority/authority.ts';
export {
  type HandshakeRefusal,
  type HandshakeRefusalCode,
  type Hello,
  judgeHello,
} from './handshake.ts';
export {
  DEFAULT_MEMPOOL_LIMITS,
  Mempool,
  type MempoolLimits,
  type MempoolRefusal,
  type PendingTransaction,
} from './mempool/mempool.ts';
export { digestOf } from './pbft/candidate.ts';
export {
  type CertificateContext,
  type CommitContent,
  certifySame,
  commitBytes,
  verifyCertificate,
} from './pbft/certificate.ts';
export { type EvidenceEffect, findDoubleSigners } from './pbft/evidence.ts';
export {
  decodeMessage,
  ENVELOPE_BYTES_MAX,
  type Envelope,
  encodeMessage,
  type Message,
  prePrepareBytes,
  prepareBytes,
  viewChangeBytes,
} from './pbft/messages.ts';
export {
  DEFAULT_LIMITS,
  DEFAULT_TIMING,
  type Schedule,
  type VotingLimits,
  type VotingOptions,
  type VotingTiming,
} from './pbft/options.ts';
export { createPbft, PBFT } from './pbft/pbft.ts';
export type { VotingState } from './pbft/state.ts';
export { proposalCodec } from './pbft/wire.ts';
export type {
  Certificate,
  ConsensusValidator,
  Effect,
  EngineIdentity,
  EngineProposal,
  Input,
  Protocol,
  Step,
  ValidatorKey,
} from './protocol.ts';
