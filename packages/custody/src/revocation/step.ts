import { type ConsentId, invariant, toHex } from '@careledger/primitives';

/**
 * Revoking at the custodian, under the same lock as every release. The mark is the custodian's own and durable: from
 * then on nothing leaves, whatever the ledger does. The ledger entry follows; the patient's answer reads `pending`
 * until both are done.
 */
export interface RevocationState {
  readonly phase: 'new' | 'locking' | 'marking' | 'submitting' | 'acknowledged' | 'failed';
  readonly consentId: ConsentId;
  readonly revokedAt: number;
}

export type RevocationInput =
  | { readonly type: 'start' }
  | { readonly type: 'locked' }
  /** The mark is synced. */
  | { readonly type: 'marked' }
  /** The revocation is final on the ledger; or it was there already. */
  | { readonly type: 'final' }
  | { readonly type: 'failed' };

export type RevocationEffect =
  | { readonly type: 'lock'; readonly keys: readonly string[] }
  /** Make durable, where every release reads it under the lock: this consent permits nothing any more. */
  | { readonly type: 'mark'; readonly consentId: ConsentId; readonly revokedAt: number }
  | { readonly type: 'unlock' }
  /** Submit `consent/revoke` until it is final; tell the patient `pending` meanwhile. */
  | { readonly type: 'submit'; readonly consentId: ConsentId }
  | { readonly type: 'acknowledge' }
  | { readonly type: 'fail' };

export interface RevocationStep {
  readonly next: RevocationState;
  readonly effects: readonly RevocationEffect[];
}

/** The lock that releases and revocations of one consent share. */
export function consentLockKey(consentId: ConsentId): string {
  return `consent/${toHex(consentId)}`;
}

export function newRevocation(consentId: ConsentId, now: number): RevocationState {
  return { phase: 'new', consentId, revokedAt: now };
}

/** @throws InvariantError for an input that the phase does not wait for. */
export function stepRevocation(state: RevocationState, input: RevocationInput): RevocationStep {
  switch (input.type) {
    case 'start':
      invariant(state.phase === 'new', 'a revocation starts once');
      return go(state, 'locking', { type: 'lock', keys: [consentLockKey(state.consentId)] });
    case 'locked':
      invariant(state.phase === 'locking', 'locks are granted to who asked');
      return go(state, 'marking', { type: 'mark', consentId: state.consentId, revokedAt: state.revokedAt });
    case 'marked':
      invariant(state.phase === 'marking', 'a mark is written under the lock');
      return go(state, 'submitting', { type: 'unlock' }, { type: 'submit', consentId: state.consentId });
    case 'final':
      invariant(state.phase === 'submitting', 'what is final was submitted');
      return go(state, 'acknowledged', { type: 'acknowledge' });
    case 'failed':
      // A failed mark leaves the lock; a failed submission was unlocked before and is retried by the driver's outbox.
      return state.phase === 'marking' || state.phase === 'locking'
        ? go(state, 'failed', { type: 'unlock' }, { type: 'fail' })
        : go(state, 'failed', { type: 'fail' });
  }
}

function go(
  state: RevocationState,
  phase: RevocationState['phase'],
  ...effects: readonly RevocationEffect[]
): RevocationStep {
  return { next: { ...state, phase }, effects };
}
