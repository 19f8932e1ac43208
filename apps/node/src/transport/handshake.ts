import type { TLSSocket } from 'node:tls';
import { type Hello, judgeHello } from '@careledger/consensus';
import { type NodeId, type PublicKey, toHex } from '@careledger/primitives';
import { fingerprintOf } from '../certificates.ts';
import type { TlsIdentity } from '../options.ts';
import { PEER_PROTOCOL_VERSION } from './peer-message.ts';

/** TLS 1.3 alone, with the suites that we name (RFC 8446, appendix B.4). */
export const CIPHER_SUITES = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';
export const ALPN = 'careledger-peer';

/** What both sides of a peer connection ask of TLS: a certificate of the consortium's own authority, each way. */
export function tlsOptions(identity: TlsIdentity) {
  return {
    cert: identity.certificate,
    key: identity.privateKey,
    ca: identity.certificateAuthority,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: CIPHER_SUITES,
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: [ALPN],
  } as const;
}

/** Who a certificate belongs to, as membership state says now. */
export interface PeerIdentity {
  readonly node: NodeId;
  readonly publicKey: PublicKey;
}

/** The node in force with this certificate fingerprint, or `undefined`: unknown, suspended or revoked. */
export type Authenticate = (fingerprint: Uint8Array) => PeerIdentity | undefined;

export interface Refusal {
  readonly code: string;
  readonly reason: string;
}

/** The fingerprint that the other side proved to hold. Undefined when it showed no certificate. */
export function peerFingerprint(socket: TLSSocket): Uint8Array | undefined {
  const { raw } = socket.getPeerCertificate();
  return raw && fingerprintOf(raw);
}

export function refuseUnknown(fingerprint: Uint8Array | undefined): Refusal {
  const shown = fingerprint ? `certificate ${toHex(fingerprint).slice(0, 16)}` : 'no certificate';
  return { code: 'handshake/not-a-member', reason: `${shown}: no node in force has it` };
}

/** Do both nodes run one chain, engine and protocol, and is the other who its certificate says? */
export function compareHello(own: Hello, other: Hello, peer: PeerIdentity): Refusal | undefined {
  const verdict = judgeHello(own, other, new Set([peer.node]));
  return verdict.ok ? undefined : { code: verdict.error.code, reason: verdict.error.message };
}

/** This node's own hello. */
export function helloOf(identity: Omit<Hello, 'protocolVersion'>): Hello {
  return { protocolVersion: PEER_PROTOCOL_VERSION, ...identity };
}
