import {
  type Codec,
  concat,
  fixedBytes,
  type NodeId,
  nodeIdCodec,
  type OrganizationId,
  oneOf,
  optional,
  organizationIdCodec,
  type PublicKey,
  publicKeyCodec,
  struct,
  uint,
  utf8,
} from '@careledger/primitives';
import type { StateReader, Write } from '@careledger/state-machine';
import { uintUpTo } from '../bounded.ts';
import {
  ENCRYPTION_KEY_BYTES,
  ENTITY_TYPES,
  type EntityType,
  FINGERPRINT_BYTES,
  POWER_MAX,
  type Role,
  rolesCodec,
} from './messages.ts';

export const STANDINGS = ['active', 'suspended', 'revoked'] as const;
/** Suspension can be lifted; revocation is for good. */
export type Standing = (typeof STANDINGS)[number];

export interface OrganizationRecord {
  readonly entityType: EntityType;
  readonly encryptionKey: Uint8Array;
  readonly standing: Standing;
  /** Counts the changes of standing. */
  readonly revision: number;
  /** How many of its administrator keys are active: never 0. */
  readonly administrators: number;
}

export interface NodeRecord {
  readonly organization: OrganizationId;
  readonly publicKey: PublicKey;
  readonly fingerprint: Uint8Array;
  readonly power: number;
  readonly standing: Standing;
}

export interface KeyRecord {
  readonly organization: OrganizationId;
  readonly roles: readonly Role[];
  readonly standing: Standing;
  /** The node whose key this is; a user's key has none. */
  readonly node?: NodeId;
}

export const organizationRecordCodec: Codec<OrganizationRecord> = struct({
  entityType: oneOf(ENTITY_TYPES),
  encryptionKey: fixedBytes(ENCRYPTION_KEY_BYTES),
  standing: oneOf(STANDINGS),
  revision: uint,
  administrators: uint,
});

export const nodeRecordCodec: Codec<NodeRecord> = struct({
  organization: organizationIdCodec,
  publicKey: publicKeyCodec,
  fingerprint: fixedBytes(FINGERPRINT_BYTES),
  power: uintUpTo(POWER_MAX),
  standing: oneOf(STANDINGS),
});

export const keyRecordCodec: Codec<KeyRecord> = struct({
  organization: organizationIdCodec,
  roles: rolesCodec,
  standing: oneOf(STANDINGS),
  node: optional(nodeIdCodec),
});

/** Everything of this capability: who is a member, who may sign, who validates. */
export const MEMBERSHIP_PREFIX: Uint8Array = utf8('membership/');
export const ORGANIZATION_PREFIX: Uint8Array = utf8('membership/organization/');
export const NODE_PREFIX: Uint8Array = utf8('membership/node/');
export const KEY_PREFIX: Uint8Array = utf8('membership/key/');
export const FINGERPRINT_PREFIX: Uint8Array = utf8('membership/fingerprint/');

/** `membership/organization/<organization>` → OrganizationRecord. */
export function organizationKey(organization: OrganizationId): Uint8Array {
  return concat(ORGANIZATION_PREFIX, utf8(organization));
}

/** `membership/node/<node>` → NodeRecord. */
export function nodeKey(node: NodeId): Uint8Array {
  return concat(NODE_PREFIX, utf8(node));
}

/** `membership/key/<public key>` → KeyRecord. Users' and nodes' keys share this table: a key has one owner. */
export function keyKey(publicKey: Uint8Array): Uint8Array {
  return concat(KEY_PREFIX, publicKey);
}

/** `membership/fingerprint/<SHA-256 of the certificate>` → node id. */
export function fingerprintKey(fingerprint: Uint8Array): Uint8Array {
  return concat(FINGERPRINT_PREFIX, fingerprint);
}

/** Every transaction asks for its signer's key and organization: the same array is decoded once. */
const decodedRecords = new WeakMap<Uint8Array, { readonly of: unknown; readonly value: unknown }>();

function read<Value>(state: StateReader, key: Uint8Array, of: Codec<Value>): Value | undefined {
  const bytes = state.get(key);
  if (bytes === undefined) return undefined;
  const known = decodedRecords.get(bytes);
  if (known?.of === of) return known.value as Value;
  const value = of.decode(bytes);
  decodedRecords.set(bytes, { of, value });
  return value;
}

export function readOrganization(
  state: StateReader,
  organization: OrganizationId,
): OrganizationRecord | undefined {
  return read(state, organizationKey(organization), organizationRecordCodec);
}

export function readNode(state: StateReader, node: NodeId): NodeRecord | undefined {
  return read(state, nodeKey(node), nodeRecordCodec);
}

export function readKey(state: StateReader, publicKey: Uint8Array): KeyRecord | undefined {
  return read(state, keyKey(publicKey), keyRecordCodec);
}

export function readFingerprint(state: StateReader, fingerprint: Uint8Array): NodeId | undefined {
  return read(state, fingerprintKey(fingerprint), nodeIdCodec);
}

export function writeOrganization(organization: OrganizationId, record: OrganizationRecord): Write {
  return { key: organizationKey(organization), value: organizationRecordCodec.encode(record) };
}

export function writeNode(node: NodeId, record: NodeRecord): Write {
  return { key: nodeKey(node), value: nodeRecordCodec.encode(record) };
}

export function writeKey(publicKey: Uint8Array, record: KeyRecord): Write {
  return { key: keyKey(publicKey), value: keyRecordCodec.encode(record) };
}

export function writeFingerprint(fingerprint: Uint8Array, node: NodeId): Write {
  return { key: fingerprintKey(fingerprint), value: nodeIdCodec.encode(node) };
}

export function removeFingerprint(fingerprint: Uint8Array): Write {
  return { key: fingerprintKey(fingerprint), value: undefined };
}
