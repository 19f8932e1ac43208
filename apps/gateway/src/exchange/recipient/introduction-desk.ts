import { LOCATOR_TAG_BYTES, readOrganization } from '@careledger/capabilities';
import {
  HANDLE_BYTES,
  INTRODUCTION_NONCE_BYTES,
  type Introduction,
  type LocatorTag,
  type PatientHandle,
  sealIntroduction,
} from '@careledger/custody';
import type { OrganizationId } from '@careledger/primitives';
import { ExchangeError } from '../errors.ts';
import type { ExchangeContext } from '../exchange-context.ts';
import { journalEvent } from '../journal/journal-event.ts';

/** How long a patient has to carry an introduction to the custodian, in milliseconds. */
export const INTRODUCTION_MS = 7 * 86_400_000;

export interface IntroductionRequest {
  readonly patientId: string;
  readonly custodian: OrganizationId;
  /** HL7 v3 PurposeOfUse code. */
  readonly purpose: string;
  readonly requestingUser: string;
}

export interface SealedIntroduction {
  /** Only the custodian can open it. */
  readonly sealed: Uint8Array;
  readonly expiresAt: number;
}

/**
 * Makes the closed letter that a patient carries to a custodian: a fresh handle and a fresh locator tag, for this pair
 * of organizations and this patient alone.
 *
 * @throws {@link ExchangeError} `exchange/invalid` when the custodian is no member in force.
 */
export async function introduce(
  context: ExchangeContext,
  request: IntroductionRequest,
): Promise<SealedIntroduction> {
  const { patientId, custodian, purpose, requestingUser } = request;
  const { random, now, ledger, organization, box, ledgerSigner } = context;
  const member = readOrganization(ledger, custodian);
  if (member?.standing !== 'active' || custodian === organization) {
    throw new ExchangeError('exchange/invalid', 'The custodian is not another member in force.');
  }
  const introduction: Introduction = {
    kind: 'careledger/introduction/1',
    chain: ledger.chain,
    recipient: organization,
    custodian,
    handle: random(HANDLE_BYTES) as PatientHandle,
    locatorTag: random(LOCATOR_TAG_BYTES) as LocatorTag,
    purpose,
    expiresAt: now() + INTRODUCTION_MS,
    nonce: random(INTRODUCTION_NONCE_BYTES),
  };
  await context.recipient.addIntroduced({ ...introduction, patient: patientId });
  const subjects = [patientId];
  await journalEvent(context, {
    event: 'introduction',
    counterpart: custodian,
    purpose,
    subjects,
    requestingUser,
  });
  const { encryptionKey } = member;
  const sealed = sealIntroduction(introduction, { signer: ledgerSigner, box, encryptionKey });
  return { sealed, expiresAt: introduction.expiresAt };
}
