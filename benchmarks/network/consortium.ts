import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { anchorRecordsCodec, type MembershipGenesis, membershipGenesisCodec } from '@careledger/capabilities';
import { chainIdOf, genesisCodec, signTransaction } from '@careledger/ledger';
import { createConsortiumCa, issueCertificate, type NodeOptions, signerOfSeed } from '@careledger/node';
import { nodeId, organizationId, type PublicKey, type Signer } from '@careledger/primitives';
import { putCodec } from './payload-capability.ts';

const MINUTE = 60_000;
/** The longest that a transaction may wait: everything is signed before anything is measured. */
const EXPIRES_AFTER = 9 * MINUTE;

/** What a node process needs to start: `signer` is made there from the seed. */
export type NodePlan = Omit<NodeOptions, 'signer' | 'catalog' | 'onHalt'> & { readonly seed: Uint8Array };

/** Founded members without anything running. */
export interface Consortium {
  readonly genesis: Uint8Array;
  readonly plans: readonly NodePlan[];
  readonly validators: readonly Signer[];
  /** A signed `records/anchor` of one member with a random root: about 250 bytes, as the table says exactly. */
  readonly anchor: (member: number) => Uint8Array;
  /** A signed transaction with content of this length, on a key of its own unless one is given. */
  readonly put: (member: number, contentBytes: number, name?: Uint8Array) => Uint8Array;
  readonly sign: (member: number, type: string, body: Uint8Array) => Uint8Array;
  /** With which a member's process signs for itself. */
  readonly signerSeeds: readonly Uint8Array[];
}

export interface ConsortiumOptions {
  readonly members: number;
  /** How many of the members' nodes vote; all unless given. The others follow. */
  readonly validators?: number;
  readonly folder: string;
  readonly transactionBytesMax?: number;
  readonly blockBytesMax?: number;
}

/** Founds a consortium of one node a member. */
export async function foundConsortium(options: ConsortiumOptions): Promise<Consortium> {
  const ca = await createConsortiumCa({ commonName: 'benchmark consortium' });
  const members = await Promise.all(
    Array.from({ length: options.members }, async (_, place) => {
      const name = `member-${place + 1}`;
      const seed = random(32);
      const signerSeed = random(32);
      const certificate = await issueCertificate({ ca, commonName: `${name}-1`, organization: name });
      return {
        organization: organizationId(name),
        node: nodeId(`${name}-1`),
        seed,
        validator: signerOfSeed(seed),
        signer: signerOfSeed(signerSeed),
        signerSeed,
        certificate,
        power: place < (options.validators ?? options.members) ? 1 : 0,
      };
    }),
  );
  const membership: MembershipGenesis = {
    organizations: members.map(({ organization }) => ({
      organization,
      entityType: 'provider',
      encryptionKey: newEncryptionKey(),
    })),
    nodes: members.map(({ node, organization, validator, certificate, power }) => ({
      node,
      organization,
      publicKey: validator.publicKey as PublicKey,
      fingerprint: certificate.fingerprint,
      power,
    })),
    keys: members.map(({ organization, signer }) => ({
      publicKey: signer.publicKey as PublicKey,
      organization,
      roles: ['administrator', 'custodian'] as const,
    })),
  };
  const genesis = genesisCodec.encode({
    version: 1,
    network: 'benchmark',
    time: Date.now() - 1_000,
    engine: { id: 'pbft', version: 1 },
    parameters: {
      transactionBytesMax: options.transactionBytesMax ?? 64 * 1024,
      blockBytesMax: options.blockBytesMax ?? 1024 * 1024,
      rulePack: 'opt-in-exchange',
      detectorVersion: 1,
    },
    validators: members
      .filter(({ power }) => power > 0)
      .map(({ node, organization, validator }) => ({
        node,
        organization,
        publicKey: validator.publicKey as PublicKey,
        power: 1,
      }))
      .toSorted((left, right) => Buffer.compare(left.publicKey, right.publicKey)),
    applicationState: membershipGenesisCodec.encode(membership),
  });
  const chain = chainIdOf(genesis);
  const sign = (member: number, type: string, body: Uint8Array): Uint8Array => {
    const { signer } = memberAt(members, member);
    const nonce = new Uint8Array(randomBytes(16));
    const payload = { chain, nonce, expiresAt: Date.now() + EXPIRES_AFTER, type, body };
    return signTransaction({ payload, signer }).bytes;
  };
  return {
    genesis,
    validators: members.filter(({ power }) => power > 0).map(({ validator }) => validator),
    plans: members.map(({ node, seed, certificate }) => ({
      folder: join(options.folder, node),
      genesis,
      node,
      seed,
      tls: { ...certificate, certificateAuthority: ca.certificate },
      listen: { apiPort: 0, peerPort: 0 },
      peers: [],
    })),
    sign,
    signerSeeds: members.map(({ signerSeed }) => signerSeed),
    anchor: (member) =>
      sign(member, 'records/anchor', anchorRecordsCodec.encode({ root: random(32), retirements: [] })),
    put: (member, contentBytes, name = random(16)) =>
      sign(member, 'payload/put', putCodec.encode({ name, content: random(contentBytes) })),
  };
}

function memberAt<Member>(members: readonly Member[], place: number): Member {
  const member = members[place % members.length];
  if (!member) throw new RangeError('a consortium has a member');
  return member;
}

function random(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}

function newEncryptionKey(): Uint8Array {
  const { publicKey } = generateKeyPairSync('x25519');
  return new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(-32));
}
