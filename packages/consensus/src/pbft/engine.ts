import { fromHex, invariant, PUBLIC_KEY_BYTES } from '@careledger/primitives';
import type { EngineIdentity, Protocol } from '../protocol.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMING, type Schedule, type VotingOptions } from './options.ts';
import { votingRecordCodec } from './record.ts';
import type { VotingState } from './state.ts';
import { stepVoting } from './step.ts';
import type { Settings } from './work.ts';

/**
 * A voting engine with the given order of leaders.
 * @throws CborError when `restored` is not what a `persist` effect held: the node must not vote then.
 */
export function createVotingEngine(
  engine: EngineIdentity,
  schedule: Schedule,
  options: VotingOptions,
): Protocol<VotingState> {
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  invariant(timing.viewTimeoutMs > timing.heartbeatMs, 'a view outlasts a heartbeat');
  invariant(fromHex(options.self)?.length === PUBLIC_KEY_BYTES, 'a validator key is 32 bytes in hexadecimal');
  const settings: Settings = { ...options, timing, limits, schedule };
  const initial: VotingState = {
    now: 0,
    elapsed: 0,
    halted: false,
    validators: [],
    head: undefined,
    round: undefined,
    pending: { count: 0, bytes: 0, since: 0 },
    starved: 0,
    early: new Map(),
    behindAt: undefined,
    record: options.restored && votingRecordCodec.decode(options.restored),
  };
  return { engine, initial, step: (state, input) => stepVoting(settings, state, input) };
}

/** The validator at this place of the list, counted around. */
export function inTurn(validators: Parameters<Schedule['leader']>[0], turn: number): string {
  const validator = validators[turn % validators.length];
  invariant(validator, 'a validator set is not empty');
  return validator.key;
}
