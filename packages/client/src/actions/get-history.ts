import { equalBytes, toHex } from '@careledger/primitives';
import { ProofMismatchError } from '../errors.ts';
import type { LedgerClient } from '../ledger-client.ts';
import { askPages, bytesOf, heightOf } from '../read-json.ts';
import { getState } from './get-state.ts';

/** What a key held from a block on. */
export interface StateChange {
  readonly height: number;
  /** Block time in milliseconds. */
  readonly time: number;
  /** `undefined`: the key was removed. */
  readonly value: Uint8Array | undefined;
}

/**
 * The history of a state key in block order: what it held after each block that changed it, each proven by the state of that
 * height. That no change is left out is the node's word; `getDispute` proves what held at any instant.
 *
 * @throws NodeRefusedError `ledger/pruned` where the node keeps the state of a height no more; ProofMismatchError.
 *
 * @example
 * for await (const { height, value } of getHistory(client, { key })) console.log(height, value);
 */
export async function* getHistory(
  client: LedgerClient,
  options: { readonly key: Uint8Array },
): AsyncGenerator<StateChange> {
  const { key } = options;
  const asked = { query: {}, subject: 'state key', list: 'changes' };
  // A block may change a key more than once: what it left behind is what its state proves.
  let pending: { readonly height: number; readonly value: Uint8Array | undefined } | undefined;
  const prove = async ({ height, value }: NonNullable<typeof pending>): Promise<StateChange> => {
    const proven = await getState(client, { key, height });
    const isSame =
      value === undefined
        ? proven.value === undefined
        : proven.value !== undefined && equalBytes(proven.value, value);
    if (!isSame) throw new ProofMismatchError('history', 'a change is not what the state of its height says');
    return { height, time: proven.header.time, value };
  };
  for await (const change of askPages(client, ['state', toHex(key), 'history'], asked)) {
    const height = heightOf(change.height);
    if (pending && height < pending.height) throw new ProofMismatchError('history', 'it is out of order');
    // Height 0 is the founding state: no quorum signed it, and the chain id stands for it.
    if (pending && pending.height !== height && pending.height > 0) yield await prove(pending);
    pending = { height, value: change.isRemoved === true ? undefined : bytesOf(change.value) };
  }
  if (pending && pending.height > 0) yield await prove(pending);
}
