import { randomBytes } from 'node:crypto';
import { requireAllowed } from '../authorization/index.ts';
import type { Caller } from '../caller.ts';
import type { EventFields } from '../exchange/index.ts';
import { actorOf, FhirError, notFound } from '../fhir/index.ts';
import type { Vault } from '../vault/index.ts';
import {
  answerRefusal,
  type DenialGround,
  extensionRefusal,
  isOverdue,
  OPEN_CASES_MAX,
  REPORT_CASES_MAX,
  type StepRefusal,
} from './access-rules.ts';
import type { AccessCase, AccessRow, AccessStore, CopyForm } from './access-store.ts';

const CASE_ID_BYTES = 16;
/** HL7 v3 PurposeOfUse: the patient's own request, and the organization's work on it. */
const PATIENT_REQUEST = 'PATRQT';
const OPERATIONS = 'HOPERAT';
/** The journal names the rule of each step by this word and the step's name. */
const RULE = '45-cfr-164.524';
const USER_CHARACTERS_MAX = 96;

type Step = 'requested' | 'extended' | 'fulfilled' | 'denied';

export interface AccessDeskOptions {
  readonly vault: Pick<Vault, 'livePatients'>;
  readonly store: AccessStore;
  /** Writes an entry of the journal, synced; rejects when it cannot: then the step does not happen. */
  readonly append: (fields: EventFields) => Promise<unknown>;
  readonly now: () => number;
}

const REFUSALS: Readonly<Record<StepRefusal, { readonly message: string; readonly help: string }>> = {
  closed: { message: 'The case has been answered.', help: 'Make a new request.' },
  'extended-before': { message: 'The case was extended before.', help: 'Answer it: there is one extension.' },
  'too-late': {
    message: 'The first 30 days are over.',
    help: 'Answer the case: it can be extended within the first 30 days alone.',
  },
};

/** The patient, an app of a user that is bound to this patient, or a user: whoever else asks learns nothing. */
function requireAsker(caller: Caller, patientId: string): void {
  const isPatient = caller.kind === 'patient' && caller.patientId === patientId;
  if (!isPatient && caller.kind !== 'user') throw notFound();
  requireAllowed(caller, 'Patient', 'read');
}

/** Who keeps patients' records answers for them: a user who may change them. */
function requireRecordsOffice(caller: Caller): void {
  if (caller.kind !== 'user') throw notFound();
  requireAllowed(caller, 'Patient', 'update');
}

/**
 * Cases of the right of access to one's own records (45 CFR 164.524): asked for, extended once, answered by a copy or by
 * a denial with its ground. Every step is journalled before it is taken.
 */
export class AccessDesk {
  readonly #options: AccessDeskOptions;

  constructor(options: AccessDeskOptions) {
    this.#options = options;
  }

  /** Opens a case. @throws {@link FhirError} 404 for a patient who is not here or not the caller's, 429. */
  async request(caller: Caller, patientId: string, form: CopyForm): Promise<AccessCase> {
    requireAsker(caller, patientId);
    const { store, vault, now } = this.#options;
    return store.inTurn(async () => {
      if (!(await vault.livePatients([patientId])).has(patientId)) throw notFound();
      const earlier = await store.ofPatient(patientId);
      if (earlier.filter(({ state }) => state === 'open').length >= OPEN_CASES_MAX) throw tooManyCases();
      const opened: AccessCase = {
        id: randomBytes(CASE_ID_BYTES).toString('hex'),
        patientId,
        state: 'open',
        requestedAt: now(),
        isExtended: false,
        details: { form, requestedBy: actorOf(caller) },
      };
      return this.#take('requested', caller, opened);
    });
  }

  /** Gives the organization another 30 days, once. @throws {@link FhirError} 404, 409. */
  extend(caller: Caller, id: string, extensionReason: string): Promise<AccessCase> {
    return this.#answer(caller, id, 'extended', (before) => ({
      ...before,
      isExtended: true,
      details: { ...before.details, extensionReason },
    }));
  }

  /** Lets the patient have the copy. @throws {@link FhirError} 404, 409. */
  fulfil(caller: Caller, id: string): Promise<AccessCase> {
    return this.#answer(caller, id, 'fulfilled', (before) => ({
      ...before,
      state: 'fulfilled',
      details: { ...before.details, ...this.#answered(caller) },
    }));
  }

  /** Refuses the copy. @throws {@link FhirError} 404, 409. */
  deny(caller: Caller, id: string, ground: DenialGround, explanation: string): Promise<AccessCase> {
    return this.#answer(caller, id, 'denied', (before) => ({
      ...before,
      state: 'denied',
      details: { ...before.details, ...this.#answered(caller), ground, explanation },
    }));
  }

  /** @throws {@link FhirError} 404, also for another patient's case. */
  async look(caller: Caller, id: string): Promise<AccessCase> {
    const found = await this.#options.store.find(id);
    if (!found) throw notFound();
    requireAsker(caller, found.patientId);
    return found;
  }

  /** A patient's cases, newest first. @throws {@link FhirError} 404. */
  async ofPatient(caller: Caller, patientId: string): Promise<readonly AccessCase[]> {
    requireAsker(caller, patientId);
    return this.#options.store.ofPatient(patientId);
  }

  /** A case whose copy may be handed out now. @throws {@link FhirError} 404 while it is not fulfilled. */
  async fulfilled(caller: Caller, id: string): Promise<AccessCase> {
    const found = await this.look(caller, id);
    if (found.state !== 'fulfilled') throw notFound();
    return found;
  }

  /** For the privacy officer: cases that nobody answered in time, the longest overdue first. */
  async overdue(caller: Caller): Promise<readonly AccessRow[]> {
    if (caller.kind !== 'user') throw notFound();
    requireAllowed(caller, 'AuditEvent', 'read');
    const now = this.#options.now();
    const rows = await this.#options.store.overdue(now, REPORT_CASES_MAX);
    return rows.filter((row) => isOverdue(row, now));
  }

  #answered(caller: Caller): { readonly answeredAt: number; readonly answeredBy: string } {
    return { answeredAt: this.#options.now(), answeredBy: actorOf(caller) };
  }

  #answer(
    caller: Caller,
    id: string,
    step: Exclude<Step, 'requested'>,
    next: (before: AccessCase) => AccessCase,
  ): Promise<AccessCase> {
    requireRecordsOffice(caller);
    const { store, now } = this.#options;
    return store.inTurn(async () => {
      const before = await store.find(id);
      if (!before) throw notFound();
      const refusal = step === 'extended' ? extensionRefusal(before, now()) : answerRefusal(before);
      if (refusal) throw new FhirError({ status: 409, code: 'conflict', ...REFUSALS[refusal] });
      return this.#take(step, caller, next(before));
    });
  }

  async #take(step: Step, caller: Caller, after: AccessCase): Promise<AccessCase> {
    const { append, store } = this.#options;
    await append({
      event: 'access-request',
      purpose: caller.purpose ?? (caller.kind === 'patient' ? PATIENT_REQUEST : OPERATIONS),
      subjects: [after.patientId],
      counterpart: caller.organization,
      requestingUser: actorOf(caller).slice(0, USER_CHARACTERS_MAX),
      ruleIds: [`${RULE}/${step}`],
      requestId: new Uint8Array(Buffer.from(after.id, 'hex')),
    });
    await store.put(after);
    return after;
  }
}

function tooManyCases(): FhirError {
  return new FhirError({
    status: 429,
    code: 'throttled',
    message: `${OPEN_CASES_MAX} requests of this patient wait for an answer.`,
    help: 'Wait for the answers; the cases tell when they are due.',
  });
}
