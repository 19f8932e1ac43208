export { ANCHOR_MS_MAX, BATCH_LEAVES_MAX } from './anchor-batch.ts';
export {
  BATCH_WAIT_MS,
  CRITICAL_ANCHORED_WITHIN_MS,
  IN_FLIGHT_MAX,
  Outbox,
  type OutboxFailpoint,
  type OutboxMetrics,
  type OutboxOptions,
  type OutboxTrouble,
  type VersionKey,
} from './outbox.ts';
export { requireAnchorsKnown } from './vault-against-ledger.ts';
