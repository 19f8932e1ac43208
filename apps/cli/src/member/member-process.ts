/**
 * One member of the consortium as one operating-system process: its ledger node and its gateway. Started by
 * `careledger start` with the member's home as its only argument; ends when asked to, or when its starter is gone.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createExchange, createGateway, type Gateway, readClientRegistry } from '@careledger/gateway';
import { createNode, type LedgerNode, readSigningKey, type TlsIdentity } from '@careledger/node';
import { nodeId, organizationId } from '@careledger/primitives';
import type { JWK } from 'jose';
import { homePaths, readMemberConfig } from '../consortium/member-config.ts';
import { type Fault, faultOf } from '../errors.ts';
import { serveControl } from './control-socket.ts';
import { createGatewayLog } from './gateway-log.ts';
import { handleRequest } from './member-requests.ts';
import { onlyMembersInForce } from './members-in-force.ts';
import type { MemberMessage, MemberRequest } from './messages.ts';

interface Member {
  readonly node: LedgerNode;
  readonly gateway: Gateway;
}

/** Advice for a fault that brings none of its own. */
function memberFault(thrown: unknown): Fault {
  return faultOf(thrown, "See the member's log for what happened before.");
}

function send(message: MemberMessage): void {
  if (process.connected) process.send?.(message);
}

function readTls(home: string, role: 'node' | 'gateway'): TlsIdentity {
  const paths = homePaths(home);
  const certificate = role === 'node' ? paths.nodeCertificate : paths.gatewayCertificate;
  const privateKey = role === 'node' ? paths.nodePrivateKey : paths.gatewayPrivateKey;
  return {
    certificate: readFileSync(certificate, 'utf8'),
    privateKey: readFileSync(privateKey, 'utf8'),
    certificateAuthority: readFileSync(paths.certificateAuthority, 'utf8'),
  };
}

async function openMember(
  home: string,
): Promise<Member & { readonly addresses: { fhir: string; node: string } }> {
  const config = readMemberConfig(home);
  const paths = homePaths(home);
  const node = createNode({
    folder: paths.node,
    genesis: Uint8Array.from(readFileSync(resolve(home, config.genesisFile))),
    node: nodeId(config.node),
    signer: readSigningKey(paths.validatorKey),
    tls: readTls(home, 'node'),
    listen: { apiPort: config.ports.node, peerPort: config.ports.peer },
    peers: config.peers.map((peer) => ({ node: nodeId(peer.node), host: 'localhost', port: peer.port })),
    log: { path: paths.nodeLog, level: 'info' },
    // A halted node has written its evidence: the process ends so that nobody takes it for a working member.
    onHalt: (reason) => {
      send({ kind: 'failed', fault: memberFault(reason) });
      process.exitCode = 1;
      process.kill(process.pid, 'SIGTERM');
    },
  });
  const { api } = await node.start();
  const log = createGatewayLog(paths.gatewayLog);
  const gatewayTls = readTls(home, 'gateway');
  const gateway = await createGateway({
    home,
    organization: organizationId(config.organization),
    ledger: node,
    keystoreSecret: { kind: 'key-file', path: paths.keystoreSecret },
    tls: gatewayTls,
    port: config.ports.fhir,
    authorizationKey: JSON.parse(readFileSync(paths.authorizationKey, 'utf8')) as JWK,
    clients: onlyMembersInForce(await readClientRegistry(resolve(home, config.clientsFile)), node),
    trustPath: () => node.trustPath(),
    log,
    parts: [
      (context) =>
        createExchange(context, {
          tls: gatewayTls,
          trustPath: () => node.trustPath(),
          clientKey: JSON.parse(readFileSync(paths.clientKey, 'utf8')) as JWK,
          members: config.gateways.map(({ organization, origin }) => ({
            organization: organizationId(organization),
            origin,
          })),
        }),
    ],
  });
  await gateway.start();
  return { node, gateway, addresses: { fhir: gateway.url, node: api.url } };
}

async function main(): Promise<void> {
  const home = process.argv[2];
  if (home === undefined) {
    console.error('This program is started by `careledger start`, with a member home as its argument.');
    process.exitCode = 2;
    return;
  }
  const { addresses, ...member } = await openMember(home);
  const control = await serveControl({
    home,
    control: async (request, watch) => handleRequest(member, request, watch),
    faultOf: memberFault,
  });
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await control.close();
    await member.gateway.stop();
    await member.node.stop();
    process.exit();
  };
  process.on('SIGTERM', stop);
  // Ctrl-C reaches the whole group: the starter decides the order in which members stop.
  process.on('SIGINT', () => undefined);
  process.on('disconnect', stop);
  process.on('message', (request: MemberRequest) => answer(member, request));
  send({ kind: 'ready', ...addresses });
}

async function answer(member: Member, request: MemberRequest): Promise<void> {
  const { id } = request;
  try {
    const onProgress = (done: number, total: number): void => send({ kind: 'progress', id, done, total });
    send({ kind: 'reply', id, result: await handleRequest(member, request, { onProgress }) });
  } catch (error) {
    send({ kind: 'refused', id, fault: memberFault(error) });
  }
}

// Whatever this process writes is for its own user alone: databases and logs too.
process.umask(0o077);
main().catch((error: unknown) => {
  send({ kind: 'failed', fault: memberFault(error) });
  if (!process.connected)
    console.error(error instanceof Error ? error.message : 'the member could not start');
  // The message must leave the process before it ends.
  setTimeout(() => process.exit(1), 100);
});
