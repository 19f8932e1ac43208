import type { LedgerEvent } from '@careledger/ledger';
import type { ChainId, Codec, OrganizationId, PublicKey, SignatureClaim } from '@careledger/primitives';

export interface StateReader {
  readonly get: (key: Uint8Array) => Uint8Array | undefined;
  /** Entries with this prefix in key order, at most `countMax`. */
  readonly scan: (prefix: Uint8Array, countMax: number) => Iterable<readonly [Uint8Array, Uint8Array]>;
}

/** One change of state; an absent value removes the key. */
export interface Write {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

export interface TransitionContext {
  readonly chain: ChainId;
  readonly height: number;
  /** Block time in milliseconds. */
  readonly blockTime: number;
  readonly transactionId: Uint8Array;
  /** The key that signed the envelope, the organization it is in force for, and its roles. */
  readonly signerKey: PublicKey;
  readonly signer: OrganizationId;
  readonly roles: readonly string[];
}

export type Outcome<Rejection extends string> =
  | {
      readonly status: 'accepted';
      readonly writes: readonly Write[];
      readonly events: readonly LedgerEvent[];
    }
  | { readonly status: 'rejected'; readonly rejection: Rejection };

export function accepted(writes: readonly Write[], events: readonly LedgerEvent[]): Outcome<never> {
  return { status: 'accepted', writes, events };
}

export function rejected<Rejection extends string>(rejection: Rejection): Outcome<Rejection> {
  return { status: 'rejected', rejection };
}

/** One kind of message: its codec, its rule, and the inner signatures that are checked before the rule runs. */
export interface MessageType<Message, Rejection extends string> {
  readonly codec: Codec<Message>;
  readonly transition: (
    state: StateReader,
    message: Message,
    context: TransitionContext,
  ) => Outcome<Rejection>;
  /** Needs no state: the pre-verifier checks these with the envelope. `chain` is in every signed text. */
  readonly signaturesOf: (message: Message, chain: ChainId) => readonly SignatureClaim[];
}

export interface Invariant {
  readonly name: string;
  /** What is wrong, or `undefined`. Checked after every block in the simulator. */
  readonly check: (state: StateReader) => string | undefined;
}

/** Describes one kind of message; most carry no inner signatures. */
export function messageType<Message, Rejection extends string>(options: {
  codec: Codec<Message>;
  transition: MessageType<Message, Rejection>['transition'];
  signaturesOf?: MessageType<Message, Rejection>['signaturesOf'];
}): MessageType<Message, Rejection> {
  return { signaturesOf: () => [], ...options };
}

export interface Capability {
  readonly name: string;
  /** Result codes of this capability are `codeBase + number`, forever. */
  readonly codeBase: number;
  readonly rejections: Readonly<Record<string, number>>;
  /** By full type: `consent/grant`. */
  // biome-ignore lint/suspicious/noExplicitAny: a catalog holds messages of every type.
  readonly messages: Readonly<Record<string, MessageType<any, string>>>;
  readonly invariants: readonly Invariant[];
}
