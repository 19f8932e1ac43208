import type { LedgerEvent } from '@careledger/ledger';
import { type NodeId, type OrganizationId, toHex } from '@careledger/primitives';
import type { Change, Role } from './messages.ts';
import type { Misbehaviour } from './misbehaviour.ts';

export function organizationEnrolled(organization: OrganizationId): LedgerEvent {
  return { type: 'membership/organization-enrolled', attributes: { organization } };
}

export function nodeEnrolled(node: NodeId, organization: OrganizationId, power: number): LedgerEvent {
  return { type: 'membership/node-enrolled', attributes: { node, organization, power: String(power) } };
}

export function nodeRenewed(node: NodeId, fingerprint: Uint8Array): LedgerEvent {
  return { type: 'membership/node-renewed', attributes: { node, fingerprint: toHex(fingerprint) } };
}

export function keyEnrolled(
  publicKey: Uint8Array,
  organization: OrganizationId,
  roles: readonly Role[],
): LedgerEvent {
  return {
    type: 'membership/key-enrolled',
    attributes: { publicKey: toHex(publicKey), organization, roles: roles.join(' ') },
  };
}

export function keyRotated(oldKey: Uint8Array, newKey: Uint8Array): LedgerEvent {
  return { type: 'membership/key-rotated', attributes: { oldKey: toHex(oldKey), newKey: toHex(newKey) } };
}

export function equivocationReported(publicKey: Uint8Array, found: Misbehaviour): LedgerEvent {
  const { organization, node, kind, engineHeight, view } = found;
  return {
    type: 'membership/equivocation-reported',
    attributes: {
      organization,
      ...(node !== undefined && { node }),
      publicKey: toHex(publicKey),
      kind,
      engineHeight: String(engineHeight),
      view: String(view),
    },
  };
}

const PARTICIPLES: Readonly<Record<Change, string>> = {
  suspend: 'suspended',
  reinstate: 'reinstated',
  revoke: 'revoked',
};

/** `membership/organization-suspended`, `membership/node-reinstated`, `membership/key-revoked`, ... */
export function standingChanged(
  change: Change,
  subject:
    | { readonly organization: OrganizationId }
    | { readonly node: NodeId }
    | { readonly publicKey: Uint8Array },
): LedgerEvent {
  if ('organization' in subject) {
    return { type: `membership/organization-${PARTICIPLES[change]}`, attributes: { ...subject } };
  }
  if ('node' in subject)
    return { type: `membership/node-${PARTICIPLES[change]}`, attributes: { ...subject } };
  return {
    type: `membership/key-${PARTICIPLES[change]}`,
    attributes: { publicKey: toHex(subject.publicKey) },
  };
}
