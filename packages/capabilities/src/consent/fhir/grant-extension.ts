import {
  CONSENT_ID_BYTES,
  type ConsentId,
  err,
  fromBase64Url,
  ok,
  PUBLIC_KEY_BYTES,
  type PublicKey,
  type Result,
  SIGNATURE_BYTES,
  toBase64Url,
} from '@careledger/primitives';
import type { ConsentIssue } from './elements.ts';
import { isObject, type JsonObject, listAt } from './json.ts';
import { formatInstant, parseFhirTime } from './time.ts';

export const GRANT_EXTENSION = 'https://careledger.example/fhir/grant';
export const INTRODUCTION_EXTENSION = 'https://careledger.example/fhir/introduction';
const SALT_BYTES = 32;

/** What the patient's app adds to a Consent so that the custodian can put it on the ledger. */
export interface Grant {
  readonly consentId: ConsentId;
  readonly patientKey: PublicKey;
  /** Salt of the commitment to the Consent as posted, without this extension. */
  readonly salt: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  /** By the patient's key, over `grantText`. */
  readonly signature: Uint8Array;
}

function toBase64(bytes: Uint8Array): string {
  const digits = toBase64Url(bytes).replaceAll('-', '+').replaceAll('_', '/');
  return digits.padEnd(Math.ceil(digits.length / 4) * 4, '=');
}

function fromBase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0)
    return undefined;
  return fromBase64Url(text.replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_'));
}

/** The extension that {@link readGrant} reads. */
export function grantExtension(grant: Grant): JsonObject {
  const binary = (url: string, bytes: Uint8Array) => ({ url, valueBase64Binary: toBase64(bytes) });
  return {
    url: GRANT_EXTENSION,
    extension: [
      binary('consentId', grant.consentId),
      binary('patientKey', grant.patientKey),
      binary('salt', grant.salt),
      { url: 'notBefore', valueInstant: formatInstant(grant.notBefore) },
      { url: 'notAfter', valueInstant: formatInstant(grant.notAfter) },
      binary('signature', grant.signature),
    ],
  };
}

/** The extension that carries the recipient's sealed introduction. */
export function introductionExtension(sealed: Uint8Array): JsonObject {
  return { url: INTRODUCTION_EXTENSION, valueBase64Binary: toBase64(sealed) };
}

function extensionsOf(element: JsonObject, url: string): readonly JsonObject[] {
  return (listAt(element, 'extension') ?? []).filter(isObject).filter((extension) => extension.url === url);
}

function issue(expression: string, text: string): { readonly ok: false; readonly error: ConsentIssue } {
  return err({ code: 'value', expression, text });
}

/** The sealed introduction that a Consent brings, if it brings one. */
export function readIntroduction(consent: JsonObject): Uint8Array | undefined {
  const found = extensionsOf(consent, INTRODUCTION_EXTENSION);
  return found.length === 1 ? fromBase64(found[0]?.valueBase64Binary) : undefined;
}

/** Reads the grant of a posted Consent. Checks form and lengths, no signature. */
export function readGrant(consent: JsonObject): Result<Grant, ConsentIssue> {
  const found = extensionsOf(consent, GRANT_EXTENSION);
  const [extension] = found;
  const expression = `Consent.extension('${GRANT_EXTENSION}')`;
  if (!extension || found.length !== 1) return issue(expression, 'Exactly one grant is needed.');
  const part = (name: string): JsonObject | undefined => {
    const parts = extensionsOf(extension, name);
    return parts.length === 1 ? parts[0] : undefined;
  };
  const binary = (name: string, length: number): Uint8Array | undefined => {
    const bytes = fromBase64(part(name)?.valueBase64Binary);
    return bytes?.length === length ? bytes : undefined;
  };
  const time = (name: string) => parseFhirTime(part(name)?.valueInstant, 'start');
  const consentId = binary('consentId', CONSENT_ID_BYTES);
  const patientKey = binary('patientKey', PUBLIC_KEY_BYTES);
  const salt = binary('salt', SALT_BYTES);
  const signature = binary('signature', SIGNATURE_BYTES);
  const notBefore = time('notBefore');
  const notAfter = time('notAfter');
  if (!consentId || !patientKey || !salt || !signature || notBefore === undefined || notAfter === undefined) {
    return issue(expression, 'A part of the grant is missing or of the wrong length.');
  }
  return ok({
    consentId: consentId as ConsentId,
    patientKey: patientKey as PublicKey,
    salt,
    notBefore,
    notAfter,
    signature,
  });
}
