import { CHUNK_RECORDS_MAX } from '@careledger/custody';
import type { ConsentId } from '@careledger/primitives';
import type { ExchangeContext } from '../exchange-context.ts';
import type { RecordPage, RecordQuery, ReleasableRecord } from '../exchange-records.ts';
import type { StoredConsent } from '../store/custodian-store.ts';
import { type AskedPurpose, patientFacts } from './consent-facts.ts';
import { candidateOf, pageWith } from './release-page.ts';

/** One question of another member's gateway. */
export interface AskedRelease extends AskedPurpose {
  readonly requestingUser?: string;
  readonly handle: Uint8Array;
  readonly requestId: Uint8Array;
  readonly query: Omit<RecordQuery, 'patientId' | 'countMax'>;
}

/** Whom a handle stands for, as far as who asks may rely on it. */
export interface Meant {
  readonly patient: string;
  readonly consentId: ConsentId | undefined;
}
export const NO_RECORDS: RecordPage = { records: [], size: 0 };

/** Finds the records that a question is about and that may leave. */
export class ReleaseRecords {
  readonly #context: ExchangeContext;

  constructor(context: ExchangeContext) {
    this.#context = context;
  }

  /** The consents on which this page may stand: the asked patient's, and those of others its records are about. */
  async consentsToLock(asked: AskedRelease, meant: Meant): Promise<ReadonlyMap<string, ConsentId>> {
    const consents = new Map<string, ConsentId>();
    if (meant.consentId) consents.set(meant.patient, meant.consentId);
    if (!(await this.#mayBePermitted(asked, meant))) return consents;
    const { custodian } = this.#context;
    const known = new Map<string, StoredConsent | undefined>();
    if (meant.consentId) known.set(meant.patient, await custodian.consent(meant.consentId));
    await this.collect(asked, meant, async (subject) => {
      if (!known.has(subject)) known.set(subject, (await custodian.consentsOf(subject, asked.recipient))[0]);
      return known.get(subject);
    });
    for (const [subject, consent] of known) if (consent) consents.set(subject, consent.consentId);
    return consents;
  }

  /** A first look without the lock: it spares reading records for nobody, and decides nothing. */
  async #mayBePermitted(asked: AskedRelease, meant: Meant): Promise<boolean> {
    const { custodian, ledger, decideAt, now } = this.#context;
    const consent = meant.consentId && (await custodian.consent(meant.consentId));
    const facts = patientFacts(this.#context, asked, { consent, head: ledger.head(), now: now() });
    return meant.patient !== '' && decideAt(now())(facts).outcome === 'permit';
  }

  /**
   * One page of what may leave. What is withheld takes no place in it: neither how full it is nor whether another page
   * follows tells the recipient of records that it may not have. Withheld ones come along to be counted in the journal.
   */
  async collect(
    asked: AskedRelease,
    meant: Meant,
    consentOf: (subject: string) => Promise<StoredConsent | undefined>,
  ): Promise<RecordPage> {
    const records: ReleasableRecord[] = [];
    const withheld: ReleasableRecord[] = [];
    const first = await this.#find(asked, meant, {});
    const { size } = first;
    let next: string | undefined;
    for (let page = first; size > 0; ) {
      for (const record of page.records) {
        const isPermitted = await this.#mayLeave(asked, record, consentOf);
        // One more than fits: only now is it sure that another page follows.
        if (isPermitted && records.length === size) {
          return { ...pageWith(records, withheld, size), ...(next === undefined ? {} : { next }) };
        }
        if (isPermitted) records.push(record);
        else if (withheld.length < CHUNK_RECORDS_MAX) withheld.push(record);
      }
      const after = page.next;
      if (after === undefined) break;
      if (records.length === size) next ??= after;
      const countMax = size - records.length || CHUNK_RECORDS_MAX;
      page = await this.#find(asked, meant, { after, countMax });
    }
    return pageWith(records, withheld, size);
  }

  #find(
    { query }: AskedRelease,
    { patient: patientId }: Meant,
    { after = query.after, countMax }: { readonly after?: string | undefined; readonly countMax?: number },
  ): Promise<RecordPage> {
    const { search, types } = query;
    // The pages after the first one are this desk's own: as long as it wants them.
    const terms = search?.terms.filter(([name]) => countMax === undefined || name !== '_count') ?? [];
    return this.#context.records.find({
      patientId,
      countMax: countMax ?? CHUNK_RECORDS_MAX,
      ...(types ? { types } : {}),
      ...(search ? { search: { ...search, terms } } : {}),
      ...(after === undefined ? {} : { after }),
    });
  }

  async #mayLeave(
    asked: AskedRelease,
    record: ReleasableRecord,
    consentOf: (subject: string) => Promise<StoredConsent | undefined>,
  ): Promise<boolean> {
    const { decideAt, ledger, now } = this.#context;
    const candidate = candidateOf(record);
    for (const subject of record.subjects) {
      const moment = { consent: await consentOf(subject), head: ledger.head(), now: now() };
      const facts = patientFacts(this.#context, asked, moment);
      if (decideAt(now())(facts, candidate).outcome !== 'permit') return false;
    }
    return true;
  }
}
