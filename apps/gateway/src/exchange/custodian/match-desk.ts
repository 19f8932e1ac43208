import { HANDLE_BYTES, isFresh, type PatientHandle } from '@careledger/custody';
import type { LosslessObject } from '@careledger/fhir';
import type { OrganizationId } from '@careledger/primitives';
import { FhirError } from '../../fhir/index.ts';
import { ExchangeError } from '../errors.ts';
import type { ExchangeContext } from '../exchange-context.ts';
import { journalEvent } from '../journal/journal-event.ts';
import { type AskedPurpose, patientFacts } from './consent-facts.ts';

/** A description of somebody, and who looks for them. */
export interface AskedMatch extends Omit<AskedPurpose, 'act'> {
  readonly requestingUser?: string;
  readonly description: LosslessObject;
}

/** One certain match, or nobody. @throws {@link ExchangeError} for a description too thin to search by. */
async function findOne(context: ExchangeContext, description: LosslessObject): Promise<string | undefined> {
  try {
    const found = await context.records.findPatients(description);
    return found.length === 1 ? found[0] : undefined;
  } catch (error) {
    if (error instanceof FhirError) throw new ExchangeError('exchange/invalid', error.message);
    throw error;
  }
}

/**
 * Answers `$match`: a handle where the rules let this recipient find the patient without a consent, else nothing.
 * "Nobody" and "not permitted" take the same way and leave the same kind of entry. A patient's consent plays no part:
 * who was introduced needs no match.
 */
export async function answerMatch(
  context: ExchangeContext,
  asked: AskedMatch,
): Promise<PatientHandle | undefined> {
  const { ledger, now, decideAt, random, custodian } = context;
  const patient = await findOne(context, asked.description);
  const time = now();
  const head = ledger.head();
  const facts = patientFacts(context, { ...asked, act: 'locate' }, { consent: undefined, head, now: time });
  const decision = decideAt(time)(facts);
  const isPermitted = decision.outcome === 'permit' && isFresh(head.time, time);
  const { requestingUser } = asked;
  await journalEvent(context, {
    event: 'match',
    counterpart: asked.recipient as OrganizationId,
    purpose: asked.purpose,
    subjects: patient === undefined ? [] : [patient],
    policyVersion: decision.policyVersion,
    ruleIds: decision.ruleIds,
    ...(requestingUser === undefined ? {} : { requestingUser }),
    ...(isPermitted
      ? { ground: decision.ground ?? 'treatment' }
      : { reason: decision.reason ?? 'policy/denied' }),
  });
  if (!isPermitted || patient === undefined) return undefined;
  const handle = random(HANDLE_BYTES) as PatientHandle;
  await custodian.addHandle(handle, patient, asked.recipient);
  return handle;
}
