import { grantText, keyInForce } from '@careledger/capabilities';
import {
  type ConsentTerms,
  consentToTerms,
  GRANT_EXTENSION,
  type Grant,
  readGrant,
  readIntroduction,
} from '@careledger/capabilities/fhir';
import { type Introduction, openIntroduction } from '@careledger/custody';
import {
  canonicalText,
  isLosslessArray,
  isLosslessObject,
  type LosslessResource,
  toPlain,
  withField,
  withoutField,
} from '@careledger/fhir';
import { type Commitment, hmacSha256, isAcceptablePublicKey, utf8 } from '@careledger/primitives';
import { ExchangeError } from '../errors.ts';
import type { ExchangeContext } from '../exchange-context.ts';
import type { ConsentDetails } from '../store/custodian-store.ts';

/** A Consent that a patient posted, with everything in it checked. */
export interface PostedConsent {
  /** As posted, without the grant: what the patient's key committed to, and what is stored. */
  readonly resource: LosslessResource;
  readonly grant: Grant;
  readonly details: ConsentDetails;
}

function invalid(message: string): never {
  throw new ExchangeError('exchange/consent-invalid', message);
}

function withoutGrant(consent: LosslessResource): LosslessResource {
  const extensions = isLosslessArray(consent.extension) ? consent.extension : [];
  const rest = extensions.filter(
    (extension) => !isLosslessObject(extension) || extension.url !== GRANT_EXTENSION,
  );
  const stripped =
    rest.length > 0 ? withField(consent, 'extension', rest) : withoutField(consent, 'extension');
  return stripped as LosslessResource;
}

function readPlain(consent: LosslessResource, patientId: string) {
  const plain = toPlain(consent);
  const patient = plain.patient as { readonly reference?: unknown } | undefined;
  if (patient?.reference !== `Patient/${patientId}`)
    return invalid('The consent is not the token’s patient’s own.');
  const terms = consentToTerms(plain);
  if (!terms.ok) return invalid(`${terms.error.expression}: ${terms.error.text}`);
  const grant = readGrant(plain);
  if (!grant.ok) return invalid(`${grant.error.expression}: ${grant.error.text}`);
  const sealed = readIntroduction(plain);
  if (!sealed) return invalid('The consent brings no introduction.');
  return { terms: terms.value, grant: grant.value, sealed };
}

/** Who signed the introduction, and is it still good? What is wrong with it is the recipient's affair to correct. */
function judgeIntroduction(context: ExchangeContext, sealed: Uint8Array): Introduction {
  const opened = openIntroduction(sealed, {
    chain: context.ledger.chain,
    custodian: context.organization,
    now: context.now(),
    box: context.box,
    verify: context.verifySignature,
    organizationOf: (key) => keyInForce(context.ledger, key)?.organization,
    // Asked again, and for good, in the transaction that stores the handle.
    isUsed: () => false,
  });
  if (opened.ok) return opened.value;
  throw new ExchangeError(
    'exchange/introduction-invalid',
    `The introduction does not hold (${opened.error}).`,
  );
}

function checkAgreement(
  context: ExchangeContext,
  terms: ConsentTerms,
  grant: Grant,
  introduction: Introduction,
): void {
  if (terms.custodian !== context.organization) invalid('The consent names another custodian.');
  if (terms.recipient !== introduction.recipient)
    invalid('The consent names another recipient than the introduction.');
  if (!terms.purposes.some((purpose) => purpose === introduction.purpose)) {
    invalid('The consent does not cover the introduction’s purpose.');
  }
  if (terms.notBefore !== grant.notBefore || terms.notAfter !== grant.notAfter) {
    invalid('The grant and the provision name different periods.');
  }
}

/**
 * Checks a posted Consent: whose it is, that every provision can be evaluated, the introduction it brings, and that the
 * patient's key signed exactly these terms.
 *
 * @throws {@link ExchangeError} `exchange/consent-invalid` or `exchange/introduction-invalid`.
 */
export function readPostedConsent(
  context: ExchangeContext,
  consent: LosslessResource,
  patientId: string,
): PostedConsent {
  const { terms, grant, sealed } = readPlain(consent, patientId);
  const introduction = judgeIntroduction(context, sealed);
  checkAgreement(context, terms, grant, introduction);
  const resource = withoutGrant(consent);
  const posted = utf8(canonicalText(resource));
  const commitment = hmacSha256(grant.salt, posted) as Commitment;
  const { consentId, patientKey, notBefore, notAfter, signature, salt } = grant;
  const custodian = context.organization;
  const message = grantText(context.ledger.chain, { consentId, custodian, commitment, notBefore, notAfter });
  const isSigned =
    isAcceptablePublicKey(patientKey) &&
    context.verifySignature({ publicKey: patientKey, message, signature });
  if (!isSigned) invalid('The patient’s key did not sign these terms.');
  const { purposes, types } = terms;
  const signed = { salt, commitment, patientKey, notBefore, notAfter, signature };
  return {
    resource,
    grant,
    details: { introduction, posted, ...signed, purposes, ...(types ? { types } : {}) },
  };
}
