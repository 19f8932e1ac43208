import { createHash, X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

/** What the TLS layer found out about the client's certificate. */
export type PeerCertificate =
  | { readonly status: 'none' }
  /** Presented, but not issued by the consortium's authority, expired, or not made for clients. */
  | { readonly status: 'untrusted' }
  | { readonly status: 'trusted'; readonly thumbprint: string; readonly pem: string };

/** base64url SHA-256 of a certificate's DER bytes: `x5t#S256` (RFC 8705, section 3.1). */
export function certificateThumbprint(certificate: X509Certificate | string): string {
  const parsed = typeof certificate === 'string' ? new X509Certificate(certificate) : certificate;
  return createHash('sha256').update(parsed.raw).digest('base64url');
}

/** The certificate of the client behind a request, as the handshake proved it. Headers are never believed. */
export function peerCertificate(request: Pick<IncomingMessage, 'socket'>): PeerCertificate {
  const socket = request.socket;
  if (!(socket instanceof TLSSocket)) return { status: 'none' };
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { status: 'none' };
  if (!socket.authorized) return { status: 'untrusted' };
  return {
    status: 'trusted',
    thumbprint: certificateThumbprint(certificate),
    pem: certificate.toString(),
  };
}
