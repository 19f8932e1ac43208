import {
  chainIdOf,
  EMPTY_STATE_ROOT,
  type Genesis,
  genesisCodec,
  genesisHeader,
  headerHash,
  updateStateTree,
  validatorsHash,
} from '@careledger/ledger';
import { compareBytes, equalBytes } from '@careledger/primitives';
import type { CommitBatch } from './application.ts';
import { Branch } from './branch.ts';
import type { Catalog } from './catalog.ts';
import { emptyStore } from './empty-store.ts';

/** A genesis document that contradicts itself. */
export class GenesisError extends Error {
  override readonly name = 'GenesisError';
  readonly code = 'genesis/validators';
  readonly help =
    'List as validators exactly the nodes with voting power, and make the genesis document anew.';
}

/**
 * What every node derives from the genesis document: the header of height 0 and the first state. To be made durable
 * before the application is created over it.
 *
 * @throws {@link GenesisError} when the document's validators are not those of its application state.
 */
export function initChain(options: {
  readonly genesis: Genesis;
  readonly catalog: Pick<Catalog, 'initialWrites' | 'validators'>;
}): CommitBatch {
  const { genesis, catalog } = options;
  const writes = [...catalog.initialWrites(genesis.applicationState)].sort((left, right) =>
    compareBytes(left.key, right.key),
  );
  const tree = updateStateTree({ root: EMPTY_STATE_ROOT, node: () => undefined, changes: writes });
  const state = new Branch(emptyStore);
  state.write(writes);
  const validators = catalog.validators(state);
  const agree =
    validators.length > 0 && equalBytes(validatorsHash(validators), validatorsHash(genesis.validators));
  if (!agree)
    throw new GenesisError('The genesis document and its application state name different validators.');

  const chain = chainIdOf(genesisCodec.encode(genesis));
  const header = genesisHeader({ genesis, chain, stateRoot: tree.root });
  return {
    header,
    headerHash: headerHash(header),
    transactions: [],
    results: [],
    writes,
    changes: [],
    nodes: tree.nodes,
  };
}
