import {
  CborError,
  type ChainId,
  type Codec,
  codec,
  fixedBytes,
  list,
  type NodeId,
  nodeIdCodec,
  type OrganizationId,
  oneOf,
  organizationIdCodec,
  type PublicKey,
  publicKeyCodec,
  type SignatureClaim,
  struct,
  uint,
} from '@careledger/primitives';
import { uintUpTo } from '../bounded.ts';
import { signedText } from '../signed-text.ts';

export const ENTITY_TYPES = [
  'provider',
  'payer',
  'pharmacy',
  'manufacturer',
  'regulator',
  'public-health',
  'laboratory',
  'other',
] as const;
/** What kind of organization a member is: it decides which rules apply to it. */
export type EntityType = (typeof ENTITY_TYPES)[number];

export const ROLES = ['administrator', 'custodian', 'auditor', 'operator', 'observer', 'validator'] as const;
/** What a key may do for its organization. `validator` comes with a node and is never granted by itself. */
export type Role = (typeof ROLES)[number];

export const APPROVALS_MAX = 64;
export const POWER_MAX = 1_000_000;
export const FINGERPRINT_BYTES = 32;
export const ENCRYPTION_KEY_BYTES = 32;

/** An administrator's signature under a change that the consortium must agree to. */
export interface Approval {
  readonly publicKey: PublicKey;
  readonly signature: Uint8Array;
}

const signatureCodec: Codec<Uint8Array> = fixedBytes(64);
export const approvalsCodec: Codec<readonly Approval[]> = list<Approval>(
  struct({ publicKey: publicKeyCodec, signature: signatureCodec }),
  { countMax: APPROVALS_MAX },
);

function checkRoles(roles: readonly Role[]): readonly Role[] {
  const places = roles.map((role) => ROLES.indexOf(role));
  const ascending = places.every((place, index) => index === 0 || place > (places[index - 1] ?? 0));
  if (roles.length === 0 || !ascending) throw new CborError('roles are missing, repeated or out of order');
  return roles;
}

const rolesList = list<Role>(oneOf(ROLES), { countMax: ROLES.length });
/** One role or more, each once, in the order of {@link ROLES}. */
export const rolesCodec: Codec<readonly Role[]> = codec(
  rolesList.shape,
  (roles) => rolesList.toCbor(checkRoles(roles)),
  (value) => checkRoles(rolesList.fromCbor(value)),
);

/** A new member, its sealing key and its first administrator. */
export interface EnrolOrganization {
  readonly organization: OrganizationId;
  readonly entityType: EntityType;
  /** X25519: locator entries and introductions are sealed to it. */
  readonly encryptionKey: Uint8Array;
  readonly administratorKey: PublicKey;
  /** By `administratorKey`, over the same terms. */
  readonly possession: Uint8Array;
  readonly approvals: readonly Approval[];
}

export const enrolOrganizationCodec: Codec<EnrolOrganization> = struct({
  organization: organizationIdCodec,
  entityType: oneOf(ENTITY_TYPES),
  encryptionKey: fixedBytes(ENCRYPTION_KEY_BYTES),
  administratorKey: publicKeyCodec,
  possession: signatureCodec,
  approvals: approvalsCodec,
});

/** A node of the signer's organization. Voting power needs the approval of the consortium. */
export interface EnrolNode {
  readonly node: NodeId;
  readonly organization: OrganizationId;
  readonly publicKey: PublicKey;
  /** SHA-256 of the node's TLS certificate (DER). */
  readonly fingerprint: Uint8Array;
  /** 0 for a node that only follows. */
  readonly power: number;
  readonly possession: Uint8Array;
  readonly approvals: readonly Approval[];
}

export const enrolNodeCodec: Codec<EnrolNode> = struct({
  node: nodeIdCodec,
  organization: organizationIdCodec,
  publicKey: publicKeyCodec,
  fingerprint: fixedBytes(FINGERPRINT_BYTES),
  power: uintUpTo(POWER_MAX),
  possession: signatureCodec,
  approvals: approvalsCodec,
});

/** A new TLS certificate for a node of the signer's organization. */
export interface RenewNode {
  readonly node: NodeId;
  readonly fingerprint: Uint8Array;
}

export const renewNodeCodec: Codec<RenewNode> = struct({
  node: nodeIdCodec,
  fingerprint: fixedBytes(FINGERPRINT_BYTES),
});

/** A user or service key of the signer's organization. */
export interface EnrolKey {
  readonly organization: OrganizationId;
  readonly publicKey: PublicKey;
  readonly roles: readonly Role[];
  readonly possession: Uint8Array;
}

export const enrolKeyCodec: Codec<EnrolKey> = struct({
  organization: organizationIdCodec,
  publicKey: publicKeyCodec,
  roles: rolesCodec,
  possession: signatureCodec,
});

/** The holder of a key replaces it: the envelope is signed by the old key, `possession` by the new one. */
export interface RotateKey {
  readonly oldKey: PublicKey;
  readonly newKey: PublicKey;
  readonly possession: Uint8Array;
}

export const rotateKeyCodec: Codec<RotateKey> = struct({
  oldKey: publicKeyCodec,
  newKey: publicKeyCodec,
  possession: signatureCodec,
});

/** A change of one organization's standing, approved by the consortium. */
export interface ChangeOrganization {
  readonly organization: OrganizationId;
  /** The organization's revision that the approvals refer to: an old approval cannot be used again. */
  readonly revision: number;
  readonly approvals: readonly Approval[];
}

export const changeOrganizationCodec: Codec<ChangeOrganization> = struct({
  organization: organizationIdCodec,
  revision: uint,
  approvals: approvalsCodec,
});

export interface ChangeNode {
  readonly node: NodeId;
}

export const changeNodeCodec: Codec<ChangeNode> = struct({ node: nodeIdCodec });

export interface ChangeKey {
  readonly publicKey: PublicKey;
}

export const changeKeyCodec: Codec<ChangeKey> = struct({ publicKey: publicKeyCodec });

export const CHANGES = ['suspend', 'reinstate', 'revoke'] as const;
export type Change = (typeof CHANGES)[number];

type Terms<Message> = Omit<Message, 'possession' | 'approvals'>;

/** What the new administrator's key and every approving administrator sign. */
export function enrolOrganizationText(
  part: 'possession' | 'approval',
  chain: ChainId,
  message: Terms<EnrolOrganization>,
): Uint8Array {
  return signedText(
    `careledger/membership/enrol-organization/${part}/v1`,
    chain,
    message.organization,
    message.entityType,
    message.encryptionKey,
    message.administratorKey,
  );
}

/** What the node's key and every approving administrator sign. */
export function enrolNodeText(
  part: 'possession' | 'approval',
  chain: ChainId,
  message: Terms<EnrolNode>,
): Uint8Array {
  return signedText(
    `careledger/membership/enrol-node/${part}/v1`,
    chain,
    message.node,
    message.organization,
    message.publicKey,
    message.fingerprint,
    message.power,
  );
}

/** What a new user key signs to show that its holder has it and wants to act for this organization. */
export function enrolKeyText(chain: ChainId, message: Terms<EnrolKey>): Uint8Array {
  return signedText(
    'careledger/membership/enrol-key/v1',
    chain,
    message.organization,
    message.publicKey,
    message.roles,
  );
}

/** What the new key signs when it takes over from the old one. */
export function rotateKeyText(chain: ChainId, message: Terms<RotateKey>): Uint8Array {
  return signedText('careledger/membership/rotate-key/v1', chain, message.oldKey, message.newKey);
}

/** What an administrator signs to approve a change of an organization's standing. */
export function changeOrganizationText(
  change: Change,
  chain: ChainId,
  message: Terms<ChangeOrganization>,
): Uint8Array {
  return signedText(
    `careledger/membership/${change}-organization/v1`,
    chain,
    message.organization,
    message.revision,
  );
}

/** One claim for each approval, all over the same bytes. */
export function approvalClaims(
  approvals: readonly Approval[],
  message: Uint8Array,
): readonly SignatureClaim[] {
  return approvals.map(({ publicKey, signature }) => ({ publicKey, message, signature }));
}
