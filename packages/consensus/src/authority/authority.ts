import { createVotingEngine, inTurn } from '../pbft/engine.ts';
import type { Schedule, VotingOptions } from '../pbft/options.ts';
import type { VotingState } from '../pbft/state.ts';
import type { EngineIdentity, Protocol } from '../protocol.ts';

export const AUTHORITY: EngineIdentity = { id: 'authority', version: 1 };

/** The signers take turns by engine height; a view is a missed turn, which passes to the next signer. */
const signerInTurn: Schedule = {
  leader: (validators, engineHeight, view) => inTurn(validators, engineHeight + view),
  startView: () => 0,
};

/**
 * Proof of authority: a fixed list of signers proposes in turn. A proposal out of turn, or by a key that is not on the
 * list, is passed over. The certificate is still a quorum of more than 2/3, by the voting core that `pbft` has; one
 * signer is the smallest network.
 */
export function createAuthority(options: VotingOptions): Protocol<VotingState> {
  return createVotingEngine(AUTHORITY, signerInTurn, options);
}
