import {
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
import type { RecordPage, ReleasableRecord } from '../exchange-records.ts';
import { encodeReleaseBundle } from '../release-bundle.ts';
import type { StoredConsent } from '../store/custodian-store.ts';
import { patientFacts } from './consent-facts.ts';
import { gatherEvidence, type ReleaseEvidence } from './release-evidence.ts';
import { candidateOf } from './release-page.ts';
import { type AskedRelease, type Meant, NO_RECORDS, ReleaseRecords } from './release-records.ts';

/** Hands a body to the socket at once; resolves when the socket took all of it, rejects when it did not by `before`. */
export type SendBody = (body: Uint8Array, before: number) => Promise<void>;

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
  readonly #records: ReleaseRecords;

  constructor(context: ExchangeContext) {
    this.#context = context;
    this.#records = new ReleaseRecords(context);
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
    const consentOf = await this.#records.consentsToLock(asked, meant);
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
      isPermitted && meant.patient !== '' ? await this.#records.collect(asked, meant, consentOf) : NO_RECORDS;
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
