// The x509 library resolves its parts by decorator metadata; the import must come before it.
import 'reflect-metadata';
import { createHash, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** P-256 with SHA-256: what TLS 1.3 peers and FHIR clients alike understand. */
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const CLOCK_ALLOWANCE_MS = 5 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
const VALIDITY_DAYS = 825;
const SERIAL_BYTES = 16;

/** A certificate and its private key (PKCS #8), both PEM. */
export interface KeyAndCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

export interface IssuedCertificate extends KeyAndCertificate {
  /** SHA-256 of the certificate's DER: what membership state names. */
  readonly fingerprint: Uint8Array;
}

function pem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

function derOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64'));
}

function serialNumber(): string {
  // The first bit stays 0: a serial number is a positive integer of at most 20 octets (RFC 5280, section 4.1.2.2).
  return `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(SERIAL_BYTES))).toString('hex')}`;
}

async function exportPrivateKey(key: webcrypto.CryptoKey): Promise<string> {
  return pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', key));
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - CLOCK_ALLOWANCE_MS), notAfter: new Date(now + days * DAY_MS) };
}

/**
 * Makes the certificate authority of a consortium: the one issuer that its members' nodes accept.
 *
 * @example
 * const authority = await createConsortiumCa({ commonName: 'Careledger local consortium' });
 */
export async function createConsortiumCa(options: {
  readonly commonName: string;
  readonly validityDays?: number;
}): Promise<KeyAndCertificate> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [options.commonName] }],
    ...validity(options.validityDays ?? VALIDITY_DAYS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificate: pem('CERTIFICATE', certificate.rawData),
    privateKey: await exportPrivateKey(keys.privateKey),
  };
}

/**
 * Issues a TLS certificate for a node or gateway: for server and client use, for `localhost` and 127.0.0.1 unless
 * other names are given.
 */
export async function issueCertificate(options: {
  readonly ca: KeyAndCertificate;
  readonly commonName: string;
  readonly organization?: string;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly validityDays?: number;
}): Promise<IssuedCertificate> {
  const { subtle } = webcrypto;
  const signingKey = await subtle.importKey('pkcs8', derOf(options.ca.privateKey), ALGORITHM, false, [
    'sign',
  ]);
  const keys = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const authority = new X509Certificate(options.ca.certificate);
  const organization = options.organization === undefined ? [] : [{ O: [options.organization] }];
  const names = (options.dnsNames ?? ['localhost']).map((value) => ({ type: 'dns', value }) as const);
  const addresses = (options.ipAddresses ?? ['127.0.0.1']).map((value) => ({ type: 'ip', value }) as const);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [...organization, { CN: [options.commonName] }],
    issuer: authority.subjectName,
    ...validity(options.validityDays ?? VALIDITY_DAYS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([...names, ...addresses]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(authority.publicKey),
    ],
  });
  const text = pem('CERTIFICATE', certificate.rawData);
  return {
    certificate: text,
    privateKey: await exportPrivateKey(keys.privateKey),
    fingerprint: fingerprintOf(text),
  };
}

/** SHA-256 of a certificate's DER, from its PEM text or from the DER itself. */
export function fingerprintOf(certificate: string | Uint8Array): Uint8Array {
  const der = typeof certificate === 'string' ? derOf(certificate) : certificate;
  return Uint8Array.from(createHash('sha256').update(der).digest());
}
