import type { Capability } from '@careledger/state-machine';
import { messageType } from '@careledger/state-machine';
import { everyOrganizationHasAdministrators, nodesAndKeysAgree, someoneValidates } from './invariants.ts';
import {
  approvalClaims,
  type Change,
  changeKeyCodec,
  changeNodeCodec,
  changeOrganizationCodec,
  changeOrganizationText,
  enrolKeyCodec,
  enrolKeyText,
  enrolNodeCodec,
  enrolNodeText,
  enrolOrganizationCodec,
  enrolOrganizationText,
  renewNodeCodec,
  rotateKeyCodec,
  rotateKeyText,
} from './messages.ts';
import { misbehaviourNamesValidators } from './misbehaviour.ts';
import { rejections } from './rejections.ts';
import { equivocationClaims, reportEquivocation, reportEquivocationCodec } from './report-equivocation.ts';
import { changeKey, changeNode, changeOrganization } from './standing.ts';
import { enrolKey, enrolNode, enrolOrganization, renewNode, rotateKey } from './transitions.ts';

const changeOrganizationType = (change: Change) =>
  messageType({
    codec: changeOrganizationCodec,
    transition: changeOrganization(change),
    signaturesOf: (message, chain) =>
      approvalClaims(message.approvals, changeOrganizationText(change, chain, message)),
  });
const changeNodeType = (change: Change) =>
  messageType({ codec: changeNodeCodec, transition: changeNode(change) });
const changeKeyType = (change: Change) =>
  messageType({ codec: changeKeyCodec, transition: changeKey(change) });

export const membership: Capability = {
  name: 'membership',
  codeBase: 1000,
  rejections,
  messages: {
    'membership/enrol-organization': messageType({
      codec: enrolOrganizationCodec,
      transition: enrolOrganization,
      signaturesOf: (message, chain) => [
        {
          publicKey: message.administratorKey,
          message: enrolOrganizationText('possession', chain, message),
          signature: message.possession,
        },
        ...approvalClaims(message.approvals, enrolOrganizationText('approval', chain, message)),
      ],
    }),
    'membership/enrol-node': messageType({
      codec: enrolNodeCodec,
      transition: enrolNode,
      signaturesOf: (message, chain) => [
        {
          publicKey: message.publicKey,
          message: enrolNodeText('possession', chain, message),
          signature: message.possession,
        },
        ...approvalClaims(message.approvals, enrolNodeText('approval', chain, message)),
      ],
    }),
    'membership/enrol-key': messageType({
      codec: enrolKeyCodec,
      transition: enrolKey,
      signaturesOf: (message, chain) => [
        {
          publicKey: message.publicKey,
          message: enrolKeyText(chain, message),
          signature: message.possession,
        },
      ],
    }),
    'membership/renew-node': messageType({ codec: renewNodeCodec, transition: renewNode }),
    'membership/rotate-key': messageType({
      codec: rotateKeyCodec,
      transition: rotateKey,
      signaturesOf: (message, chain) => [
        { publicKey: message.newKey, message: rotateKeyText(chain, message), signature: message.possession },
      ],
    }),
    'membership/suspend-organization': changeOrganizationType('suspend'),
    'membership/reinstate-organization': changeOrganizationType('reinstate'),
    'membership/revoke-organization': changeOrganizationType('revoke'),
    'membership/suspend-node': changeNodeType('suspend'),
    'membership/reinstate-node': changeNodeType('reinstate'),
    'membership/revoke-node': changeNodeType('revoke'),
    'membership/suspend-key': changeKeyType('suspend'),
    'membership/reinstate-key': changeKeyType('reinstate'),
    'membership/revoke-key': changeKeyType('revoke'),
    'membership/report-equivocation': messageType({
      codec: reportEquivocationCodec,
      transition: reportEquivocation,
      signaturesOf: equivocationClaims,
    }),
  },
  invariants: [
    someoneValidates,
    everyOrganizationHasAdministrators,
    nodesAndKeysAgree,
    misbehaviourNamesValidators,
  ],
};

export { isAcceptableEncryptionKey } from './encryption-key.ts';
export {
  initialMembershipWrites,
  type MembershipGenesis,
  MembershipGenesisError,
  membershipGenesisCodec,
} from './genesis.ts';
export {
  type Approval,
  approvalClaims,
  approvalsCodec,
  type Change,
  type ChangeKey,
  type ChangeNode,
  type ChangeOrganization,
  changeKeyCodec,
  changeNodeCodec,
  changeOrganizationCodec,
  changeOrganizationText,
  ENTITY_TYPES,
  type EnrolKey,
  type EnrolNode,
  type EnrolOrganization,
  type EntityType,
  enrolKeyCodec,
  enrolKeyText,
  enrolNodeCodec,
  enrolNodeText,
  enrolOrganizationCodec,
  enrolOrganizationText,
  type RenewNode,
  ROLES,
  type Role,
  type RotateKey,
  renewNodeCodec,
  rotateKeyCodec,
  rotateKeyText,
} from './messages.ts';
export {
  listMisbehaviour,
  type Misbehaviour,
  misbehaviourCodec,
  misbehaviourKey,
} from './misbehaviour.ts';
export {
  isApproved,
  keyInForce,
  type ListedOrganization,
  listNodes,
  listOrganizations,
  type NodeInForce,
  nodeByFingerprint,
  readValidators,
} from './queries.ts';
export type { MembershipRejection } from './rejections.ts';
export {
  type Equivocation,
  reportEquivocationCodec,
  type SignedStatement,
} from './report-equivocation.ts';
export {
  fingerprintKey,
  type KeyRecord,
  keyKey,
  keyRecordCodec,
  MEMBERSHIP_PREFIX,
  type NodeRecord,
  nodeKey,
  type OrganizationRecord,
  organizationKey,
  readKey,
  readNode,
  readOrganization,
  type Standing,
} from './state.ts';
export { approversOf } from './transitions.ts';
