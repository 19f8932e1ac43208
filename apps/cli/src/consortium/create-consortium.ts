import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type MembershipGenesis, membershipGenesisCodec } from '@careledger/capabilities';
import {
  DISCLOSURE_SIGNING_KEY,
  GATEWAY_KEYS,
  LEDGER_SIGNING_KEY,
  LOCAL_OPERATOR,
  OPERATOR_SCOPES,
  ORGANIZATION_SCOPES,
  openFileKeystore,
  publicJwkOf,
  type RegisteredClient,
  readOrCreatePrivateJwk,
  SEALED_ENTRIES_KEY,
} from '@careledger/gateway';
import { chainIdOf, GENESIS_VERSION, genesisCodec } from '@careledger/ledger';
import {
  createConsortiumCa,
  createSigningKey,
  type IssuedCertificate,
  issueCertificate,
  type KeyAndCertificate,
} from '@careledger/node';
import { nodeId, organizationId, type PublicKey, toBase64Url, toHex } from '@careledger/primitives';
import { type ConsortiumFile, readConsortiumFile, writeConsortiumFile } from '../consortium-file.ts';
import { createDevelopmentUsers, developmentApp, writePasswords } from './development-users.ts';
import { homePaths, type MemberConfig } from './member-config.ts';
import { LOCAL_MEMBERS, type LocalMember, type MemberPorts, portsOf } from './members.ts';

const NETWORK = 'local-consortium';
const TRANSACTION_BYTES_MAX = 64 * 1024;
const BLOCK_BYTES_MAX = 1024 * 1024;
const DETECTOR_VERSION = 1;
const OWNER_ONLY = 0o600;

export interface ConsortiumOptions {
  readonly folder: string;
  readonly basePort: number;
  /** Milliseconds: the genesis block's time. */
  readonly now: number;
  /** `pbft`, or `authority` for a fixed list of signers in turn. */
  readonly engine: { readonly id: string; readonly version: number };
  readonly rulePack: string;
  /** Who founds it: {@link LOCAL_MEMBERS} unless given. */
  readonly members?: readonly LocalMember[];
}

interface Founded {
  readonly member: LocalMember;
  readonly home: string;
  readonly ports: MemberPorts;
  readonly nodeCertificate: IssuedCertificate;
  readonly gatewayCertificate: IssuedCertificate;
  readonly validatorKey: PublicKey;
  readonly administratorKey: PublicKey;
  readonly ledgerKey: PublicKey;
  readonly disclosureKey: PublicKey;
  readonly encryptionKey: Uint8Array;
  readonly client: RegisteredClient;
}

/**
 * Opens the consortium in this folder, or founds it: certificate authority, keys, genesis document, one home a member.
 * Founding is all or nothing: it happens in a folder beside, which takes its name when complete.
 *
 * @throws CliError when the folder holds a consortium of another version.
 */
export async function openConsortium(options: ConsortiumOptions): Promise<ConsortiumFile> {
  if (!existsSync(join(options.folder, 'consortium.json'))) await foundConsortium(options);
  const consortium = readConsortiumFile(options.folder);
  return applyPorts(consortium, options);
}

async function foundConsortium(options: ConsortiumOptions): Promise<void> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  // A founding that was interrupted left no consortium.json: nothing of it can be in use.
  for (const name of ['members', 'network'])
    rmSync(join(options.folder, name), { recursive: true, force: true });
  const network = join(options.folder, 'network');
  mkdirSync(network, { recursive: true, mode: 0o700 });
  const ca = await createConsortiumCa({ commonName: `${NETWORK} development authority` });
  writeFileSync(join(network, 'ca.pem'), ca.certificate);
  const founded: Founded[] = [];
  for (const [place, member] of membersOf(options).entries()) {
    founded.push(await foundMember(options, ca, member, portsOf(options.basePort, place)));
  }
  const genesis = genesisOf(options, founded);
  writeFileSync(join(network, 'genesis.cbor'), genesis);
  const operatorKeyFile = join(network, 'local-operator.jwk');
  const operatorKey = await readOrCreatePrivateJwk(operatorKeyFile, 'ES384');
  const passwords = new Map<string, string>();
  for (const { member, home, client } of founded) {
    const others = founded.filter((other) => other.member !== member).map((other) => other.client);
    const operator: RegisteredClient = {
      clientId: LOCAL_OPERATOR,
      kind: 'operator',
      organization: client.organization,
      publicKeys: [publicJwkOf(operatorKey)],
      scopes: OPERATOR_SCOPES,
      certificates: [],
    };
    writeFileSync(
      join(home, 'clients.json'),
      `${JSON.stringify({ clients: [...others, operator, developmentApp(client.organization)] }, null, 2)}\n`,
    );
    passwords.set(client.clientId, await createDevelopmentUsers(home));
  }
  writePasswords(options.folder, passwords);
  const file: ConsortiumFile = {
    version: 1,
    chain: toHex(chainIdOf(genesis)),
    genesisFile: relative(options.folder, join(network, 'genesis.cbor')),
    caFile: relative(options.folder, join(network, 'ca.pem')),
    localOperatorKeyFile: relative(options.folder, operatorKeyFile),
    organizations: founded.map(({ member, home, ports }) => ({
      name: member.name,
      home: relative(options.folder, home),
      fhir: `https://localhost:${ports.fhir}/fhir/R4`,
      node: `https://localhost:${ports.node}`,
      console: null,
      tls: {
        certFile: relative(options.folder, homePaths(home).gatewayCertificate),
        keyFile: relative(options.folder, homePaths(home).gatewayPrivateKey),
      },
    })),
  };
  writeConsortiumFile(options.folder, file);
}

async function foundMember(
  options: ConsortiumOptions,
  ca: KeyAndCertificate,
  member: LocalMember,
  ports: MemberPorts,
): Promise<Founded> {
  const home = join(options.folder, 'members', member.name);
  const paths = homePaths(home);
  for (const folder of ['keys', 'tls', 'node', 'gateway', 'logs']) {
    mkdirSync(join(home, folder), { recursive: true, mode: 0o700 });
  }
  const organization = organizationId(member.name);
  const issue = (role: string) =>
    issueCertificate({
      ca,
      commonName: `${member.name}-${role}`,
      organization: member.name,
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
    });
  const nodeCertificate = await issue('node');
  const gatewayCertificate = await issue('gateway');
  writeFileSync(paths.certificateAuthority, ca.certificate);
  writeFileSync(paths.nodeCertificate, nodeCertificate.certificate);
  writeFileSync(paths.nodePrivateKey, nodeCertificate.privateKey, { mode: OWNER_ONLY });
  writeFileSync(paths.gatewayCertificate, gatewayCertificate.certificate);
  writeFileSync(paths.gatewayPrivateKey, gatewayCertificate.privateKey, { mode: OWNER_ONLY });
  const clientKey = await readOrCreatePrivateJwk(paths.clientKey, 'ES384');
  await readOrCreatePrivateJwk(paths.authorizationKey, 'ES256');
  const keystore = await openFileKeystore({
    folder: paths.keystore,
    secret: { kind: 'key-file', path: paths.keystoreSecret },
  });
  await keystore.ensure(GATEWAY_KEYS);
  const founded: Founded = {
    member,
    home,
    ports,
    nodeCertificate,
    gatewayCertificate,
    validatorKey: createSigningKey(paths.validatorKey).publicKey as PublicKey,
    administratorKey: createSigningKey(paths.administratorKey).publicKey as PublicKey,
    ledgerKey: keystore.signer(LEDGER_SIGNING_KEY).publicKey as PublicKey,
    disclosureKey: keystore.signer(DISCLOSURE_SIGNING_KEY).publicKey as PublicKey,
    encryptionKey: keystore.sealedBox(SEALED_ENTRIES_KEY).publicKey,
    client: {
      clientId: member.name,
      kind: 'organization',
      organization,
      publicKeys: [publicJwkOf(clientKey)],
      scopes: ORGANIZATION_SCOPES,
      certificates: [toBase64Url(gatewayCertificate.fingerprint)],
    },
  };
  await keystore.close();
  writeMemberConfig(home, member.name, options);
  return founded;
}

function genesisOf(options: ConsortiumOptions, founded: readonly Founded[]): Uint8Array {
  const membership: MembershipGenesis = {
    organizations: founded.map(({ member, encryptionKey }) => ({
      organization: organizationId(member.name),
      entityType: member.entityType,
      encryptionKey,
    })),
    nodes: founded.map(({ member, validatorKey, nodeCertificate }) => ({
      node: nodeId(`${member.name}-1`),
      organization: organizationId(member.name),
      publicKey: validatorKey,
      fingerprint: nodeCertificate.fingerprint,
      power: 1,
    })),
    keys: founded.flatMap(({ member, administratorKey, ledgerKey, disclosureKey }) => {
      const organization = organizationId(member.name);
      return [
        { publicKey: administratorKey, organization, roles: ['administrator' as const] },
        { publicKey: ledgerKey, organization, roles: ['custodian' as const] },
        { publicKey: disclosureKey, organization, roles: ['custodian' as const] },
      ];
    }),
  };
  return genesisCodec.encode({
    version: GENESIS_VERSION,
    network: NETWORK,
    time: options.now,
    engine: options.engine,
    parameters: {
      transactionBytesMax: TRANSACTION_BYTES_MAX,
      blockBytesMax: BLOCK_BYTES_MAX,
      rulePack: options.rulePack,
      detectorVersion: DETECTOR_VERSION,
    },
    validators: founded
      .map(({ member, validatorKey }) => ({
        node: nodeId(`${member.name}-1`),
        organization: organizationId(member.name),
        publicKey: validatorKey,
        power: 1,
      }))
      .toSorted((left, right) => (toHex(left.publicKey) < toHex(right.publicKey) ? -1 : 1)),
    applicationState: membershipGenesisCodec.encode(membership),
  });
}

function membersOf({ members = LOCAL_MEMBERS }: ConsortiumOptions): readonly LocalMember[] {
  return members;
}

function writeMemberConfig(home: string, name: string, options: ConsortiumOptions): void {
  const { basePort } = options;
  const others = membersOf(options).map((member, place) => ({ member, ports: portsOf(basePort, place) }));
  const own = others.find(({ member }) => member.name === name)?.ports ?? portsOf(basePort, 0);
  const config: MemberConfig = {
    organization: name,
    node: `${name}-1`,
    genesisFile: '../../network/genesis.cbor',
    clientsFile: 'clients.json',
    ports: own,
    peers: others.map(({ member, ports }) => ({ node: `${member.name}-1`, port: ports.peer })),
    gateways: others
      .filter(({ member }) => member.name !== name)
      .map(({ member, ports }) => ({ organization: member.name, origin: `https://localhost:${ports.fhir}` })),
  };
  const { config: file } = homePaths(home);
  writeFileSync(`${file}.new`, `${JSON.stringify(config, null, 2)}\n`, { flush: true });
  renameSync(`${file}.new`, file);
}

/** The ports may differ from run to run: `--port` moves a consortium that stands still. */
function applyPorts(consortium: ConsortiumFile, options: ConsortiumOptions): ConsortiumFile {
  const organizations = consortium.organizations.map((organization, place) => {
    const ports = portsOf(options.basePort, place);
    writeMemberConfig(join(options.folder, organization.home), organization.name, options);
    return {
      ...organization,
      fhir: `https://localhost:${ports.fhir}/fhir/R4`,
      node: `https://localhost:${ports.node}`,
    };
  });
  const moved = { ...consortium, organizations };
  writeConsortiumFile(options.folder, moved);
  return moved;
}

/** The genesis document's bytes. */
export function readGenesis(folder: string, consortium: ConsortiumFile): Uint8Array {
  return Uint8Array.from(readFileSync(join(folder, consortium.genesisFile)));
}
