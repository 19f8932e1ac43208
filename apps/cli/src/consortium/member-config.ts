import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from '../errors.ts';
import type { MemberPorts } from './members.ts';

/** `member.json` in a member's home: where everything of this member is. Paths are relative to the home. */
export interface MemberConfig {
  readonly organization: string;
  readonly node: string;
  readonly genesisFile: string;
  readonly clientsFile: string;
  readonly ports: MemberPorts;
  readonly peers: readonly { readonly node: string; readonly port: number }[];
  /** Where the other members' gateways are. */
  readonly gateways: readonly { readonly organization: string; readonly origin: string }[];
}

/** Where things stand in a member's home. */
export function homePaths(home: string) {
  return {
    config: join(home, 'member.json'),
    validatorKey: join(home, 'keys', 'validator.key'),
    administratorKey: join(home, 'keys', 'administrator.key'),
    keystoreSecret: join(home, 'keys', 'keystore.key'),
    authorizationKey: join(home, 'keys', 'authorization.jwk'),
    clientKey: join(home, 'keys', 'client.jwk'),
    certificateAuthority: join(home, 'tls', 'ca.pem'),
    nodeCertificate: join(home, 'tls', 'node.pem'),
    nodePrivateKey: join(home, 'tls', 'node.key'),
    gatewayCertificate: join(home, 'tls', 'gateway.pem'),
    gatewayPrivateKey: join(home, 'tls', 'gateway.key'),
    node: join(home, 'node'),
    gateway: join(home, 'gateway'),
    keystore: join(home, 'gateway', 'keystore'),
    users: join(home, 'gateway', 'authorization', 'users.json'),
    backupEpochs: join(home, 'backup-epochs'),
    nodeLog: join(home, 'logs', 'node.log'),
    gatewayLog: join(home, 'logs', 'gateway.log'),
  } as const;
}

/** Reads `member.json`. @throws {@link CliError} `member/config` when it is missing or not one. */
export function readMemberConfig(home: string): MemberConfig {
  const { config } = homePaths(home);
  try {
    return JSON.parse(readFileSync(config, 'utf8')) as MemberConfig;
  } catch (cause) {
    throw new CliError(
      'member/config',
      `${config} cannot be read.`,
      'Start with `npm start`, which makes it, or give the folder that holds it.',
      { cause },
    );
  }
}
