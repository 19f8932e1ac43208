import type { EngineProposal } from '@careledger/consensus';
import { domainHash, encodeCbor, toHex, utf8 } from '@careledger/primitives';

/** Stands where the state machine stands in a node: a header is the hash of its block and of the header below. */
export function headerHashOf(
  proposal: Pick<EngineProposal, 'ledgerHeight' | 'parentHash' | 'time' | 'proposer' | 'transactions'>,
): string {
  const { ledgerHeight, parentHash, time, proposer, transactions } = proposal;
  return toHex(
    domainHash(
      'careledger/simulator/header/v1',
      encodeCbor([ledgerHeight, parentHash, time, proposer, [...transactions]]),
    ),
  );
}

export const CHAIN = domainHash('careledger/simulator/chain/v1', utf8('genesis'));
export const GENESIS_HASH = toHex(domainHash('careledger/simulator/genesis/v1', CHAIN));

export function transactionId(bytes: Uint8Array): string {
  return toHex(domainHash('careledger/simulator/transaction/v1', bytes));
}
