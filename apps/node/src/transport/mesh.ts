import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import type { Hello } from '@careledger/consensus';
import { type NodeId, toHex } from '@careledger/primitives';
import type { Log } from '../log.ts';
import type { PeerAddress, TlsIdentity } from '../options.ts';
import { encodeFrame } from './frames.ts';
import {
  type Authenticate,
  compareHello,
  type PeerIdentity,
  peerFingerprint,
  refuseUnknown,
  tlsOptions,
} from './handshake.ts';
import { OUTGOING_GOSSIP_BYTES_MAX, PeerConnection } from './peer-connection.ts';
import { encodePeerMessage, type PeerMessage } from './peer-message.ts';

const BACK_OFF_MS_MIN = 100;
const BACK_OFF_MS_MAX = 5_000;
/** The node with the smaller name dials at once; the other one only if it has waited in vain. */
const PATIENCE_MS = 2_000;
const CONNECTIONS_MAX = 256;

/** A connected peer that has shown who it is. */
export interface Peer extends PeerIdentity {
  /** Its validator key as the consensus protocol names it. */
  readonly key: string;
  readonly send: (message: PeerMessage) => void;
  readonly drop: (reason: string) => void;
}

export interface MeshOptions {
  readonly tls: TlsIdentity;
  readonly hello: Hello;
  readonly authenticate: Authenticate;
  readonly log: Log;
  readonly onPeer: (peer: Peer) => void;
  readonly onMessage: (peer: Peer, message: PeerMessage) => void;
  /** Where a peer was refused, at either side. For metrics and tests. */
  readonly onRefused?: (refusal: { readonly code: string; readonly reason: string }) => void;
}

interface Known {
  readonly peer: Peer;
  readonly connection: PeerConnection;
  readonly fingerprint: Uint8Array;
}

interface Dialling {
  readonly address: PeerAddress;
  failures: number;
  timer: NodeJS.Timeout | undefined;
  socket: TLSSocket | undefined;
}

/** Every node connected to every other over mutual TLS 1.3: no hub, nobody in between. */
export class Mesh {
  readonly #options: MeshOptions;
  readonly #server: Server;
  readonly #peers = new Map<NodeId, Known>();
  readonly #dialling = new Map<NodeId, Dialling>();
  readonly #sockets = new Set<TLSSocket>();
  #isClosed = false;

  constructor(options: MeshOptions) {
    this.#options = options;
    this.#server = createServer({ ...tlsOptions(options.tls), handshakeTimeout: 5_000 }, (socket) =>
      this.#accept(socket, undefined),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on('tlsClientError', (fault) => this.#refused('handshake/tls', fault.message));
  }

  /** Listens; gives the port. @throws when the port is in use. */
  async listen(host: string, port: number): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** Names peers to connect to. A known one gets the new address when it is next dialled. */
  addPeers(addresses: readonly PeerAddress[]): void {
    for (const address of addresses) {
      if (address.node === this.#options.hello.node || this.#isClosed) continue;
      const before = this.#dialling.get(address.node);
      if (before) clearTimeout(before.timer);
      const dialling: Dialling = { address, failures: 0, timer: undefined, socket: undefined };
      this.#dialling.set(address.node, dialling);
      this.#schedule(dialling, this.#options.hello.node < address.node ? 0 : PATIENCE_MS);
    }
  }

  get peers(): readonly Peer[] {
    return [...this.#peers.values()].map(({ peer }) => peer);
  }

  /** Every node that is connected or has an address. */
  topology(): readonly { readonly node: NodeId; readonly connected: boolean }[] {
    const nodes = new Set([...this.#dialling.keys(), ...this.#peers.keys()]);
    return [...nodes].sort().map((node) => ({ node, connected: this.#peers.has(node) }));
  }

  /** The peer with this validator key. */
  peerByKey(key: string): Peer | undefined {
    return this.peers.find((peer) => peer.key === key);
  }

  broadcast(message: PeerMessage): void {
    if (this.#peers.size === 0) return;
    const frame = encodeFrame(encodePeerMessage(message));
    for (const { connection } of this.#peers.values()) {
      const isGossip = message.kind === 'transactions';
      if (!isGossip || connection.waitingBytes < OUTGOING_GOSSIP_BYTES_MAX) connection.sendEncoded(frame);
    }
  }

  /** Asks membership again and drops who is no longer in force: after every block. */
  dropRevoked(): void {
    for (const { peer, connection, fingerprint } of this.#peers.values()) {
      if (this.#options.authenticate(fingerprint)?.node === peer.node) continue;
      const { code, reason } = refuseUnknown(fingerprint);
      this.#refused(code, reason);
      connection.refuse(code, reason);
      this.#forget(peer.node, connection);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { timer } of this.#dialling.values()) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #schedule(dialling: Dialling, delay: number): void {
    if (this.#isClosed || this.#dialling.get(dialling.address.node) !== dialling) return;
    clearTimeout(dialling.timer);
    dialling.timer = setTimeout(() => this.#dial(dialling), delay);
  }

  #retry(dialling: Dialling): void {
    dialling.socket = undefined;
    dialling.failures += 1;
    const delay = Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS_MIN * 2 ** Math.min(dialling.failures, 10));
    this.#schedule(dialling, delay * (0.5 + Math.random() / 2));
  }

  #dial(dialling: Dialling): void {
    const { address } = dialling;
    if (this.#isClosed || dialling.socket) return;
    if (this.#peers.has(address.node)) {
      dialling.failures = 0;
      this.#schedule(dialling, PATIENCE_MS);
      return;
    }
    const { host, port } = address;
    // Who it is, is decided by the certificate's fingerprint in membership state, not by a host name.
    const socket = connect({
      host,
      port,
      ...tlsOptions(this.#options.tls),
      checkServerIdentity: () => undefined,
    });
    dialling.socket = socket;
    const onEarlyError = (fault: Error): void => {
      this.#options.log.debug({ peer: address.node, problem: fault.message }, 'peer not reached');
    };
    socket.on('error', onEarlyError);
    socket.once('close', () => this.#retry(dialling));
    socket.once('secureConnect', () => this.#accept(socket, dialling));
    this.#track(socket);
  }

  #track(socket: TLSSocket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** Both sides: who is it, is it in force, and does it agree on chain, engine and version? */
  #accept(socket: TLSSocket, dialling: Dialling | undefined): void {
    this.#track(socket);
    const fingerprint = peerFingerprint(socket);
    const identity = fingerprint && this.#options.authenticate(fingerprint);
    let known: Known | undefined;
    const connection = new PeerConnection(socket, {
      onMessage: (message) => {
        if (known) this.#receive(known, message);
        else known = this.#greet({ connection, identity, fingerprint, message, dialling });
      },
      onClose: (reason) => {
        if (known) this.#forget(known.peer.node, connection);
        if (!this.#isClosed)
          this.#options.log.debug({ peer: identity?.node, reason }, 'peer connection closed');
      },
    });
    const stranger = !identity || (dialling && identity.node !== dialling.address.node);
    if (stranger) {
      const { code, reason } = refuseUnknown(fingerprint);
      this.#refused(code, reason);
      connection.refuse(code, reason);
      return;
    }
    if (dialling) connection.send({ kind: 'hello', ...this.#options.hello });
  }

  #greet(arrival: {
    readonly connection: PeerConnection;
    readonly identity: PeerIdentity | undefined;
    readonly fingerprint: Uint8Array | undefined;
    readonly message: PeerMessage;
    readonly dialling: Dialling | undefined;
  }): Known | undefined {
    const { connection, identity, fingerprint, message, dialling } = arrival;
    if (message.kind === 'ping') return undefined;
    if (message.kind === 'refused') {
      this.#refused(message.code, message.reason);
      connection.close(`${message.code}: ${message.reason}`);
      return undefined;
    }
    if (message.kind !== 'hello' || !identity || !fingerprint) {
      connection.close('the peer spoke before its hello');
      return undefined;
    }
    const refusal = compareHello(this.#options.hello, message, identity);
    if (refusal) {
      this.#refused(refusal.code, refusal.reason);
      connection.refuse(refusal.code, refusal.reason);
      return undefined;
    }
    connection.open();
    if (dialling) dialling.failures = 0;
    else connection.send({ kind: 'hello', ...this.#options.hello });
    return this.#join({ connection, identity, fingerprint });
  }

  #join(arrival: {
    readonly connection: PeerConnection;
    readonly identity: PeerIdentity;
    readonly fingerprint: Uint8Array;
  }): Known {
    const { connection, identity, fingerprint } = arrival;
    const peer: Peer = {
      node: identity.node,
      publicKey: identity.publicKey,
      key: toHex(identity.publicKey),
      send: (message) => connection.send(message),
      drop: (reason) => connection.close(reason),
    };
    const known: Known = { peer, connection, fingerprint };
    const before = this.#peers.get(peer.node);
    this.#peers.set(peer.node, known);
    before?.connection.close('the peer connected again');
    this.#options.log.info({ peer: peer.node }, 'peer connected');
    this.#options.onPeer(peer);
    return known;
  }

  #receive(known: Known, message: PeerMessage): void {
    if (message.kind === 'ping') return;
    if (message.kind === 'refused') {
      this.#refused(message.code, message.reason);
      known.connection.close(`${message.code}: ${message.reason}`);
      return;
    }
    this.#options.onMessage(known.peer, message);
  }

  #forget(node: NodeId, connection: PeerConnection): void {
    if (this.#peers.get(node)?.connection !== connection) return;
    this.#peers.delete(node);
    if (!this.#isClosed) this.#options.log.info({ peer: node }, 'peer gone');
    const dialling = this.#dialling.get(node);
    if (dialling && !dialling.socket) this.#schedule(dialling, BACK_OFF_MS_MIN);
  }

  #refused(code: string, reason: string): void {
    this.#options.log.warn({ code, reason }, 'peer refused');
    this.#options.onRefused?.({ code, reason });
  }
}
