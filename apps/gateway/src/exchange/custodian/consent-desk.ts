import { randomUUID } from 'node:crypto';
import {
  ENTRY_ID_BYTES,
  grantConsentCodec,
  type LocatorEntryId,
  publishEntriesCodec,
  readConsent,
  readEntry,
  readOrganization,
  revokeConsentCodec,
  withdrawEntriesCodec,
} from '@careledger/capabilities';
import {
  consentLockKey,
  newRevocation,
  type RevocationEffect,
  type RevocationInput,
  sealLocation,
  stepRevocation,
} from '@careledger/custody';
import { isResource, type LosslessResource, parseLossless, withField } from '@careledger/fhir';
import { type ConsentId, fromUtf8, toHex } from '@careledger/primitives';
import { ExchangeError } from '../errors.ts';
import type { ExchangeContext } from '../exchange-context.ts';
import { journalEvent } from '../journal/journal-event.ts';
import type { StoredConsent } from '../store/custodian-store.ts';
import { readPostedConsent } from './posted-consent.ts';

/** `pending`: applied here, nothing leaves any more; on its way to the ledger, and sent again until it is there. */
export type RevocationOutcome = 'acknowledged' | 'pending';

export interface GrantedConsent {
  /** Id of the Consent here. */
  readonly id: string;
  readonly consentId: ConsentId;
}

/** Result code of `consent/already-revoked`: the ledger has it, from us or from another member. */
const ALREADY_REVOKED = 4007;

/** Where patients grant and revoke: at the custodian, through its portal, never on the ledger themselves. */
export class ConsentDesk {
  readonly #context: ExchangeContext;
  /** Consents that a request is working on: {@link ConsentDesk.finishAll} leaves them alone. */
  readonly #busy = new Set<string>();

  constructor(context: ExchangeContext) {
    this.#context = context;
  }

  /**
   * Takes a Consent with its introduction and grant; resolves when both consent and locator entry are final.
   *
   * @throws {@link ExchangeError} `exchange/consent-invalid`, `exchange/introduction-invalid`, `exchange/ledger-refused`,
   * `exchange/ledger-unavailable`: then it is finished later by itself.
   */
  async grant(consent: LosslessResource, patientId: string): Promise<GrantedConsent> {
    const { custodian, random } = this.#context;
    const { details, grant } = readPostedConsent(this.#context, consent, patientId);
    const { consentId } = grant;
    const entryId = random(ENTRY_ID_BYTES);
    const id = randomUUID();
    await this.#alone(consentId, async () => {
      await custodian.addConsent({ consentId, patient: patientId, resource: id, entryId, details });
      const stored = await custodian.consent(consentId);
      if (!stored) throw new ExchangeError('exchange/altered', 'The consent was not stored.');
      await this.#finishGrant(stored);
    });
    return { id, consentId };
  }

  /** Revokes a consent of this patient. `undefined` when there is none of this id: also for another patient's. */
  async revoke(resource: string, patientId: string): Promise<RevocationOutcome | undefined> {
    const stored = await this.#context.custodian.consentByResource(resource);
    if (stored?.patient !== patientId) return undefined;
    if (stored.state === 'revoked') return 'acknowledged';
    return this.#alone(stored.consentId, () => this.#revoke(stored));
  }

  /** Applies a revocation that stands on the ledger, whoever brought it there. */
  async revokedOnLedger(consentId: ConsentId): Promise<void> {
    const stored = await this.#context.custodian.consent(consentId);
    if (!stored || stored.state === 'revoked' || this.#busy.has(toHex(consentId))) return;
    await this.#alone(consentId, () => this.#revoke(stored));
  }

  /** Takes up what a crash or a lost quorum left half-way. */
  async finishAll(): Promise<void> {
    for (const stored of await this.#context.custodian.unfinishedConsents()) {
      if (this.#busy.has(toHex(stored.consentId))) continue;
      if (stored.revokedAt === undefined) await this.#finishGrant(stored);
      else await this.#revoke(stored);
    }
  }

  async #alone<Value>(consentId: ConsentId, work: () => Promise<Value>): Promise<Value> {
    const name = toHex(consentId);
    this.#busy.add(name);
    try {
      return await work();
    } finally {
      this.#busy.delete(name);
    }
  }

  async #finishGrant(stored: StoredConsent): Promise<void> {
    const { custodian } = this.#context;
    const { consentId, recipient, patient } = stored;
    if (readConsent(this.#context.ledger, consentId) === undefined) await this.#submitGrant(stored);
    await this.#publish(stored);
    await this.#writeConsent(stored, 'active');
    await custodian.setConsentState(consentId, 'granted');
    const purpose = stored.details.introduction.purpose;
    const fields = {
      event: 'grant',
      counterpart: recipient,
      purpose,
      subjects: [patient],
      consentId,
    } as const;
    await journalEvent(this.#context, fields);
  }

  async #submitGrant({ consentId, details }: StoredConsent): Promise<void> {
    const { writer, custodian, organization } = this.#context;
    const { commitment, patientKey, notBefore, notAfter, signature } = details;
    const message = { consentId, custodian: organization, commitment, patientKey, notBefore, notAfter };
    const body = grantConsentCodec.encode({ ...message, patientSignature: signature });
    const { result } = await writer.submit('consent/grant', body);
    if (result.code === 0) return;
    await custodian.setConsentState(consentId, 'refused');
    throw new ExchangeError(
      'exchange/ledger-refused',
      `The ledger refused the consent (code ${result.code}).`,
    );
  }

  async #publish({ consentId, entryId, recipient, details }: StoredConsent): Promise<void> {
    const { ledger, writer, box } = this.#context;
    const id = entryId as LocatorEntryId;
    if (readEntry(ledger, id)) return;
    const key = readOrganization(ledger, recipient)?.encryptionKey;
    if (!key) throw new ExchangeError('exchange/ledger-refused', 'The recipient is no member any more.');
    const { locatorTag } = details.introduction;
    const ciphertext = sealLocation({ locatorTag, consentId }, key, box);
    const body = publishEntriesCodec.encode({ entries: [{ entryId: id, ciphertext }] });
    const { result } = await writer.submit('locator/publish', body);
    if (result.code === 0) return;
    throw new ExchangeError(
      'exchange/ledger-refused',
      `The ledger refused the location (code ${result.code}).`,
    );
  }

  async #writeConsent(
    { resource: id, details }: StoredConsent,
    status: 'active' | 'inactive',
  ): Promise<void> {
    const { records, organization } = this.#context;
    const posted = parseLossless(fromUtf8(details.posted));
    if (!isResource(posted))
      throw new ExchangeError('exchange/altered', 'The stored consent is no resource.');
    const actor = `${organization}/exchange`;
    const existing = await records.read('Consent', id);
    if (existing?.status === status) return;
    const resource = withField(posted, 'status', status) as LosslessResource;
    await records.write((write) =>
      existing ? write.update(resource, { id, actor }) : write.create(resource, { id, actor }),
    );
  }

  async #revoke(stored: StoredConsent): Promise<RevocationOutcome> {
    let state = newRevocation(stored.consentId, this.#context.now());
    let unlock: (() => void) | undefined;
    let isFinished = false;
    const inputs: RevocationInput[] = [{ type: 'start' }];
    const perform = async (effect: RevocationEffect): Promise<RevocationInput | undefined> => {
      switch (effect.type) {
        case 'lock':
          unlock = await this.#context.locks.acquireFirst(consentLockKey(stored.consentId));
          return { type: 'locked' };
        case 'mark':
          await this.#mark(stored, effect.revokedAt);
          return { type: 'marked' };
        case 'unlock':
          unlock?.();
          unlock = undefined;
          return undefined;
        case 'submit':
          return { type: (await this.#submitRevocation(stored)) ? 'final' : 'failed' };
        case 'acknowledge':
          isFinished = await this.#finishRevocation(stored);
          return undefined;
        case 'fail':
          return undefined;
      }
    };
    try {
      for (let input = inputs.shift(); input; input = inputs.shift()) {
        const step = stepRevocation(state, input);
        state = step.next;
        for (const effect of step.effects) {
          const answer = await perform(effect);
          if (answer) inputs.push(answer);
        }
      }
    } finally {
      unlock?.();
    }
    return state.phase === 'acknowledged' && isFinished ? 'acknowledged' : 'pending';
  }

  async #mark(stored: StoredConsent, revokedAt: number): Promise<void> {
    const { custodian } = this.#context;
    const { consentId, patient, recipient, details } = stored;
    await custodian.markRevoked(consentId, revokedAt);
    if (stored.revokedAt !== undefined) return;
    const { purpose } = details.introduction;
    await journalEvent(this.#context, {
      ...{ event: 'revocation', counterpart: recipient, purpose, subjects: [patient], consentId },
    });
  }

  /** Is the revocation final? False while the ledger cannot take it: it is tried again. */
  async #submitRevocation({ consentId }: StoredConsent): Promise<boolean> {
    const record = readConsent(this.#context.ledger, consentId);
    // A consent that never reached the ledger needs no revocation there.
    if (!record || record.revokedAt !== undefined) return true;
    return this.#isFinal('consent/revoke', revokeConsentCodec.encode({ consentId }), ALREADY_REVOKED);
  }

  /** Submits; false for a refusal other than the expected one, and while the ledger cannot take it. */
  async #isFinal(type: string, body: Uint8Array, expected = 0): Promise<boolean> {
    try {
      const { result } = await this.#context.writer.submit(type, body);
      return result.code === 0 || result.code === expected;
    } catch (error) {
      if (error instanceof ExchangeError) return false;
      throw error;
    }
  }

  /** False while the location cannot be withdrawn: nothing is released any more, and the rest is tried again. */
  async #finishRevocation(stored: StoredConsent): Promise<boolean> {
    const { ledger, custodian } = this.#context;
    const entryId = stored.entryId as LocatorEntryId;
    if (readEntry(ledger, entryId)) {
      const body = withdrawEntriesCodec.encode({ entryIds: [entryId] });
      if (!(await this.#isFinal('locator/withdraw', body))) return false;
    }
    await this.#writeConsent(stored, 'inactive');
    await custodian.setConsentState(stored.consentId, 'revoked');
    return true;
  }
}
