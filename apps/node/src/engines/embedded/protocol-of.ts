import {
  AUTHORITY,
  createAuthority,
  createPbft,
  type EngineIdentity,
  PBFT,
  type Protocol,
  type VotingOptions,
  type VotingState,
} from '@careledger/consensus';
import { NodeError } from '../../errors.ts';

const engines = [
  { identity: PBFT, create: createPbft },
  { identity: AUTHORITY, create: createAuthority },
] as const;

/**
 * The protocol that a genesis document asks for.
 * @throws NodeError `engine/unknown` for one that this release does not have, in that version.
 */
export function protocolOf(engine: EngineIdentity, options: VotingOptions): Protocol<VotingState> {
  const found = engines.find(
    ({ identity }) => identity.id === engine.id && identity.version === engine.version,
  );
  if (found) return found.create(options);
  const known = engines.map(({ identity }) => `${identity.id} ${identity.version}`).join(', ');
  throw new NodeError(
    'engine/unknown',
    `this chain runs the engine ${engine.id} ${engine.version}; this release has ${known}`,
    'Use the release of Careledger that the other members run.',
  );
}
