import {
  nodeId,
  organizationId,
  type PublicKey,
  sha256,
  utf8,
  verifySignature,
} from '@careledger/primitives';
import { MemoryStore } from '@careledger/state-machine';
import { describe, expect, test } from 'vitest';
import {
  Consortium,
  chain,
  clinic,
  county,
  founders,
  hospital,
  keyNamed,
  members,
  plan,
  type Spoken,
  signerNamed,
} from '../consortium.test-support.ts';
import { signedText } from '../signed-text.ts';
import { isAcceptableEncryptionKey } from './encryption-key.ts';
import { initialMembershipWrites, MembershipGenesisError, membershipGenesisCodec } from './genesis.ts';
import {
  type Approval,
  changeOrganizationText,
  type EnrolNode,
  type EnrolOrganization,
  enrolKeyText,
  enrolNodeText,
  enrolOrganizationText,
  type Role,
  rotateKeyText,
} from './messages.ts';
import { countVotes, keyInForce, nodeByFingerprint, readValidators } from './queries.ts';
import { readKey, readNode, readOrganization, writeNode } from './state.ts';
import { enrolNode as enrolNodeTransition } from './transitions.ts';

const NO_SIGNATURE = new Uint8Array(64);

function approve(by: readonly string[], text: Uint8Array): readonly Approval[] {
  return by.map((name) => ({ publicKey: keyNamed(name), signature: signerNamed(name).sign(text) }));
}

const pharmacy = organizationId('corner-pharmacy');

function enrolPharmacy(approvers: readonly string[], by = `${hospital} administrator`): Spoken {
  const terms: EnrolOrganization = {
    organization: pharmacy,
    entityType: 'pharmacy',
    encryptionKey: sha256(utf8('pharmacy encryption')),
    administratorKey: keyNamed('pharmacy administrator'),
    possession: NO_SIGNATURE,
    approvals: [],
  };
  const message = {
    ...terms,
    possession: signerNamed('pharmacy administrator').sign(enrolOrganizationText('possession', chain, terms)),
    approvals: approve(approvers, enrolOrganizationText('approval', chain, terms)),
  };
  return { by, type: 'membership/enrol-organization', message };
}

function enrolNode(
  name: string,
  options: { power?: number; approvers?: readonly string[]; by?: string } = {},
): Spoken {
  const terms: EnrolNode = {
    node: nodeId(name),
    organization: hospital,
    publicKey: keyNamed(name),
    fingerprint: sha256(utf8(name)),
    power: options.power ?? 0,
    possession: NO_SIGNATURE,
    approvals: [],
  };
  const message = {
    ...terms,
    possession: signerNamed(name).sign(enrolNodeText('possession', chain, terms)),
    approvals: approve(options.approvers ?? [], enrolNodeText('approval', chain, terms)),
  };
  return { by: options.by ?? `${hospital} administrator`, type: 'membership/enrol-node', message };
}

function enrolKey(name: string, roles: readonly Role[], by = `${hospital} administrator`): Spoken {
  const terms = { organization: hospital, publicKey: keyNamed(name), roles };
  const possession = signerNamed(name).sign(enrolKeyText(chain, terms));
  return { by, type: 'membership/enrol-key', message: { ...terms, possession } };
}

function change(
  what: 'suspend' | 'reinstate' | 'revoke',
  organization: typeof hospital,
  options: { revision?: number; approvers: readonly string[]; by?: string },
): Spoken {
  const terms = { organization, revision: options.revision ?? 0 };
  const approvals = approve(options.approvers, changeOrganizationText(what, chain, terms));
  const by = options.by ?? `${hospital} administrator`;
  return { by, type: `membership/${what}-organization`, message: { ...terms, approvals } };
}

const administrators = members.map((member) => `${member} administrator`);

describe('organizations', () => {
  test('NET-06: administrators of more than half of the active organizations enrol a new one', () => {
    const consortium = new Consortium();
    expect(consortium.say(enrolPharmacy([`${clinic} administrator`]))).toEqual(['membership/not-approved']);
    expect(consortium.say(enrolPharmacy([`${clinic} administrator`, `${plan} administrator`]))).toEqual([
      'accepted',
    ]);
    expect(readOrganization(consortium.store, pharmacy)).toMatchObject({
      entityType: 'pharmacy',
      standing: 'active',
    });
    expect(keyInForce(consortium.store, keyNamed('pharmacy administrator'))?.organization).toBe(pharmacy);
    expect(consortium.say(enrolPharmacy(administrators))).toEqual(['membership/organization-taken']);
  });

  test.each([
    ['the same administrator three times', [administrators[1], administrators[1], administrators[1]]],
    ['keys that are no administrators', [`${clinic} gateway`, `${plan} auditor`, `${county} gateway`]],
    ['keys that nobody knows', ['stranger 1', 'stranger 2', 'stranger 3']],
  ])('approvals by %s do not make a majority', (_, approvers) => {
    const consortium = new Consortium();
    expect(consortium.say(enrolPharmacy(approvers as readonly string[]))).toEqual([
      'membership/not-approved',
    ]);
  });

  test('only an administrator brings a change of membership, however many approve', () => {
    const consortium = new Consortium();
    expect(consortium.say(enrolPharmacy(administrators, `${hospital} gateway`))).toEqual([
      'membership/not-administrator',
    ]);
  });

  test('an approval that was made for other terms fails before any rule runs', () => {
    const consortium = new Consortium();
    const good = enrolPharmacy(administrators);
    const message = { ...(good.message as EnrolOrganization), entityType: 'payer' };
    expect(consortium.say({ ...good, message })).toEqual(['code 12']);
  });

  test('NET-05: a revoked organization is out at once: its keys, its node and its vote', () => {
    const consortium = new Consortium();
    const before = consortium.header;
    const approvers = [`${clinic} administrator`, `${plan} administrator`];
    const late = enrolKey('county extra', ['custodian'], `${county} administrator`);
    const revoke = change('revoke', county, { approvers });
    expect(nodeByFingerprint(consortium.store, sha256(utf8(`${county} certificate`)))?.organization).toBe(
      county,
    );
    expect(consortium.say(revoke, late)).toEqual(['accepted', 'code 23']);
    expect(keyInForce(consortium.store, keyNamed(`${county} gateway`))).toBeUndefined();
    expect(nodeByFingerprint(consortium.store, sha256(utf8(`${county} certificate`)))).toBeUndefined();
    expect(readValidators(consortium.store).map(({ organization }) => organization)).not.toContain(county);
    expect(consortium.header.nextValidatorsHash).not.toEqual(before.nextValidatorsHash);
    expect(consortium.application.info().validators).toHaveLength(3);
    const again = change('reinstate', county, { revision: 1, approvers });
    expect(consortium.say(again)).toEqual(['membership/standing-does-not-allow']);
  });

  test('a suspension can be lifted, and its old approvals cannot be used again', () => {
    const consortium = new Consortium();
    const approvers = [`${clinic} administrator`, `${plan} administrator`];
    const suspend = change('suspend', county, { approvers });
    expect(consortium.say(suspend)).toEqual(['accepted']);
    expect(consortium.say(change('reinstate', county, { revision: 1, approvers }))).toEqual(['accepted']);
    expect(keyInForce(consortium.store, keyNamed(`${county} gateway`))?.organization).toBe(county);
    expect(consortium.say(suspend)).toEqual(['membership/stale-revision']);
    expect(consortium.say(change('suspend', county, { revision: 2, approvers: [] }))).toEqual([
      'membership/not-approved',
    ]);
  });
});

describe('nodes', () => {
  test('an observer node is its organization’s affair, a vote is the consortium’s', () => {
    const consortium = new Consortium();
    expect(consortium.say(enrolNode('hospital-observer'))).toEqual(['accepted']);
    expect(keyInForce(consortium.store, keyNamed('hospital-observer'))?.roles).toEqual(['observer']);
    expect(readValidators(consortium.store)).toHaveLength(4);
    expect(consortium.say(enrolNode('hospital-voter', { power: 1 }))).toEqual(['membership/not-approved']);
    expect(consortium.say(enrolNode('hospital-voter', { power: 1, approvers: administrators }))).toEqual([
      'accepted',
    ]);
    expect(readValidators(consortium.store)).toHaveLength(5);
    expect(keyInForce(consortium.store, keyNamed('hospital-voter'))?.roles).toEqual(['validator']);
  });

  test('the set of validators never outgrows what a header can name', () => {
    const state = new MemoryStore();
    const nodes = Array.from({ length: 256 }, (_, index) => ({
      node: nodeId(`node-${index}`),
      organization: hospital,
      publicKey: sha256(utf8(`key ${index}`)) as PublicKey,
      fingerprint: sha256(utf8(`certificate ${index}`)),
      power: 1,
    }));
    state.write(initialMembershipWrites(membershipGenesisCodec.encode(founders)));
    for (const { node, ...record } of nodes.slice(4))
      state.write([writeNode(node, { ...record, standing: 'suspended' })]);
    expect(countVotes(state)).toBe(256);
    const { message } = enrolNode('hospital-voter', { power: 1, approvers: administrators });
    const context = {
      chain,
      height: 1,
      blockTime: 0,
      transactionId: new Uint8Array(32),
      signerKey: keyNamed(`${hospital} administrator`),
      signer: hospital,
      roles: ['administrator'],
    };
    expect(enrolNodeTransition(state, message as EnrolNode, context)).toEqual({
      status: 'rejected',
      rejection: 'membership/too-many-validators',
    });
  });

  test('a certificate is renewed: the new one finds the node, the old one nothing', () => {
    const consortium = new Consortium();
    const node = nodeId(`${hospital}-1`);
    const fingerprint = sha256(utf8('new certificate'));
    const renew = { type: 'membership/renew-node', message: { node, fingerprint } };
    expect(consortium.say({ by: `${clinic} administrator`, ...renew })).toEqual([
      'membership/not-own-organization',
    ]);
    expect(consortium.say({ by: `${hospital} administrator`, ...renew })).toEqual(['accepted']);
    expect(nodeByFingerprint(consortium.store, fingerprint)?.node).toBe(node);
    expect(nodeByFingerprint(consortium.store, sha256(utf8(`${hospital} certificate`)))).toBeUndefined();
  });

  test('a node is suspended, reinstated and revoked by its own administrator, and the last validator stays', () => {
    const consortium = new Consortium();
    const say = (what: string, organization: string) =>
      consortium.say({
        by: `${organization} administrator`,
        type: `membership/${what}-node`,
        message: { node: nodeId(`${organization}-1`) },
      });
    expect(say('suspend', county)).toEqual(['accepted']);
    expect(keyInForce(consortium.store, keyNamed(`${county} node`))).toBeUndefined();
    expect(say('reinstate', county)).toEqual(['accepted']);
    expect(say('revoke', county)).toEqual(['accepted']);
    expect(say('reinstate', county)).toEqual(['membership/standing-does-not-allow']);
    expect(say('revoke', plan)).toEqual(['accepted']);
    expect(say('suspend', clinic)).toEqual(['accepted']);
    expect(say('revoke', hospital)).toEqual(['membership/no-validator-left']);
    const approvers = [`${clinic} administrator`, `${plan} administrator`];
    expect(consortium.say(change('suspend', hospital, { approvers }))).toEqual([
      'membership/no-validator-left',
    ]);
  });
});

describe('keys', () => {
  test('NET-06: an administrator enrols, suspends, reinstates and revokes the keys of its own organization', () => {
    const consortium = new Consortium();
    const say = (what: string, by: string) =>
      consortium.say({ by, type: `membership/${what}-key`, message: { publicKey: keyNamed('new gateway') } });
    const roles: readonly Role[] = ['custodian', 'auditor'];
    expect(consortium.say(enrolKey('new gateway', roles))).toEqual(['accepted']);
    expect(keyInForce(consortium.store, keyNamed('new gateway'))).toEqual({ organization: hospital, roles });
    expect(say('suspend', `${clinic} administrator`)).toEqual(['membership/not-own-organization']);
    expect(say('suspend', `${hospital} gateway`)).toEqual(['membership/not-administrator']);
    expect(say('suspend', `${hospital} administrator`)).toEqual(['accepted']);
    expect(keyInForce(consortium.store, keyNamed('new gateway'))).toBeUndefined();
    expect(say('reinstate', `${hospital} administrator`)).toEqual(['accepted']);
    expect(say('revoke', `${hospital} administrator`)).toEqual(['accepted']);
    expect(say('reinstate', `${hospital} administrator`)).toEqual(['membership/standing-does-not-allow']);
    expect(consortium.say(enrolKey('new gateway', roles))).toEqual(['membership/key-taken']);
  });

  test('a vote cannot be granted as a role, and nobody enrols a key for another organization', () => {
    const consortium = new Consortium();
    expect(consortium.say(enrolKey('sly', ['validator']))).toEqual(['membership/role-not-grantable']);
    expect(consortium.say(enrolKey('sly', ['custodian'], `${clinic} administrator`))).toEqual([
      'membership/not-own-organization',
    ]);
  });

  test('an organization never loses its last administrator', () => {
    const consortium = new Consortium();
    const by = `${hospital} administrator`;
    const suspend = { by, type: 'membership/suspend-key', message: { publicKey: keyNamed(by) } };
    expect(consortium.say(suspend)).toEqual(['membership/last-administrator']);
    expect(consortium.say(enrolKey('second administrator', ['administrator']))).toEqual(['accepted']);
    expect(consortium.say(suspend)).toEqual(['accepted']);
    expect(readOrganization(consortium.store, hospital)?.administrators).toBe(1);
  });

  test('a key is rotated under both keys; the old one is revoked and a node keeps its vote', () => {
    const consortium = new Consortium();
    const oldKey = keyNamed(`${hospital} node`);
    const newKey = keyNamed('hospital node, second key');
    const possession = signerNamed('hospital node, second key').sign(
      rotateKeyText(chain, { oldKey, newKey }),
    );
    const rotate = { type: 'membership/rotate-key', message: { oldKey, newKey, possession } };
    expect(consortium.say({ by: `${hospital} administrator`, ...rotate })).toEqual([
      'membership/not-this-key',
    ]);
    expect(consortium.say({ by: `${hospital} node`, ...rotate })).toEqual(['accepted']);
    expect(keyInForce(consortium.store, oldKey)).toBeUndefined();
    expect(keyInForce(consortium.store, newKey)?.roles).toEqual(['validator']);
    expect(readNode(consortium.store, nodeId(`${hospital}-1`))?.publicKey).toEqual(newKey);
    expect(readKey(consortium.store, oldKey)?.standing).toBe('revoked');
    const forged = { ...rotate.message, possession: NO_SIGNATURE };
    expect(
      consortium.say({
        by: `${clinic} node`,
        ...rotate,
        message: { ...forged, oldKey: keyNamed(`${clinic} node`) },
      }),
    ).toEqual(['code 12']);
  });

  test('keys of small order and keys that are not canonical are refused when they are registered', () => {
    const identity = new Uint8Array(32);
    identity[0] = 1;
    const notCanonical = new Uint8Array(32).fill(255);
    for (const publicKey of [identity, notCanonical, new Uint8Array(32)] as PublicKey[]) {
      const keys = [...founders.keys, { publicKey, organization: hospital, roles: ['auditor'] as const }];
      const bytes = membershipGenesisCodec.encode({ ...founders, keys });
      expect(() => initialMembershipWrites(bytes)).toThrow(MembershipGenesisError);
      // Under an ordinary verifier the identity key signs everything; the ledger's own refuses it.
      const possession = new Uint8Array(64);
      possession[0] = 1;
      expect(verifySignature({ publicKey, message: signedText('x', chain), signature: possession })).toBe(
        false,
      );
    }
  });
});

describe('genesis', () => {
  const faults: readonly (readonly [string, Partial<typeof founders>, string])[] = [
    [
      'an organization twice',
      { organizations: [...founders.organizations, ...founders.organizations] },
      'twice',
    ],
    ['a member without administrator', { keys: founders.keys.slice(1) }, 'no administrator'],
    ['nobody to validate', { nodes: founders.nodes.map((node) => ({ ...node, power: 0 })) }, 'voting power'],
    ['a key twice', { keys: [...founders.keys, ...founders.keys.slice(0, 1)] }, 'twice'],
    ['a stranger’s node', { organizations: founders.organizations.slice(1) }, 'not an organization'],
    [
      'a sealing key of small order',
      { organizations: founders.organizations.map((one) => ({ ...one, encryptionKey: new Uint8Array(32) })) },
      'small order',
    ],
  ];

  test.each(faults)('a founding document with %s is refused', (_, fault, text) => {
    const bytes = membershipGenesisCodec.encode({ ...founders, ...fault });
    expect(() => initialMembershipWrites(bytes)).toThrow(text);
  });

  test('the founders stand in state as written, and all validate', () => {
    const store = new MemoryStore();
    store.write(initialMembershipWrites(membershipGenesisCodec.encode(founders)));
    expect(
      readValidators(store)
        .map(({ organization }) => organization)
        .toSorted(),
    ).toEqual(members.toSorted());
    expect(keyInForce(store, keyNamed(`${clinic} gateway`))).toEqual({
      organization: clinic,
      roles: ['custodian'],
    });
    expect(keyInForce(store, keyNamed('stranger'))).toBeUndefined();
  });

  test('an X25519 key is judged without its unused top bit', () => {
    const order1 = new Uint8Array(32);
    order1[31] = 0x80;
    expect(isAcceptableEncryptionKey(order1)).toBe(false);
    expect(isAcceptableEncryptionKey(sha256(utf8('fine')))).toBe(true);
  });
});
