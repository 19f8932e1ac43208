import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { createServer } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { TlsIdentity } from './tls-options.ts';

/** Certificates and ports for tests of this app. Real ones are made by the node's enrolment. */

x509.cryptoProvider.set(webcrypto);

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const CLIENT_AND_SERVER = [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth];
const DAY = 86_400_000;

export interface TestAuthority {
  readonly pem: string;
  /** Issues a certificate; by default for both sides of TLS and valid now. */
  readonly issue: (
    name: string,
    options?: { readonly uses?: readonly string[]; readonly notAfter?: Date },
  ) => Promise<TlsIdentity>;
}

async function pemOfKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

/** A certificate authority of its own. */
export async function createTestAuthority(name: string): Promise<TestAuthority> {
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomBytes(8).toString('hex'),
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 2 * DAY),
    notAfter: new Date(Date.now() + DAY),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const pem = authority.toString('pem');
  return {
    pem,
    issue: async (subject, options = {}) => {
      const own = (await webcrypto.subtle.generateKey(ALGORITHM, true, [
        'sign',
        'verify',
      ])) as webcrypto.CryptoKeyPair;
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: randomBytes(8).toString('hex'),
        subject: `CN=${subject}`,
        issuer: authority.subject,
        notBefore: new Date(Date.now() - DAY),
        notAfter: options.notAfter ?? new Date(Date.now() + DAY),
        signingAlgorithm: ALGORITHM,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.ExtendedKeyUsageExtension([...(options.uses ?? CLIENT_AND_SERVER)]),
          new x509.SubjectAlternativeNameExtension([
            { type: 'dns', value: 'localhost' },
            { type: 'ip', value: '127.0.0.1' },
          ]),
        ],
      });
      return {
        certificate: certificate.toString('pem'),
        privateKey: await pemOfKey(own.privateKey),
        certificateAuthority: pem,
      };
    },
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise<void>((resolve) => {
    probe.close(() => resolve());
  });
  return typeof address === 'object' && address !== null ? address.port : 0;
}
