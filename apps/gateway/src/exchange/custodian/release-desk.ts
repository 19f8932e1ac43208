import {
  CHUNK_RECORDS_MAX,
  CHUNK_SUBJECTS_MAX,
  type ChunkFacts,
  consentLockKey,
  type DisclosureLeaf,
  ENTRY_ID_BYTES,
  ENTRY_SALT_BYTES,
  newRelease,
  type PatientFacts,
  type ReleaseEffect,
  type ReleaseInput,
  type SubjectFacts,
  signDisclosureLeaf,
  stepRelease,
} from '@careledger/custody';
import { type ConsentId, toHex } from '@careledger/primitives';
import { nothingToShow } from '../errors.ts';
import type { ExchangeContext } from '../exchange-context.ts';
import type { RecordPage, RecordQuery, ReleasableRecord } from '../exchange-records.ts';
import { encodeReleaseBundle } from '../release-bundle.ts';
import type { StoredConsent } from '../store/custodian-store.ts';
import { type AskedPurpose, patientFacts } from './consent-facts.ts';
import { gatherEvidence, type ReleaseEvidence } from './release-evidence.ts';
import { candidateOf, pageWith } from './release-page.ts';

/** One question of another member's gateway. */
export interface AskedRelease extends AskedPurpose {
  readonly requestingUser?: string;
  readonly handle: Uint8Array;
  readonly requestId: Uint8Array;
  readonly query: Omit<RecordQuery, 'patientId' | 'countMax'>;
}

/** Hands a body to the socket at once; resolves when the socket took all of it, rejects when it did not by `before`. */
export type SendBody = (body: Uint8Array, before: number) => Promise<void>;

/** Whom a handle stands for, as far as who asks may rely on it. */
interface Meant {
  readonly patient: string;
  readonly consentId: ConsentId | undefined;
}
const NO_RECORDS: RecordPage = { records: [], size: 0 };
const NOBODY: Meant = { patient: '', consentId: undefined };

/** What one reading under the lock found, for the bytes that follow. */
interface ReadPage {
  readonly records: readonly ReleasableRecord[];
  readonly evidence: ReleaseEvidence;
  readonly next: string | undefined;
}

interface Release {
  readonly asked: AskedRelease;
  readonly meant: Meant;
  /** Consents whose locks are held, by patient. */
  readonly consentOf: ReadonlyMap<string, ConsentId>;
  readonly send: SendBody;
  read?: ReadPage;
  body?: { readonly bytes: Uint8Array; readonly before: number };
  unlock?: () => void;
  refused: boolean;
}

type Input = ReleaseInput<PatientFacts>;

/** Drives the release protocol: one page for one question. */
export class ReleaseDesk {
  readonly #context: ExchangeContext;

  constructor(context: ExchangeContext) {
    this.#context = context;
  }

  /**
   * Answers a question with a page of records and their evidence.
   *
   * @throws {@link ExchangeError} `exchange/nothing`, the same whatever the reason; `journal/failed` when nothing can be
   * journalled: then nothing is released either.
   */
  async release(asked: AskedRelease, send: SendBody): Promise<void> {
    const { organization, ledger } = this.#context;
    const meant = await this.#meantBy(asked);
    const consentOf = await this.#consentsToLock(asked, meant);
    const keys = [...consentOf.values()].map(consentLockKey);
    const release: Release = { asked, meant, consentOf, send, refused: false };
    let state = newRelease({
      chain: ledger.chain,
      custodian: organization,
      recipient: asked.recipient,
      requestId: asked.requestId,
      purpose: asked.purpose,
      ...(asked.requestingUser === undefined ? {} : { requestingUser: asked.requestingUser }),
      lockKeys: keys.length > 0 ? keys : [`request/${toHex(asked.requestId)}`],
    });
    const inputs: Input[] = [{ type: 'start' }];
    try {
      for (let input = inputs.shift(); input; input = inputs.shift()) {
        const step = stepRelease(state, input, this.#context.decideAt(this.#context.now()));
        state = step.next;
        for (const effect of step.effects) {
          const performed = this.#perform(release, effect);
          // Not awaited when there is nothing to wait for: nothing may stand between the clock and the write.
          const answer = performed instanceof Promise ? await performed : performed;
          if (answer) inputs.push(answer);
        }
      }
    } finally {
      release.unlock?.();
    }
    if (release.refused) throw nothingToShow();
  }

  #perform(release: Release, effect: ReleaseEffect): Input | undefined | Promise<Input | undefined> {
    switch (effect.type) {
      case 'lock':
        return this.#lock(release, effect.keys);
      case 'readFacts':
        return this.#readFacts(release);
      case 'journal':
        return this.#context.journal.append(effect.write).then(() => ({ type: 'synced' as const }));
      case 'prepare':
        this.#prepare(release, effect);
        return undefined;
      case 'readClock':
        return { type: 'clock', now: this.#context.now(), ...this.#fresh() };
      case 'release':
        return this.#write(release);
      case 'refuse':
        release.refused = true;
        return undefined;
      case 'unlock':
        release.unlock?.();
        delete release.unlock;
        return undefined;
    }
  }

  #fresh(): { readonly entryId: Uint8Array; readonly salt: Uint8Array } {
    const { random } = this.#context;
    return { entryId: random(ENTRY_ID_BYTES), salt: random(ENTRY_SALT_BYTES) };
  }

  async #lock(release: Release, keys: readonly string[]): Promise<Input> {
    release.unlock = await this.#context.locks.acquire(keys);
    return { type: 'locked' };
  }

  async #meantBy(asked: AskedRelease): Promise<Meant> {
    const known = await this.#context.custodian.handle(asked.handle);
    // A handle is one pair's: in another member's hands it stands for nobody.
    if (known?.recipient !== asked.recipient) return NOBODY;
    return { patient: known.patient, consentId: known.consentId };
  }

  /** The consents on which this page may stand: the asked patient's, and those of others its records are about. */
  async #consentsToLock(asked: AskedRelease, meant: Meant): Promise<ReadonlyMap<string, ConsentId>> {
    const consents = new Map<string, ConsentId>();
    if (meant.consentId) consents.set(meant.patient, meant.consentId);
    if (!(await this.#mayBePermitted(asked, meant))) return consents;
    const { custodian } = this.#context;
    const known = new Map<string, StoredConsent | undefined>();
    if (meant.consentId) known.set(meant.patient, await custodian.consent(meant.consentId));
    await this.#collect(asked, meant, async (subject) => {
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
  async #collect(
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

  async #readFacts(release: Release): Promise<Input> {
    const { custodian, decideAt, now } = this.#context;
    const { asked, meant } = release;
    const consents = new Map<string, StoredConsent | undefined>();
    for (const [subject, consentId] of release.consentOf)
      consents.set(subject, await custodian.consent(consentId));
    const patient = this.#subjectFacts(release, meant.patient, consents);
    // Records are read only for who may have them: a refusal takes the same work whether or not there are any.
    const isPermitted = decideAt(now())(patient.facts).outcome === 'permit';
    const consentOf = async (subject: string) => consents.get(subject);
    const page =
      isPermitted && meant.patient !== '' ? await this.#collect(asked, meant, consentOf) : NO_RECORDS;
    return { type: 'facts', facts: this.#factsOf(release, page, consents) };
  }

  /** Everything the ledger says, in one turn of the event loop: head, consents and proofs belong together. */
  #factsOf(
    release: Release,
    page: RecordPage,
    consents: ReadonlyMap<string, StoredConsent | undefined>,
  ): ChunkFacts<PatientFacts> {
    const { ledger, now, disclosureSigner } = this.#context;
    const { meant } = release;
    const head = ledger.head();
    const { records } = page;
    const others = new Set(records.flatMap((record) => record.subjects));
    others.delete(meant.patient);
    const { consentId } = meant;
    const evidence = gatherEvidence({
      ledger,
      head,
      records,
      consentId,
      leafSigner: disclosureSigner.publicKey,
    });
    release.read = { records, evidence, next: page.next };
    return {
      now: now(),
      head: { engineHeight: head.engineHeight, time: head.time, headerHash: head.headerHash },
      subjects: [
        this.#subjectFacts(release, meant.patient, consents),
        // Records about more patients than one entry can name are withheld: nobody speaks for the rest of them.
        ...[...others]
          .slice(0, CHUNK_SUBJECTS_MAX - 1)
          .map((subject) => this.#subjectFacts(release, subject, consents)),
      ],
      records: records.map(candidateOf),
      last: true,
      ...this.#fresh(),
    };
  }

  #subjectFacts(
    release: Release,
    subject: string,
    consents: ReadonlyMap<string, StoredConsent | undefined>,
  ): SubjectFacts<PatientFacts> {
    const { ledger, now } = this.#context;
    const consent = consents.get(subject);
    const moment = { consent, head: ledger.head(), now: now() };
    const consentId = consent && { consentId: consent.consentId };
    return { subject, ...consentId, facts: patientFacts(this.#context, release.asked, moment) };
  }

  #prepare(release: Release, effect: ReleaseEffect & { readonly type: 'prepare' }): void {
    const { leaf, released, obligations } = effect;
    const { read } = release;
    if (!read) return;
    const text = encodeReleaseBundle({
      leaf: signDisclosureLeaf(leaf satisfies DisclosureLeaf, this.#context.disclosureSigner),
      evidence: read.evidence.page,
      records: released.flatMap((index) => {
        const record = read.records[index];
        const evidence = read.evidence.records[index];
        return record && evidence ? [{ text: record.text, evidence }] : [];
      }),
      obligations: obligations.filter((obligation) => obligation === 'redisclosure-notice'),
      ...(read.next === undefined ? {} : { next: read.next }),
    });
    release.body = { bytes: Buffer.from(text, 'utf8'), before: leaf.releaseBefore };
  }

  #write(release: Release): Promise<Input> {
    const { body } = release;
    if (!body) throw nothingToShow();
    return release.send(body.bytes, body.before).then(
      () => ({ type: 'written' as const }),
      () => ({ type: 'failed' as const }),
    );
  }
}
