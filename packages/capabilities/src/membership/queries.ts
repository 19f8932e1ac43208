import type { Validator } from '@careledger/ledger';
import {
  fromUtf8,
  type NodeId,
  nodeIdCodec,
  type OrganizationId,
  type PublicKey,
} from '@careledger/primitives';
import type { KeyInForce, StateReader } from '@careledger/state-machine';
import {
  NODE_PREFIX,
  type NodeRecord,
  nodeRecordCodec,
  ORGANIZATION_PREFIX,
  type OrganizationRecord,
  organizationRecordCodec,
  readFingerprint,
  readKey,
  readNode,
  readOrganization,
} from './state.ts';

export const ORGANIZATIONS_MAX = 10_000;
export const NODES_MAX = 10_000;

function isActive(state: StateReader, organization: OrganizationId): boolean {
  return readOrganization(state, organization)?.standing === 'active';
}

/** For which organization a key speaks now, or `undefined`: unknown, suspended, revoked, or its organization is. */
export function keyInForce(state: StateReader, publicKey: Uint8Array): KeyInForce | undefined {
  const record = readKey(state, publicKey);
  if (record?.standing !== 'active' || !isActive(state, record.organization)) return undefined;
  return { organization: record.organization, roles: record.roles };
}

export interface NodeInForce extends NodeRecord {
  readonly node: NodeId;
}

/** The node that may connect with this certificate now, or `undefined`: ask again after every block. */
export function nodeByFingerprint(state: StateReader, fingerprint: Uint8Array): NodeInForce | undefined {
  const node = readFingerprint(state, fingerprint);
  const record = node === undefined ? undefined : readNode(state, node);
  if (node === undefined || record?.standing !== 'active') return undefined;
  return isActive(state, record.organization) ? { node, ...record } : undefined;
}

export interface ListedOrganization extends OrganizationRecord {
  readonly organization: OrganizationId;
}

/** Every organization that ever was a member, in the order of their ids. */
export function listOrganizations(state: StateReader): readonly ListedOrganization[] {
  return [...state.scan(ORGANIZATION_PREFIX, ORGANIZATIONS_MAX)].map(([key, value]) => ({
    organization: fromUtf8(key.subarray(ORGANIZATION_PREFIX.length)) as OrganizationId,
    ...organizationRecordCodec.decode(value),
  }));
}

/** Every node that ever was enrolled, in the order of their ids. */
export function listNodes(state: StateReader): readonly NodeInForce[] {
  return [...state.scan(NODE_PREFIX, NODES_MAX)].map(([key, value]) => ({
    node: nodeIdCodec.fromCbor(fromUtf8(key.subarray(NODE_PREFIX.length))),
    ...nodeRecordCodec.decode(value),
  }));
}

/** The validator set that this state names: active nodes with power of active organizations, by node id. */
export function readValidators(state: StateReader): readonly Validator[] {
  const active = new Set(
    listOrganizations(state)
      .filter(({ standing }) => standing === 'active')
      .map(({ organization }) => organization),
  );
  return listNodes(state)
    .filter(
      ({ standing, power, organization }) => standing === 'active' && power > 0 && active.has(organization),
    )
    .map(({ node, organization, publicKey, power }) => ({ node, organization, publicKey, power }));
}

/** How many nodes have a vote, or would have it again once a suspension is lifted. */
export function countVotes(state: StateReader): number {
  const gone = new Set(
    listOrganizations(state)
      .filter(({ standing }) => standing === 'revoked')
      .map(({ organization }) => organization),
  );
  return listNodes(state).filter(
    ({ standing, power, organization }) => standing !== 'revoked' && power > 0 && !gone.has(organization),
  ).length;
}

/**
 * Do administrators of more than half of the active organizations stand behind a change? The signatures themselves
 * were checked before; here it is asked whose keys they are.
 */
export function isApproved(state: StateReader, approvers: readonly PublicKey[]): boolean {
  const organizations = new Set<OrganizationId>();
  for (const publicKey of approvers) {
    const key = keyInForce(state, publicKey);
    if (key?.roles.includes('administrator')) organizations.add(key.organization);
  }
  const active = listOrganizations(state).filter(({ standing }) => standing === 'active').length;
  return organizations.size * 2 > active;
}
