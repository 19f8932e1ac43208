import { constants } from 'node:crypto';

/**
 * The cipher suites that a member offers and accepts, all of TLS 1.3 (RFC 8446, appendix B.4). AES-128 is left out:
 * records must stay confidential for decades.
 */
export const TLS_SUITES: readonly string[] = ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

/** Key agreement groups (RFC 8446, section 4.2.7), the preferred one first. */
export const TLS_GROUPS: readonly string[] = ['X25519', 'P-256', 'P-384'];

/** A party's own certificate and key, and the consortium's certificate authority. PEM texts. */
export interface TlsIdentity {
  readonly certificate: string;
  readonly privateKey: string;
  readonly certificateAuthority: string;
}

const COMMON = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: TLS_SUITES.join(':'),
  ecdhCurve: TLS_GROUPS.join(':'),
} as const;

/** How long a peer may take for its handshake, in milliseconds. */
export const TLS_HANDSHAKE_MS = 5_000;

/**
 * What an HTTPS server of a member is made with. A client certificate is asked for and checked against the
 * consortium's authority; whether one is needed is the route's affair. No session tickets: every connection shows
 * its certificate anew, so one taken out of force is not carried along.
 */
export function serverTlsOptions(identity: TlsIdentity) {
  return {
    ...COMMON,
    cert: identity.certificate,
    key: identity.privateKey,
    ca: identity.certificateAuthority,
    honorCipherOrder: true,
    requestCert: true,
    rejectUnauthorized: false,
    secureOptions: constants.SSL_OP_NO_TICKET,
    handshakeTimeout: TLS_HANDSHAKE_MS,
  };
}

/** How a member, or a local tool without a certificate of its own, connects to another member. */
export function clientTlsOptions(
  identity: Pick<TlsIdentity, 'certificateAuthority'> &
    Partial<Pick<TlsIdentity, 'certificate' | 'privateKey'>>,
) {
  const own =
    identity.certificate !== undefined && identity.privateKey !== undefined
      ? { cert: identity.certificate, key: identity.privateKey }
      : {};
  return { ...COMMON, ...own, ca: identity.certificateAuthority, rejectUnauthorized: true };
}
