import type { Validator } from '@careledger/ledger';
import type { OrganizationId } from '@careledger/primitives';
import type { Capability, MessageType, StateReader, Write } from './capability.ts';

/** For whom a key speaks now, and what it may do. */
export interface KeyInForce {
  readonly organization: OrganizationId;
  readonly roles: readonly string[];
}

/**
 * Everything that a chain can do. The state machine knows no capability by name: who may sign and who validates are
 * functions of state that the catalog brings along.
 */
export interface Catalog {
  readonly capabilities: readonly Capability[];
  readonly keyInForce: (state: StateReader, publicKey: Uint8Array) => KeyInForce | undefined;
  /** Has the consortium put this type, of this version, in force? What no capability can read never is. */
  readonly isTypeInForce: (state: StateReader, type: string) => boolean;
  /** The validator set that the state names, in a fixed order. */
  readonly validators: (state: StateReader) => readonly Validator[];
  /** Only keys under this prefix decide the set. A block that writes none of them leaves it as it is, unread. */
  readonly validatorsUnder?: Uint8Array;
  /** State at height 0 from the genesis document's `applicationState`. @throws when it is not a consortium. */
  readonly initialWrites: (applicationState: Uint8Array) => readonly Write[];
}

/** The capability and the message type behind `capability/message`. */
export interface Dispatch {
  readonly capability: Capability;
  // biome-ignore lint/suspicious/noExplicitAny: a catalog holds messages of every type.
  readonly message: MessageType<any, string>;
}

/** Finds the rule for a transaction type, or `undefined` when no capability speaks it. */
export function dispatchOf(catalog: Pick<Catalog, 'capabilities'>, type: string): Dispatch | undefined {
  for (const capability of catalog.capabilities) {
    if (!Object.hasOwn(capability.messages, type)) continue;
    const message = capability.messages[type];
    if (message) return { capability, message };
  }
  return undefined;
}
