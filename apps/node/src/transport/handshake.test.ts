import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { Hello } from '@careledger/consensus';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createConsortiumCa, issueCertificate, type KeyAndCertificate } from '../certificates.ts';
import type { LedgerNode } from '../ledger-node.ts';
import type { NodeAddresses } from '../options.ts';
import { TestConsortium, until } from '../testing/test-consortium.ts';
import { encodeFrame, FrameReader } from './frames.ts';
import { helloOf, tlsOptions } from './handshake.ts';
import {
  decodePeerMessage,
  encodePeerMessage,
  HANDSHAKE_BYTES_MAX,
  type PeerMessage,
} from './peer-message.ts';

let consortium: TestConsortium;
let node: LedgerNode;
let addresses: NodeAddresses;

beforeAll(async () => {
  consortium = await TestConsortium.found();
  node = await consortium.start(0);
  addresses = await node.start();
});
afterAll(() => consortium.close());

function hello(changes: Partial<Hello> = {}): Hello {
  const { node: name } = consortium.member(1);
  return {
    ...helloOf({ chain: consortium.chain, engine: { id: 'pbft', version: 1 }, node: name }),
    ...changes,
  };
}

function dial(identity: KeyAndCertificate | undefined, changes: ConnectionOptions = {}): TLSSocket {
  const { peer } = addresses;
  const tls = identity ? tlsOptions({ ...identity, certificateAuthority: consortium.ca.certificate }) : {};
  return connect({
    ...tls,
    ca: consortium.ca.certificate,
    host: peer.host,
    port: peer.port,
    checkServerIdentity: () => undefined,
    ...changes,
  });
}

/** What the node says to a peer that opens with these bytes, until it closes the connection or greets. */
async function conversation(socket: TLSSocket, ...frames: Uint8Array[]): Promise<readonly PeerMessage[]> {
  const heard: PeerMessage[] = [];
  const reader = new FrameReader(HANDSHAKE_BYTES_MAX);
  socket.on('error', () => undefined);
  socket.once('secureConnect', () => {
    for (const frame of frames) socket.write(encodeFrame(frame));
  });
  const greeted = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      for (const frame of reader.push(chunk)) heard.push(decodePeerMessage(frame));
      if (heard.some((message) => message.kind === 'hello')) resolve();
    });
  });
  await Promise.race([new Promise((resolve) => socket.once('close', resolve)), greeted]);
  socket.destroy();
  return heard;
}

function helloFrame(changes: Partial<Hello> = {}): Uint8Array {
  return encodePeerMessage({ kind: 'hello', ...hello(changes) });
}

async function refusalOf(socket: TLSSocket, ...frames: Uint8Array[]): Promise<string | undefined> {
  const heard = await conversation(socket, ...frames);
  expect(heard.some((message) => message.kind === 'hello')).toBe(false);
  const refusal = heard.find((message) => message.kind === 'refused');
  return refusal?.kind === 'refused' ? refusal.code : undefined;
}

test('CON-13: a node of the same chain, engine and version is greeted', async () => {
  const heard = await conversation(dial(consortium.member(1).certificate), helloFrame());
  expect(heard.map((message) => message.kind)).toContain('hello');
});

test.each<[string, Partial<Hello>, string]>([
  ['chain', { chain: new Uint8Array(32).fill(7) }, 'handshake/other-chain'],
  ['engine', { engine: { id: 'authority', version: 1 } }, 'handshake/other-engine'],
  ['engine version', { engine: { id: 'pbft', version: 2 } }, 'handshake/other-engine-version'],
  ['protocol version', { protocolVersion: 99 }, 'handshake/other-protocol-version'],
  ['name than its certificate says', { node: 'member-3-1' as string }, 'handshake/not-a-member'],
])('CON-13: a node of another %s is refused with the reason', async (_what, changes, code) => {
  expect(await refusalOf(dial(consortium.member(1).certificate), helloFrame(changes))).toBe(code);
});

test('NET-05, CRY-05: a certificate of the consortium that no node in force has is refused at the handshake', async () => {
  const stranger = await issueCertificate({ ca: consortium.ca, commonName: 'member-1-1' });
  expect(await refusalOf(dial(stranger), helloFrame())).toBe('handshake/not-a-member');
});

test('NET-05, CRY-05: a certificate of another authority never gets to speak', async () => {
  const ca = await createConsortiumCa({ commonName: 'test consortium' });
  const forged = await issueCertificate({ ca, commonName: 'member-2-1' });
  expect(await conversation(dial(forged), helloFrame())).toEqual([]);
});

test('CRY-05: an expired certificate never gets to speak', async () => {
  const expired = await issueCertificate({
    ca: consortium.ca,
    commonName: 'member-2-1',
    validityDays: -0.001,
  });
  expect(await conversation(dial(expired), helloFrame())).toEqual([]);
});

test('CRY-12: without a client certificate nothing is said', async () => {
  expect(await conversation(dial(undefined), helloFrame())).toEqual([]);
});

test('CRY-12: TLS 1.2 is refused', async () => {
  const socket = dial(consortium.member(1).certificate, {
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    ciphers: 'DEFAULT',
  });
  const [fault] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  expect(fault.code).toMatch(/PROTOCOL_VERSION|NO_CIPHERS|ALERT/);
});

test('CRY-12: a suite that is not on the list is refused', async () => {
  const socket = dial(consortium.member(1).certificate, { ciphers: 'TLS_AES_128_CCM_SHA256' });
  const [fault] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  expect(fault.code).toMatch(/HANDSHAKE_FAILURE|NO_SHARED_CIPHER|NO_CIPHER|ALERT/);
});

test('a peer that speaks before its hello, sends too large a frame or no CBOR is cut off', async () => {
  const { certificate } = consortium.member(1);
  const early = encodePeerMessage({ kind: 'blocks-request', number: 1, from: 1, countMax: 1 });
  expect(await refusalOf(dial(certificate), early)).toBeUndefined();
  expect(await refusalOf(dial(certificate), new Uint8Array(HANDSHAKE_BYTES_MAX + 1))).toBeUndefined();
  expect(await refusalOf(dial(certificate), Uint8Array.of(0xff, 0x00))).toBeUndefined();
});

test('NET-05: a node whose own chain differs says why it was refused, and is connected to nobody', async () => {
  const other = await TestConsortium.found({ network: 'other' });
  const foreign = await other.start(1, {
    tls: { ...consortium.member(1).certificate, certificateAuthority: consortium.ca.certificate },
  });
  foreign.addPeers([{ node: consortium.member(0).node, ...addresses.peer }]);
  node.addPeers([{ node: consortium.member(1).node, ...(await foreign.start()).peer }]);
  await until(() => node.status().peers.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(node.status().peers.filter(({ connected }) => connected)).toEqual([]);
  expect(foreign.status().peers.filter(({ connected }) => connected)).toEqual([]);
  await other.close();
});
