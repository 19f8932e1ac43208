import {
  accepted,
  type Outcome,
  rejected,
  type StateReader,
  type TransitionContext,
  type Write,
} from '@careledger/state-machine';
import { standingChanged } from './events.ts';
import type { Change, ChangeKey, ChangeNode, ChangeOrganization } from './messages.ts';
import { isApproved, readValidators } from './queries.ts';
import type { MembershipRejection } from './rejections.ts';
import {
  type KeyRecord,
  type OrganizationRecord,
  readKey,
  readNode,
  readOrganization,
  type Standing,
  writeKey,
  writeNode,
  writeOrganization,
} from './state.ts';
import { approversOf } from './transitions.ts';

/** What a change turns a standing into, or `undefined` where it cannot: a revoked one never comes back. */
export function standingAfter(change: Change, standing: Standing): Standing | undefined {
  if (change === 'suspend') return standing === 'active' ? 'suspended' : undefined;
  if (change === 'reinstate') return standing === 'suspended' ? 'active' : undefined;
  return standing === 'revoked' ? undefined : 'revoked';
}

type ChangeTransition<Message> = (
  state: StateReader,
  message: Message,
  context: TransitionContext,
) => Outcome<MembershipRejection>;

/** Would a validator remain without those that `isGone` names? A chain without one can never decide to get one. */
function hasValidatorBeside(
  state: StateReader,
  isGone: (validator: { readonly node: string; readonly organization: string }) => boolean,
): boolean {
  return readValidators(state).some((validator) => !isGone(validator));
}

/** Suspend, reinstate or revoke a member: by administrators of more than half of the active organizations. */
export function changeOrganization(change: Change): ChangeTransition<ChangeOrganization> {
  return (state, message, context) => {
    const { organization, revision } = message;
    const record = readOrganization(state, organization);
    if (!context.roles.includes('administrator')) return rejected('membership/not-administrator');
    if (!record) return rejected('membership/organization-not-found');
    if (record.revision !== revision) return rejected('membership/stale-revision');
    const standing = standingAfter(change, record.standing);
    if (!standing) return rejected('membership/standing-does-not-allow');
    if (!isApproved(state, approversOf(message.approvals, context)))
      return rejected('membership/not-approved');
    const remains = hasValidatorBeside(state, (validator) => validator.organization === organization);
    if (standing !== 'active' && !remains) return rejected('membership/no-validator-left');

    const changed = { ...record, standing, revision: revision + 1 };
    return accepted([writeOrganization(organization, changed)], [standingChanged(change, { organization })]);
  };
}

/** Suspend, reinstate or revoke a node and its key: by its own organization's administrator. */
export function changeNode(change: Change): ChangeTransition<ChangeNode> {
  return (state, { node }, context) => {
    const record = readNode(state, node);
    const key = record && readKey(state, record.publicKey);
    if (!context.roles.includes('administrator')) return rejected('membership/not-administrator');
    if (!record || !key) return rejected('membership/node-not-found');
    if (record.organization !== context.signer) return rejected('membership/not-own-organization');
    const standing = standingAfter(change, record.standing);
    if (!standing) return rejected('membership/standing-does-not-allow');
    const remains = hasValidatorBeside(state, (validator) => validator.node === node);
    if (standing !== 'active' && !remains) return rejected('membership/no-validator-left');

    return accepted(
      [writeNode(node, { ...record, standing }), writeKey(record.publicKey, { ...key, standing })],
      [standingChanged(change, { node })],
    );
  };
}

/** Suspend, reinstate or revoke a user's key: by its own organization's administrator. */
export function changeKey(change: Change): ChangeTransition<ChangeKey> {
  return (state, { publicKey }, context) => {
    const record = readKey(state, publicKey);
    if (!context.roles.includes('administrator')) return rejected('membership/not-administrator');
    // A node's key goes with its node.
    if (!record || record.node !== undefined) return rejected('membership/key-not-found');
    const home = readOrganization(state, record.organization);
    if (!home || record.organization !== context.signer) return rejected('membership/not-own-organization');
    const standing = standingAfter(change, record.standing);
    if (!standing) return rejected('membership/standing-does-not-allow');
    const administrators = administratorsAfter(home, record, standing);
    if (administrators === 0) return rejected('membership/last-administrator');

    const writes: Write[] = [writeKey(publicKey, { ...record, standing })];
    if (administrators !== home.administrators) {
      writes.push(writeOrganization(record.organization, { ...home, administrators }));
    }
    return accepted(writes, [standingChanged(change, { publicKey })]);
  };
}

function administratorsAfter(home: OrganizationRecord, key: KeyRecord, standing: Standing): number {
  if (!key.roles.includes('administrator')) return home.administrators;
  const before = key.standing === 'active' ? 1 : 0;
  const after = standing === 'active' ? 1 : 0;
  return home.administrators - before + after;
}
