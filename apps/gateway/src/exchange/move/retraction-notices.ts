import { retiredKey } from '@careledger/capabilities';
import { type Commitment, type OrganizationId, organizationId, toHex } from '@careledger/primitives';
import type { Caller } from '../../caller.ts';
import type { RecordStore } from '../../fhir/index.ts';
import type { ExchangeContext } from '../exchange-context.ts';
import { journalEvent } from '../journal/journal-event.ts';
import { type MoveOrder, moveRecord, type RetractedVersions, versionsOf } from './move-record.ts';

const NOTICE_ID_BYTES = 16;
/** A notice that was not acknowledged is sent again after this, doubled each time up to an hour, in milliseconds. */
const RETRY_MS_MIN = 2_000;
const RETRY_MS_MAX = 60 * 60_000;
/** A notice of a move that has not ended after this never will be one, in milliseconds. */
const BROKEN_OFF_MS = 60_000;
/** Purpose under which a notice is sent: health care operations. */
const NOTICE_PURPOSE = 'HOPERAT';

export interface Moved {
  readonly id: string;
  /** Recipients who are told: those whom anything of this type in the wrong chart was disclosed to since it stood there. */
  readonly recipients: readonly OrganizationId[];
}

/** Moves records out of the wrong chart and tells those who were shown them, until each one has acknowledged. */
export class RetractionDesk {
  readonly #context: ExchangeContext;
  readonly #store: RecordStore;
  readonly #next = new Map<string, { readonly at: number; readonly wait: number }>();

  constructor(context: ExchangeContext, store: RecordStore) {
    this.#context = context;
    this.#store = store;
  }

  async move(caller: Caller, order: MoveOrder): Promise<Moved> {
    const retracted = await versionsOf(this.#store, order);
    const recipients = await this.#recipientsOf(order, retracted);
    const { custodian, random, now } = this.#context;
    // Written down first: a notice whose leaf is never retired is never sent.
    const notices = recipients.map((recipient) => ({
      ...{ id: random(NOTICE_ID_BYTES), recipient, patient: order.from, madeAt: now() },
      commitments: retracted.commitments,
      retireKeys: retracted.retireKeys,
    }));
    await custodian.addRetractions(notices);
    try {
      const id = await moveRecord(this.#store, caller, order);
      return { id, recipients };
    } catch (error) {
      await custodian.dropRetractions(notices.map(({ id }) => id));
      throw error;
    }
  }

  /** The journal names types and patients, not single records: who may have it is told, and finds out alone whether. */
  async #recipientsOf(order: MoveOrder, { since }: RetractedVersions): Promise<readonly OrganizationId[]> {
    const { journal } = this.#context;
    const recipients = new Set<OrganizationId>();
    for (const { event, time, sequence } of journal.entriesOf(order.from)) {
      if (event !== 'disclosure' || time < since) continue;
      const { entry } = await journal.read(sequence);
      const isOfType =
        entry.description.length === 0 || entry.description.some(({ type }) => type === order.type);
      if (isOfType) recipients.add(organizationId(entry.counterpart));
    }
    return [...recipients];
  }

  /** Sends what is due. A recipient that cannot be reached is tried again. */
  async deliver(): Promise<void> {
    const { custodian, now, log } = this.#context;
    for (const notice of await custodian.openRetractions()) {
      const name = toHex(notice.id);
      const due = this.#next.get(name);
      const retired = due && due.at > now() ? undefined : this.#successorsOf(notice.retireKeys);
      if (!retired) continue;
      if (!(await this.#endsInTombstone(retired))) {
        if (now() - notice.madeAt > BROKEN_OFF_MS) await custodian.dropRetractions([notice.id]);
        continue;
      }
      const wait = Math.min((due?.wait ?? RETRY_MS_MIN / 2) * 2, RETRY_MS_MAX);
      this.#next.set(name, { at: now() + wait, wait });
      if (!(await this.#send(notice.recipient, notice.commitments))) {
        log.error({ recipient: notice.recipient }, 'a retraction is not acknowledged yet and is sent again');
        continue;
      }
      this.#next.delete(name);
      await custodian.acknowledgeRetraction(notice.id, now());
      await journalEvent(this.#context, {
        ...{ event: 'retraction', counterpart: notice.recipient, purpose: NOTICE_PURPOSE },
        subjects: [notice.patient],
      });
    }
  }

  async #send(recipient: OrganizationId, commitments: readonly Commitment[]): Promise<boolean> {
    const parameter = commitments.map((commitment) => ({
      name: 'commitment',
      valueString: toHex(commitment),
    }));
    const body = JSON.stringify({ resourceType: 'Parameters', parameter });
    try {
      const answer = await this.#context.members.post(recipient, {
        ...{ operation: '$retract', body, purpose: NOTICE_PURPOSE },
      });
      return answer.status === 204;
    } catch {
      return false;
    }
  }

  /** What the ledger says took the place of each version, once it says so of all: a recipient believes nothing else. */
  #successorsOf(retireKeys: readonly Uint8Array[]): readonly Uint8Array[] | undefined {
    const successors = retireKeys.map((retireKey) => this.#context.ledger.get(retiredKey(retireKey)));
    const known = successors.filter((successor) => successor !== undefined);
    return known.length === successors.length ? known : undefined;
  }

  /** A move ends in a tombstone. Where none stands, the move broke off and somebody corrected the record since. */
  async #endsInTombstone(successors: readonly Uint8Array[]): Promise<boolean> {
    const row = await this.#store.options.vault.reader
      .selectFrom('version')
      .select('seq')
      .where('leaf_hash', 'in', successors)
      .where('deleted', '=', 1)
      .executeTakeFirst();
    return row !== undefined;
  }
}
