import {
  type Codec,
  concat,
  hashCodec,
  type NodeId,
  nodeIdCodec,
  type OrganizationId,
  oneOf,
  optional,
  organizationIdCodec,
  struct,
  toHex,
  uint,
  utf8,
} from '@careledger/primitives';
import type { Invariant, StateReader, Write } from '@careledger/state-machine';
import { readKey } from './state.ts';

export const STATEMENT_KINDS = ['pre-prepare', 'prepare', 'commit'] as const;
/** What a validator signs at a height and view, once each. */
export type StatementKind = (typeof STATEMENT_KINDS)[number];

/** So many contradictions of one key are kept: one is proof enough, and the signer alone can make more. */
export const MISBEHAVIOURS_MAX = 16;
const ALL_MISBEHAVIOURS_MAX = 10_000;
const PUBLIC_KEY_BYTES = 32;

/** That a validator's key signed two different things where it may sign one. For good: it is proven. */
export interface Misbehaviour {
  readonly kind: StatementKind;
  readonly engineHeight: number;
  readonly view: number;
  /** Whose key it was when this was reported, and of which node. */
  readonly organization: OrganizationId;
  readonly node?: NodeId;
  readonly reportedBy: OrganizationId;
  /** The transaction that holds both signed statements. */
  readonly report: Uint8Array;
}

export const misbehaviourCodec: Codec<Misbehaviour> = struct({
  kind: oneOf(STATEMENT_KINDS),
  engineHeight: uint,
  view: uint,
  organization: organizationIdCodec,
  node: optional(nodeIdCodec),
  reportedBy: organizationIdCodec,
  report: hashCodec,
});

export const MISBEHAVIOUR_PREFIX: Uint8Array = utf8('membership/misbehaviour/');

function bigEndian(value: number): Uint8Array {
  const encoded = new Uint8Array(8);
  new DataView(encoded.buffer).setBigUint64(0, BigInt(value));
  return encoded;
}

/** `membership/misbehaviour/<public key><engine height, 8 bytes><view, 8 bytes><kind, 1 byte>` → Misbehaviour. */
export function misbehaviourKey(
  publicKey: Uint8Array,
  at: Pick<Misbehaviour, 'kind' | 'engineHeight' | 'view'>,
): Uint8Array {
  const place = [bigEndian(at.engineHeight), bigEndian(at.view)];
  return concat(MISBEHAVIOUR_PREFIX, publicKey, ...place, Uint8Array.of(STATEMENT_KINDS.indexOf(at.kind)));
}

export function writeMisbehaviour(publicKey: Uint8Array, record: Misbehaviour): Write {
  return { key: misbehaviourKey(publicKey, record), value: misbehaviourCodec.encode(record) };
}

/** How many contradictions of this key stand, up to {@link MISBEHAVIOURS_MAX}. */
export function countMisbehaviour(state: StateReader, publicKey: Uint8Array): number {
  return [...state.scan(concat(MISBEHAVIOUR_PREFIX, publicKey), MISBEHAVIOURS_MAX)].length;
}

/** Who is proven to have signed contradictions, by public key. */
export function listMisbehaviour(
  state: StateReader,
): readonly (Misbehaviour & { readonly publicKey: Uint8Array })[] {
  return [...state.scan(MISBEHAVIOUR_PREFIX, ALL_MISBEHAVIOURS_MAX)].map(([key, value]) => ({
    publicKey: key.slice(MISBEHAVIOUR_PREFIX.length, MISBEHAVIOUR_PREFIX.length + PUBLIC_KEY_BYTES),
    ...misbehaviourCodec.decode(value),
  }));
}

export const misbehaviourNamesValidators: Invariant = {
  name: 'membership/misbehaviour-names-validators',
  check(state) {
    for (const { publicKey, organization } of listMisbehaviour(state)) {
      const key = readKey(state, publicKey);
      const isNamed = key?.roles.includes('validator') && key.organization === organization;
      if (!isNamed) return `${toHex(publicKey)} is no validator key of ${organization}`;
    }
    return undefined;
  },
};
