import { VALIDATORS_MAX } from '@careledger/ledger';
import { equalBytes, isAcceptablePublicKey, type PublicKey } from '@careledger/primitives';
import {
  accepted,
  type Outcome,
  rejected,
  type StateReader,
  type TransitionContext,
} from '@careledger/state-machine';
import { isAcceptableEncryptionKey } from './encryption-key.ts';
import { keyEnrolled, keyRotated, nodeEnrolled, nodeRenewed, organizationEnrolled } from './events.ts';
import type {
  Approval,
  EnrolKey,
  EnrolNode,
  EnrolOrganization,
  RenewNode,
  Role,
  RotateKey,
} from './messages.ts';
import { countVotes, isApproved } from './queries.ts';
import type { MembershipRejection } from './rejections.ts';
import {
  readFingerprint,
  readKey,
  readNode,
  readOrganization,
  removeFingerprint,
  writeFingerprint,
  writeKey,
  writeNode,
  writeOrganization,
} from './state.ts';

type MembershipOutcome = Outcome<MembershipRejection>;

/** The envelope's signature is an approval too. */
export function approversOf(
  approvals: readonly Approval[],
  context: TransitionContext,
): readonly PublicKey[] {
  return [context.signerKey, ...approvals.map(({ publicKey }) => publicKey)];
}

export function enrolOrganization(
  state: StateReader,
  message: EnrolOrganization,
  context: TransitionContext,
): MembershipOutcome {
  const { organization, entityType, encryptionKey, administratorKey } = message;
  if (!context.roles.includes('administrator')) return rejected('membership/not-administrator');
  if (readOrganization(state, organization)) return rejected('membership/organization-taken');
  if (!isAcceptablePublicKey(administratorKey)) return rejected('membership/unacceptable-key');
  if (!isAcceptableEncryptionKey(encryptionKey)) return rejected('membership/unacceptable-encryption-key');
  if (readKey(state, administratorKey)) return rejected('membership/key-taken');
  if (!isApproved(state, approversOf(message.approvals, context))) return rejected('membership/not-approved');

  const roles: readonly Role[] = ['administrator'];
  return accepted(
    [
      writeOrganization(organization, {
        entityType,
        encryptionKey,
        standing: 'active',
        revision: 0,
        administrators: 1,
      }),
      writeKey(administratorKey, { organization, roles, standing: 'active' }),
    ],
    [organizationEnrolled(organization), keyEnrolled(administratorKey, organization, roles)],
  );
}

export function enrolNode(
  state: StateReader,
  message: EnrolNode,
  context: TransitionContext,
): MembershipOutcome {
  const { node, organization, publicKey, fingerprint, power } = message;
  if (!context.roles.includes('administrator')) return rejected('membership/not-administrator');
  if (organization !== context.signer) return rejected('membership/not-own-organization');
  if (readNode(state, node)) return rejected('membership/node-taken');
  if (!isAcceptablePublicKey(publicKey)) return rejected('membership/unacceptable-key');
  if (readKey(state, publicKey)) return rejected('membership/key-taken');
  if (readFingerprint(state, fingerprint)) return rejected('membership/fingerprint-taken');
  // A vote on blocks is the consortium's to give: nobody may raise its own share of the quorum.
  const isVoting = power > 0;
  if (isVoting && !isApproved(state, approversOf(message.approvals, context))) {
    return rejected('membership/not-approved');
  }
  if (isVoting && countVotes(state) >= VALIDATORS_MAX) return rejected('membership/too-many-validators');

  const roles: readonly Role[] = [isVoting ? 'validator' : 'observer'];
  return accepted(
    [
      writeNode(node, { organization, publicKey, fingerprint, power, standing: 'active' }),
      writeKey(publicKey, { organization, roles, standing: 'active', node }),
      writeFingerprint(fingerprint, node),
    ],
    [nodeEnrolled(node, organization, power)],
  );
}

export function renewNode(
  state: StateReader,
  message: RenewNode,
  context: TransitionContext,
): MembershipOutcome {
  const record = readNode(state, message.node);
  if (!context.roles.includes('administrator')) return rejected('membership/not-administrator');
  if (!record) return rejected('membership/node-not-found');
  if (record.organization !== context.signer) return rejected('membership/not-own-organization');
  if (record.standing === 'revoked') return rejected('membership/standing-does-not-allow');
  if (readFingerprint(state, message.fingerprint)) return rejected('membership/fingerprint-taken');

  return accepted(
    [
      removeFingerprint(record.fingerprint),
      writeFingerprint(message.fingerprint, message.node),
      writeNode(message.node, { ...record, fingerprint: message.fingerprint }),
    ],
    [nodeRenewed(message.node, message.fingerprint)],
  );
}

export function enrolKey(
  state: StateReader,
  message: EnrolKey,
  context: TransitionContext,
): MembershipOutcome {
  const { organization, publicKey, roles } = message;
  const home = readOrganization(state, organization);
  if (!context.roles.includes('administrator')) return rejected('membership/not-administrator');
  if (!home || organization !== context.signer) return rejected('membership/not-own-organization');
  if (roles.includes('validator')) return rejected('membership/role-not-grantable');
  if (!isAcceptablePublicKey(publicKey)) return rejected('membership/unacceptable-key');
  if (readKey(state, publicKey)) return rejected('membership/key-taken');

  const writes = [writeKey(publicKey, { organization, roles, standing: 'active' })];
  if (roles.includes('administrator')) {
    writes.push(writeOrganization(organization, { ...home, administrators: home.administrators + 1 }));
  }
  return accepted(writes, [keyEnrolled(publicKey, organization, roles)]);
}

/** The old key is revoked and the new one takes its place, with the same roles and for the same node. */
export function rotateKey(
  state: StateReader,
  message: RotateKey,
  context: TransitionContext,
): MembershipOutcome {
  const { oldKey, newKey } = message;
  const record = readKey(state, context.signerKey);
  if (!record || !equalBytes(oldKey, context.signerKey)) return rejected('membership/not-this-key');
  if (!isAcceptablePublicKey(newKey)) return rejected('membership/unacceptable-key');
  if (readKey(state, newKey)) return rejected('membership/key-taken');

  const writes = [writeKey(oldKey, { ...record, standing: 'revoked' }), writeKey(newKey, record)];
  const node = record.node === undefined ? undefined : readNode(state, record.node);
  if (record.node !== undefined && node) writes.push(writeNode(record.node, { ...node, publicKey: newKey }));
  return accepted(writes, [keyRotated(oldKey, newKey)]);
}
