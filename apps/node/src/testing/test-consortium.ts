import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anchorRecordsCodec, type MembershipGenesis, membershipGenesisCodec } from '@careledger/capabilities';
import { chainIdOf, type Genesis, genesisCodec, signTransaction, type Transaction } from '@careledger/ledger';
import {
  type ChainId,
  type NodeId,
  nodeId,
  type OrganizationId,
  organizationId,
  type PublicKey,
  type Signer,
  toHex,
} from '@careledger/primitives';
import {
  createConsortiumCa,
  type IssuedCertificate,
  issueCertificate,
  type KeyAndCertificate,
} from '../certificates.ts';
import { createNode } from '../create-node.ts';
import { signerOfSeed } from '../keys.ts';
import type { LedgerNode } from '../ledger-node.ts';
import type { NodeOptions, PeerAddress } from '../options.ts';

/** A member of a consortium that a test founds. */
export interface TestMember {
  readonly organization: OrganizationId;
  readonly node: NodeId;
  readonly validator: Signer;
  readonly validatorSeed: Uint8Array;
  /** In force for the organization as administrator and custodian. */
  readonly signer: Signer;
  readonly certificate: IssuedCertificate;
  readonly folder: string;
}

export interface TestConsortiumOptions {
  readonly members?: number;
  readonly engine?: { readonly id: string; readonly version: number };
  /** A network name of its own makes a chain of its own. */
  readonly network?: string;
  /** When the chain began, in milliseconds; a second ago unless given. */
  readonly time?: number;
}

function newSigner(): Signer {
  return signerOfSeed(randomBytes(32));
}

function newEncryptionKey(): Uint8Array {
  const { publicKey } = generateKeyPairSync('x25519');
  return new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(-32));
}

function genesisOf(members: readonly TestMember[], options: TestConsortiumOptions): Uint8Array {
  const membership: MembershipGenesis = {
    organizations: members.map(({ organization }) => ({
      organization,
      entityType: 'provider',
      encryptionKey: newEncryptionKey(),
    })),
    nodes: members.map(({ node, organization, validator, certificate }) => ({
      node,
      organization,
      publicKey: validator.publicKey as PublicKey,
      fingerprint: certificate.fingerprint,
      power: 1,
    })),
    keys: members.map(({ organization, signer }) => ({
      publicKey: signer.publicKey as PublicKey,
      organization,
      roles: ['administrator', 'custodian'] as const,
    })),
  };
  const validators = members.map(({ node, organization, validator }) => ({
    node,
    organization,
    publicKey: validator.publicKey as PublicKey,
    power: 1,
  }));
  const genesis: Genesis = {
    version: 1,
    network: options.network ?? 'test',
    time: options.time ?? Date.now() - 1_000,
    engine: options.engine ?? { id: 'pbft', version: 1 },
    parameters: {
      transactionBytesMax: 65_536,
      blockBytesMax: 1_048_576,
      rulePack: 'opt-in-exchange',
      detectorVersion: 1,
    },
    validators: validators.sort((left, right) => Buffer.compare(left.publicKey, right.publicKey)),
    applicationState: membershipGenesisCodec.encode(membership),
  };
  return genesisCodec.encode(genesis);
}

/** Members, keys, certificates, a genesis document and a folder for each, in a temporary place. */
export class TestConsortium {
  readonly ca: KeyAndCertificate;
  readonly members: readonly TestMember[];
  readonly genesis: Uint8Array;
  readonly chain: ChainId;
  readonly #place: string;
  readonly #started = new Set<LedgerNode>();

  private constructor(
    place: string,
    ca: KeyAndCertificate,
    members: readonly TestMember[],
    genesis: Uint8Array,
  ) {
    this.#place = place;
    this.ca = ca;
    this.members = members;
    this.genesis = genesis;
    this.chain = chainIdOf(genesis);
  }

  static async found(options: TestConsortiumOptions = {}): Promise<TestConsortium> {
    const place = mkdtempSync(join(tmpdir(), 'careledger-node-'));
    const ca = await createConsortiumCa({ commonName: 'test consortium' });
    const members: TestMember[] = [];
    for (let number = 1; number <= (options.members ?? 4); number += 1) {
      const name = `member-${number}`;
      const validatorSeed = randomBytes(32);
      members.push({
        organization: organizationId(name),
        node: nodeId(`${name}-1`),
        validator: signerOfSeed(validatorSeed),
        validatorSeed,
        signer: newSigner(),
        certificate: await issueCertificate({ ca, commonName: `${name}-1`, organization: name }),
        folder: join(place, name),
      });
    }
    return new TestConsortium(place, ca, members, genesisOf(members, options));
  }

  member(place: number): TestMember {
    const member = this.members[place];
    if (!member) throw new RangeError(`there is no member ${place}`);
    return member;
  }

  /** The options of one member's node, on free ports and without peers. */
  optionsOf(place: number, changes: Partial<NodeOptions> = {}): NodeOptions {
    const { folder, node, validator, certificate } = this.member(place);
    return {
      folder,
      genesis: this.genesis,
      node,
      signer: validator,
      tls: { ...certificate, certificateAuthority: this.ca.certificate },
      listen: { apiPort: 0, peerPort: 0 },
      peers: [],
      ...changes,
    };
  }

  /** Starts one node and makes it and all others known to each other. */
  async start(place: number, changes: Partial<NodeOptions> = {}): Promise<LedgerNode> {
    const node = createNode(this.optionsOf(place, changes));
    await this.restart(node, place);
    return node;
  }

  /** Starts a node again; its peers learn where it listens now. */
  async restart(node: LedgerNode, place: number): Promise<void> {
    const { peer } = await node.start();
    const own = { node: this.member(place).node, ...peer };
    for (const other of this.#started) {
      if (other === node) continue;
      const { node: name } = other.status();
      const { peer: address } = await other.start();
      other.addPeers([own]);
      node.addPeers([{ node: name, ...address }]);
    }
    this.#started.add(node);
  }

  /** Where the started nodes listen for peers. */
  async addresses(): Promise<readonly PeerAddress[]> {
    const nodes = [...this.#started];
    return Promise.all(
      nodes.map(async (node) => ({ node: node.status().node, ...(await node.start()).peer })),
    );
  }

  async startAll(changes: Partial<NodeOptions> = {}): Promise<readonly LedgerNode[]> {
    const nodes: LedgerNode[] = [];
    for (const place of this.members.keys()) nodes.push(await this.start(place, changes));
    return nodes;
  }

  async stop(node: LedgerNode): Promise<void> {
    this.#started.delete(node);
    await node.stop();
  }

  /** Stops everything that was started here and removes the folders. */
  async close(): Promise<void> {
    await Promise.all([...this.#started].map((node) => node.stop()));
    this.#started.clear();
    rmSync(this.#place, { recursive: true, force: true });
  }

  /** A signed `records/anchor` of one member; `changes` makes it a wrong one. */
  anchor(place: number, changes: Partial<Transaction['payload']> = {}): Transaction {
    const body = anchorRecordsCodec.encode({ root: randomBytes32(), retirements: [] });
    return this.transaction(place, { type: 'records/anchor', body, ...changes });
  }

  transaction(
    place: number,
    payload: Pick<Transaction['payload'], 'type' | 'body'> & Partial<Transaction['payload']>,
  ): Transaction {
    return this.signed(this.member(place).signer, payload);
  }

  /** A transaction by any key. */
  signed(
    signer: Signer,
    payload: Pick<Transaction['payload'], 'type' | 'body'> & Partial<Transaction['payload']>,
  ): Transaction {
    const whole = {
      chain: this.chain,
      nonce: new Uint8Array(randomBytes(16)),
      expiresAt: Date.now() + 60_000,
      ...payload,
    };
    return signTransaction({ payload: whole, signer });
  }
}

function randomBytes32(): Uint8Array {
  return new Uint8Array(randomBytes(32));
}

/** Waits until this holds. @throws when it does not in time. */
export async function until(holds: () => boolean, milliseconds = 10_000): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not within ${milliseconds} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What must be the same on every node. */
export function standing(node: LedgerNode): string {
  const { height, headerHash, stateRoot } = node.status();
  return `${height} ${toHex(headerHash)} ${toHex(stateRoot)}`;
}

/** Waits until all nodes stand at the same height with the same hash and root. */
export async function agreement(nodes: readonly LedgerNode[], milliseconds = 10_000): Promise<string> {
  await until(() => new Set(nodes.map(standing)).size === 1, milliseconds);
  const [first] = nodes;
  return first ? standing(first) : '';
}
