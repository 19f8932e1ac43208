import { isConsentActive, readConsent } from '@careledger/capabilities';
import {
  REQUEST_ID_BYTES,
  signAcknowledgement,
  type Verdict,
  type VerifiedRelease,
  verifyRelease,
} from '@careledger/custody';
import { idOf, type LosslessResource } from '@careledger/fhir';
import { type OrganizationId, toBase64Url, toHex } from '@careledger/primitives';
import { ExchangeError } from '../errors.ts';
import type { ExchangeContext, MemberAnswer } from '../exchange-context.ts';
import { journalEvent } from '../journal/journal-event.ts';
import { decodeReleaseBundle, type IncomingPage } from '../release-bundle.ts';
import type { Located } from '../store/recipient-store.ts';
import { isSamePerson } from './demographics.ts';
import { type Filed, fileCopies, type VerifiedRecord } from './file-copies.ts';

export interface FetchRequest {
  readonly patientId: string;
  readonly purpose: string;
  readonly requestingUser: string;
  /** One custodian; all located ones when absent. */
  readonly custodian?: OrganizationId;
  /** FHIR types; all when absent. The Patient comes with them always: it is compared before anything is filed. */
  readonly types?: readonly string[];
}

/** What was fetched from one custodian. */
export interface FetchOutcome {
  readonly custodian: OrganizationId;
  readonly received: number;
  readonly verified: number;
  /** Verdicts that failed, by name, with how often. */
  readonly failures: ReadonlyMap<string, number>;
  readonly filed: Filed;
  /** Why nothing came of it: `exchange/nothing`, `exchange/other-person`, ... */
  readonly refusal?: string;
}

/** Records that one fetch takes from one custodian at most. */
export const FETCH_RECORDS_MAX = 10_000;
/** Their pages are held until all are here: a custodian that never ends must not fill the memory. */
const FETCH_BYTES_MAX = 256 * 1024 * 1024;
const NOTHING_FILED: Filed = { keptOnly: 0, created: [], updated: [], unchanged: [] };

/** One page, verified and acknowledged. */
interface TakenPage {
  readonly page: IncomingPage;
  readonly checked: VerifiedRelease;
}

/** Locations of a patient whose consent the ledger calls active now. */
export async function locate(context: ExchangeContext, patientId: string): Promise<readonly Located[]> {
  const located = await context.recipient.locationsOf(patientId);
  return located.filter(({ consentId, isWithdrawn }) => {
    if (isWithdrawn) return false;
    const record = readConsent(context.ledger, consentId);
    return record !== undefined && isConsentActive(record, context.now());
  });
}

/** Fetches a patient's records straight from the custodians, verifies each one and files what holds. */
export class RecordFetcher {
  readonly #context: ExchangeContext;

  constructor(context: ExchangeContext) {
    this.#context = context;
  }

  /**
   * Fetches from every custodian where the patient is located.
   * @throws {@link ExchangeError} `exchange/not-located`.
   */
  async fetch(request: FetchRequest): Promise<readonly FetchOutcome[]> {
    const all = await this.#context.recipient.locationsOf(request.patientId);
    const known = newestOfEach(
      all.filter(({ custodian }) => !request.custodian || custodian === request.custodian),
    );
    if (known.length === 0) {
      throw new ExchangeError(
        'exchange/not-located',
        'No records of this patient are located at another member.',
      );
    }
    const outcomes: FetchOutcome[] = [];
    for (const located of known) outcomes.push(await this.#fetchFrom(located, request));
    return outcomes;
  }

  async #fetchFrom(located: Located, request: FetchRequest): Promise<FetchOutcome> {
    try {
      const pages = await this.#readPages(located, request);
      return await this.#file(located, request, pages);
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      const { custodian } = located;
      const nothing = { received: 0, verified: 0, failures: new Map(), filed: NOTHING_FILED };
      return { custodian, ...nothing, refusal: error.code };
    }
  }

  async #readPages(located: Located, request: FetchRequest): Promise<readonly TakenPage[]> {
    const pages: TakenPage[] = [];
    let received = 0;
    let bytes = 0;
    let after: string | undefined;
    do {
      const taken = await this.#readPage(located, request, after);
      const { resources, records, next } = taken.page;
      pages.push(taken);
      received += resources.length;
      bytes += records.reduce((sum, record) => sum + record.bytes.length, 0);
      // A page of nothing is the last one, whatever it says: what is withheld takes no place in a page.
      after = resources.length > 0 ? next : undefined;
    } while (after !== undefined && received < FETCH_RECORDS_MAX && bytes < FETCH_BYTES_MAX);
    return pages;
  }

  async #readPage(located: Located, request: FetchRequest, after: string | undefined): Promise<TakenPage> {
    const { members, random } = this.#context;
    const requestId = random(REQUEST_ID_BYTES);
    const { purpose, requestingUser } = request;
    const types = request.types && [...new Set(['Patient', ...request.types])];
    const answer = await members.post(located.custodian, {
      operation: '$records',
      body: requestBody({ handle: toBase64Url(located.handle), requestId, types, after }),
      purpose,
      requestingUser,
      consentId: toHex(located.consentId),
    });
    const page = pageOf(answer);
    const checked = this.#verify({ page, located, request, requestId, answer });
    await this.#acknowledge(located, request, { page, checked }, requestId);
    return { page, checked };
  }

  #verify(options: {
    readonly page: IncomingPage;
    readonly located: Located;
    readonly request: FetchRequest;
    readonly requestId: Uint8Array;
    readonly answer: MemberAnswer;
  }): VerifiedRelease {
    const { organization, ledger, trusted, verifySignature } = this.#context;
    const { page, located, request, requestId, answer } = options;
    const checked = verifyRelease({
      page,
      expected: {
        chain: ledger.chain,
        custodian: located.custodian,
        recipient: organization,
        requestId,
        purpose: request.purpose,
        consentId: located.consentId,
        receivedAt: answer.receivedAt,
      },
      tools: { trusted, verifySignature },
    });
    // Without a leaf in time there is nothing to hold the custodian to: the answer is not taken at all.
    const refused = checked.page.find((verdict) => !verdict.holds);
    if (!refused) return checked;
    throw new ExchangeError('exchange/custodian-not-believed', `The answer does not hold (${refused.name}).`);
  }

  /** Journals what was taken, for our own anchored list, and tells the custodian under our signature. */
  async #acknowledge(
    located: Located,
    request: FetchRequest,
    { page, checked }: TakenPage,
    requestId: Uint8Array,
  ): Promise<void> {
    const { leaf } = checked;
    if (!leaf) return;
    const { organization, ledger, ledgerSigner, members, now, log } = this.#context;
    const { custodian, consentId } = located;
    const { purpose, requestingUser } = request;
    const own = await journalEvent(this.#context, {
      ...{ event: 'receipt', counterpart: custodian, purpose, requestingUser, consentId, requestId },
      subjects: [request.patientId],
      ground: leaf.ground,
      chunk: leaf.chunk,
      description: describe(page.resources),
      records: leaf.records,
      counterpartEntry: leaf.entry,
    });
    const accepted = checked.records.filter((record) => record.accepted).length;
    const acknowledgement = signAcknowledgement(
      {
        kind: 'careledger/acknowledgement/1',
        ...{ chain: ledger.chain, custodian, recipient: organization, requestId },
        ...{ chunk: leaf.chunk, entry: leaf.entry, ownEntry: own.commitment, receivedAt: now() },
        ...{ accepted, rejected: checked.records.length - accepted },
      },
      ledgerSigner,
    );
    const body = acknowledgementBody(acknowledgement);
    await members
      .post(custodian, {
        operation: '$acknowledge',
        body,
        purpose,
        requestingUser,
        consentId: toHex(consentId),
      })
      .catch(() =>
        log.error({ custodian }, 'an acknowledgement was not delivered; it stands in our anchored list'),
      );
  }

  async #file(located: Located, request: FetchRequest, pages: readonly TakenPage[]): Promise<FetchOutcome> {
    const { custodian } = located;
    const failures = new Map<string, number>();
    const verified: VerifiedRecord[] = [];
    let received = 0;
    for (const { page, checked } of pages) {
      for (const [index, resource] of page.resources.entries()) {
        received += 1;
        const verdicts = checked.records[index]?.verdicts ?? [];
        const evidence = page.records[index]?.evidence;
        count(failures, verdicts);
        if (!evidence || verdicts.some((verdict) => !verdict.holds)) continue;
        verified.push({ resource, evidence, page: page.evidence, disclosureLeaf: page.leaf });
      }
    }
    const summary = { custodian, received, verified: verified.length, failures };
    const sourcePatientId = await this.#personIn(verified, request.patientId);
    if (sourcePatientId === undefined)
      return { ...summary, filed: NOTHING_FILED, refusal: 'exchange/other-person' };
    const { patientId, requestingUser } = request;
    const filed = await fileCopies(
      this.#context,
      { patientId, sourcePatientId, custodian, requestingUser },
      verified,
    );
    return { ...summary, filed };
  }

  /** The fetched Patient's id, if it is the person in whose chart we file; else `undefined`. */
  async #personIn(verified: readonly VerifiedRecord[], patientId: string): Promise<string | undefined> {
    const own = await this.#context.records.readPatient(patientId);
    const fetched = verified.filter(({ resource }) => resource.resourceType === 'Patient');
    const [patient] = fetched;
    if (!own || !patient || fetched.length !== 1) return undefined;
    return isSamePerson(own, patient.resource) ? idOf(patient.resource) : undefined;
  }
}

/**
 * The location to ask at each custodian: the newest that stands, else the newest that did. A custodian is asked even
 * where the consent is over by now: it decides and records it, not we.
 */
function newestOfEach(locations: readonly Located[]): readonly Located[] {
  const chosen = new Map<OrganizationId, Located>();
  for (const location of locations) {
    const before = chosen.get(location.custodian);
    if (!before || !location.isWithdrawn || before.isWithdrawn) chosen.set(location.custodian, location);
  }
  return [...chosen.values()];
}

function count(failures: Map<string, number>, verdicts: readonly Verdict[]): void {
  for (const { name, holds } of verdicts) if (!holds) failures.set(name, (failures.get(name) ?? 0) + 1);
}

function pageOf(answer: MemberAnswer): IncomingPage {
  if (answer.status === 404) throw new ExchangeError('exchange/nothing', 'The custodian shows nothing.');
  if (answer.status !== 200) {
    throw new ExchangeError('exchange/custodian-unavailable', 'The custodian answers with an error.');
  }
  const page = decodeReleaseBundle(answer.body);
  if (page) return page;
  throw new ExchangeError('exchange/custodian-not-believed', 'The answer carries no signed disclosure leaf.');
}

function describe(
  resources: readonly LosslessResource[],
): { readonly type: string; readonly count: number }[] {
  const counts = new Map<string, number>();
  for (const { resourceType } of resources) counts.set(resourceType, (counts.get(resourceType) ?? 0) + 1);
  const listed = [...counts].map(([type, number]) => ({ type, count: number }));
  return listed.slice(0, 16);
}

function requestBody(options: {
  readonly handle: string;
  readonly requestId: Uint8Array;
  readonly types: readonly string[] | undefined;
  readonly after: string | undefined;
}): string {
  const parameter = [
    { name: 'handle', valueString: options.handle },
    { name: 'requestId', valueString: toHex(options.requestId) },
    ...(options.types ?? []).map((type) => ({ name: 'type', valueCode: type })),
    ...(options.after === undefined ? [] : [{ name: 'after', valueString: options.after }]),
  ];
  return JSON.stringify({ resourceType: 'Parameters', parameter });
}

function acknowledgementBody(acknowledgement: Uint8Array): string {
  const valueBase64Binary = Buffer.from(acknowledgement).toString('base64');
  return JSON.stringify({
    resourceType: 'Parameters',
    parameter: [{ name: 'acknowledgement', valueBase64Binary }],
  });
}
