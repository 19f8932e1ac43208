import type { EngineIdentity, Protocol } from '../protocol.ts';
import { createVotingEngine, inTurn } from './engine.ts';
import type { Schedule, VotingOptions } from './options.ts';
import type { VotingState } from './state.ts';

export const PBFT: EngineIdentity = { id: 'pbft', version: 1 };

/** The primary of a view stays over the heights until a view change replaces it. */
const primaryOfView: Schedule = {
  leader: (validators, _engineHeight, view) => inTurn(validators, view),
  startView: (view) => view,
};

/**
 * Practical Byzantine fault tolerance (Castro and Liskov, OSDI 1999), executed before it votes: safe with fewer than
 * a third of the power Byzantine, live once messages arrive in time.
 *
 * @example
 * const protocol = createPbft({ chain, self, sign, verify, restored });
 * const { next, effects } = protocol.step(protocol.initial, { type: 'tick', now });
 */
export function createPbft(options: VotingOptions): Protocol<VotingState> {
  return createVotingEngine(PBFT, primaryOfView, options);
}
