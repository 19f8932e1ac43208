import { VALIDATORS_MAX } from '@careledger/ledger';
import {
  type Codec,
  fixedBytes,
  isAcceptablePublicKey,
  list,
  type NodeId,
  nodeIdCodec,
  type OrganizationId,
  oneOf,
  organizationIdCodec,
  type PublicKey,
  publicKeyCodec,
  struct,
  toHex,
} from '@careledger/primitives';
import type { Write } from '@careledger/state-machine';
import { uintUpTo } from '../bounded.ts';
import { isAcceptableEncryptionKey } from './encryption-key.ts';
import {
  ENCRYPTION_KEY_BYTES,
  ENTITY_TYPES,
  type EntityType,
  FINGERPRINT_BYTES,
  POWER_MAX,
  type Role,
  rolesCodec,
} from './messages.ts';
import { writeFingerprint, writeKey, writeNode, writeOrganization } from './state.ts';

export const GENESIS_ORGANIZATIONS_MAX = 1_000;
export const GENESIS_NODES_MAX = VALIDATORS_MAX;
export const GENESIS_KEYS_MAX = 10_000;

/** The consortium as it was founded: the genesis document's `applicationState`. */
export interface MembershipGenesis {
  readonly organizations: readonly {
    readonly organization: OrganizationId;
    readonly entityType: EntityType;
    readonly encryptionKey: Uint8Array;
  }[];
  readonly nodes: readonly {
    readonly node: NodeId;
    readonly organization: OrganizationId;
    readonly publicKey: PublicKey;
    /** SHA-256 of the node's TLS certificate (DER). */
    readonly fingerprint: Uint8Array;
    /** 0 for a node that only follows. */
    readonly power: number;
  }[];
  readonly keys: readonly {
    readonly publicKey: PublicKey;
    readonly organization: OrganizationId;
    readonly roles: readonly Role[];
  }[];
}

export const membershipGenesisCodec: Codec<MembershipGenesis> = struct({
  organizations: list(
    struct({
      organization: organizationIdCodec,
      entityType: oneOf(ENTITY_TYPES),
      encryptionKey: fixedBytes(ENCRYPTION_KEY_BYTES),
    }),
    { countMax: GENESIS_ORGANIZATIONS_MAX },
  ),
  nodes: list(
    struct({
      node: nodeIdCodec,
      organization: organizationIdCodec,
      publicKey: publicKeyCodec,
      fingerprint: fixedBytes(FINGERPRINT_BYTES),
      power: uintUpTo(POWER_MAX),
    }),
    { countMax: GENESIS_NODES_MAX },
  ),
  keys: list(struct({ publicKey: publicKeyCodec, organization: organizationIdCodec, roles: rolesCodec }), {
    countMax: GENESIS_KEYS_MAX,
  }),
});

/** A founding document that is no consortium: a member without administrator, a key used twice, a weak key. */
export class MembershipGenesisError extends Error {
  override readonly name = 'MembershipGenesisError';
  readonly code = 'membership/genesis';
  readonly help = 'Correct the consortium file and make the genesis document anew.';
}

function require(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new MembershipGenesisError(problem);
}

function requireDistinct(what: string, names: readonly string[]): void {
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  require(repeated === undefined, `${what} ${repeated} is named twice`);
}

function checkGenesis(genesis: MembershipGenesis): void {
  const { organizations, nodes, keys } = genesis;
  const members = new Set(organizations.map(({ organization }) => organization));
  const publicKeys = [...nodes, ...keys].map(({ publicKey }) => publicKey);
  requireDistinct(
    'organization',
    organizations.map(({ organization }) => organization),
  );
  requireDistinct(
    'node',
    nodes.map(({ node }) => node),
  );
  requireDistinct('key', publicKeys.map(toHex));
  requireDistinct(
    'certificate',
    nodes.map(({ fingerprint }) => toHex(fingerprint)),
  );
  require(publicKeys.every(isAcceptablePublicKey), 'a public key is not canonical or of small order');
  for (const { organization, encryptionKey } of organizations) {
    require(isAcceptableEncryptionKey(encryptionKey), `${organization} has an encryption key of small order`);
    const hasAdministrator = keys.some(
      (key) => key.organization === organization && key.roles.includes('administrator'),
    );
    require(hasAdministrator, `${organization} has no administrator key`);
  }
  for (const { organization } of [...nodes, ...keys]) {
    require(members.has(organization), `${organization} is not an organization of this consortium`);
  }
  require(keys.every(({ roles }) => !roles.includes('validator')), 'only a node holds the role validator');
  require(nodes.some(({ power }) => power > 0), 'no node has voting power');
}

/**
 * State at height 0.
 *
 * @param applicationState Canonical bytes of {@link membershipGenesisCodec}.
 * @throws {@link MembershipGenesisError} when they describe no workable consortium; CborError when they are not one.
 */
export function initialMembershipWrites(applicationState: Uint8Array): readonly Write[] {
  const genesis = membershipGenesisCodec.decode(applicationState);
  checkGenesis(genesis);
  const administratorsOf = (organization: OrganizationId): number =>
    genesis.keys.filter((key) => key.organization === organization && key.roles.includes('administrator'))
      .length;
  return [
    ...genesis.organizations.map(({ organization, entityType, encryptionKey }) =>
      writeOrganization(organization, {
        entityType,
        encryptionKey,
        standing: 'active',
        revision: 0,
        administrators: administratorsOf(organization),
      }),
    ),
    ...genesis.nodes.flatMap(({ node, organization, publicKey, fingerprint, power }) => [
      writeNode(node, { organization, publicKey, fingerprint, power, standing: 'active' }),
      writeKey(publicKey, {
        organization,
        roles: [power > 0 ? 'validator' : 'observer'],
        standing: 'active',
        node,
      }),
      writeFingerprint(fingerprint, node),
    ]),
    ...genesis.keys.map(({ publicKey, organization, roles }) =>
      writeKey(publicKey, { organization, roles, standing: 'active' }),
    ),
  ];
}
