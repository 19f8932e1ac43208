import { isConsentActive, readConsent, readOrganization } from '@careledger/capabilities';
import type { FinalHead, PatientFacts } from '@careledger/custody';
import { type EntityType, PURPOSES, type Purpose } from '@careledger/policy';
import type { OrganizationId } from '@careledger/primitives';
import type { ExchangeContext } from '../exchange-context.ts';
import type { StoredConsent } from '../store/custodian-store.ts';

/** Who asks, why, and to do what. */
export interface AskedPurpose {
  readonly act: 'locate' | 'fetch';
  readonly recipient: OrganizationId;
  readonly purpose: Purpose;
}

export function purposeOf(text: string | undefined): Purpose | undefined {
  return PURPOSES.find((purpose) => purpose === text);
}

/**
 * Is this consent active: on the ledger as of this head, by the custodian's own mark, and by both clocks? Read under the
 * consent's lock.
 */
export function isActive(
  context: Pick<ExchangeContext, 'ledger' | 'organization'>,
  consent: StoredConsent,
  moment: { readonly head: Pick<FinalHead, 'time'>; readonly now: number },
): boolean {
  if (consent.state !== 'granted' || consent.revokedAt !== undefined) return false;
  const record = readConsent(context.ledger, consent.consentId);
  if (record?.custodian !== context.organization) return false;
  return isConsentActive(record, moment.now) && isConsentActive(record, moment.head.time);
}

/** The facts that the rule pack decides on, for one patient. */
export function patientFacts(
  context: Pick<ExchangeContext, 'ledger' | 'organization'>,
  asked: AskedPurpose,
  options: {
    readonly consent: StoredConsent | undefined;
    readonly head: Pick<FinalHead, 'time'>;
    readonly now: number;
  },
): PatientFacts {
  const { consent } = options;
  const entityType = readOrganization(context.ledger, asked.recipient)?.entityType ?? 'other';
  const { purposes, types } = consent?.details ?? {};
  return {
    act: asked.act,
    purpose: asked.purpose,
    recipient: { organization: asked.recipient, entityType: entityType as EntityType },
    ...(consent
      ? {
          consent: {
            isActive: isActive(context, consent, options),
            recipient: consent.recipient,
            purposes: (purposes ?? []).map(purposeOf).filter((purpose) => purpose !== undefined),
            ...(types ? { types } : {}),
            partTwo: 'none' as const,
          },
        }
      : {}),
    isEmergency: asked.purpose === 'ETREAT',
    hasRelationship: false,
    isLegallyRequired: false,
  };
}
