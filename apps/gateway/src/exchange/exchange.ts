import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { revokeConsentCodec } from '@careledger/capabilities';
import { type PatientHandle, policyDecision } from '@careledger/custody';
import { canonicalText, type LosslessResource } from '@careledger/fhir';
import {
  type Block,
  decodeGenesis,
  decodeTransaction,
  TrustedChain,
  type TrustPath,
} from '@careledger/ledger';
import { policyVersionAt } from '@careledger/policy';
import type { JWK } from 'jose';
import type { Agent } from 'undici';
import type { RecordStore } from '../fhir/index.ts';
import type { GatewayContext, GatewayPart } from '../gateway.ts';
import { DISCLOSURE_SIGNING_KEY, LEDGER_SIGNING_KEY, SEALED_ENTRIES_KEY, sealTo } from '../keystore/index.ts';
import { ConsentLocks } from './consent-locks.ts';
import { ConsentDesk } from './custodian/consent-desk.ts';
import { type AskedMatch, answerMatch } from './custodian/match-desk.ts';
import { ReleaseDesk } from './custodian/release-desk.ts';
import { takeAcknowledgement } from './custodian/take-acknowledgement.ts';
import { ExchangeError, nothingToShow } from './errors.ts';
import type { ExchangeContext, ExchangeLog } from './exchange-context.ts';
import { registerExchangeRoutes } from './exchange-routes.ts';
import { interceptExchange } from './intercept.ts';
import { Anchoring } from './journal/anchoring.ts';
import { Journal } from './journal/journal.ts';
import { createLedgerWriter } from './ledger-writer.ts';
import { createMemberCalls, type MemberAddress } from './member-calls.ts';
import { RetractionDesk } from './move/retraction-notices.ts';
import { type FetchOutcome, type FetchRequest, locate, RecordFetcher } from './recipient/fetch-records.ts';
import {
  type IntroductionRequest,
  introduce,
  type SealedIntroduction,
} from './recipient/introduction-desk.ts';
import { LocatorScan } from './recipient/locator-scan.ts';
import { type MadeReport, makeReport, type ReportRequest } from './reports/make-report.ts';
import { verifyWithSodium } from './sodium-signatures.ts';
import { CustodianStore } from './store/custodian-store.ts';
import { ExchangeDatabase } from './store/exchange-database.ts';
import { type Located, RecipientStore } from './store/recipient-store.ts';
import { VaultRecords } from './vault-records.ts';

export interface ExchangeOptions {
  /** Where other members' gateways are. */
  readonly addressOf: (organization: string) => MemberAddress | undefined;
  /** Private key of our client assertions towards other members. */
  readonly clientKey: JWK;
  /** Connects with our certificate: `mutualTlsAgent`. */
  readonly agent: Agent;
  /** Validator-set changes since genesis; none unless given. */
  readonly trustPath?: () => TrustPath;
}

/** Unfinished grants and revocations are tried again this often. */
const FINISH_EVERY_MS = 2_000;

/** What this organization does with others: as a custodian, and as a recipient. */
export class Exchange {
  readonly context: ExchangeContext;
  readonly consents: ConsentDesk;
  readonly releases: ReleaseDesk;
  readonly retractions: RetractionDesk;
  readonly #fetcher: RecordFetcher;
  readonly #scan: LocatorScan;
  #unsubscribe: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #finishing: Promise<void> = Promise.resolve();

  constructor(context: ExchangeContext, store: RecordStore) {
    this.context = context;
    this.retractions = new RetractionDesk(context, store);
    this.consents = new ConsentDesk(context);
    this.releases = new ReleaseDesk(context);
    this.#fetcher = new RecordFetcher(context);
    this.#scan = new LocatorScan(context);
  }

  /** @throws {@link ExchangeError} `journal/truncated` when the journal lacks what the ledger anchors. */
  async start(): Promise<void> {
    const { anchoring, ledger } = this.context;
    anchoring.checkAgainstLedger();
    await this.#scan.catchUp();
    this.#unsubscribe = ledger.onFinal((_head, block) => {
      if (block) this.#follow(block);
    });
    anchoring.start();
    this.#timer = setInterval(() => this.#finish(), FINISH_EVERY_MS);
    this.#timer.unref();
    this.#finish();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    clearInterval(this.#timer);
    await this.#finishing;
    await this.#scan.catchUp().catch((error: unknown) => this.#report(error));
    await this.context.anchoring.stop();
    await this.context.journal.close();
    await this.context.database.close();
  }

  introduce(request: IntroductionRequest): Promise<SealedIntroduction> {
    return introduce(this.context, request);
  }

  /** Where a patient's records are, by consents that are active now. Reads the newest blocks first. */
  async locate(patientId: string): Promise<readonly Located[]> {
    await this.#scan.catchUp();
    return locate(this.context, patientId);
  }

  async fetch(request: FetchRequest): Promise<readonly FetchOutcome[]> {
    await this.#scan.catchUp();
    return this.#fetcher.fetch(request);
  }

  match(asked: AskedMatch): Promise<PatientHandle | undefined> {
    return answerMatch(this.context, asked);
  }

  acknowledge(signed: Uint8Array, caller: Parameters<typeof takeAcknowledgement>[2]): Promise<void> {
    return takeAcknowledgement(this.context, signed, caller);
  }

  report(request: ReportRequest): Promise<MadeReport> {
    return makeReport(this.context, request);
  }

  /** @throws {@link ExchangeError} `exchange/nothing` for a Patient who is not here. */
  async requirePatient(id: string): Promise<void> {
    if (!(await this.context.records.readPatient(id))) throw nothingToShow();
  }

  textOf(resource: LosslessResource | undefined): string {
    if (!resource) throw nothingToShow();
    return canonicalText(resource);
  }

  #follow(block: Block): void {
    this.#scan.catchUp().catch((error: unknown) => this.#report(error));
    for (const [index, bytes] of block.transactions.entries()) {
      const decoded = block.results[index]?.code === 0 ? decodeTransaction(bytes) : undefined;
      if (!decoded?.ok || decoded.value.payload.type !== 'consent/revoke') continue;
      const { consentId } = revokeConsentCodec.decode(decoded.value.payload.body);
      this.consents.revokedOnLedger(consentId).catch((error: unknown) => this.#report(error));
    }
  }

  #finish(): void {
    this.#finishing = this.#finishing
      .then(() => this.consents.finishAll())
      .then(() => this.retractions.deliver())
      .catch((error: unknown) => this.#report(error));
  }

  #report(error: unknown): void {
    const code = error instanceof ExchangeError ? error.code : 'exchange/fault';
    this.context.log.error({ code }, 'an exchange step failed and is tried again');
  }
}

function trustOf(gateway: GatewayContext, trustPath: () => TrustPath): TrustedChain {
  const { chain } = gateway.ledger;
  const path = trustPath();
  const trusted = TrustedChain.fromPath({ path, expectedChain: chain, verifySignature: verifyWithSodium });
  if (trusted.ok) return trusted.value;
  throw new ExchangeError(
    'exchange/altered',
    `The chain's own trust path does not hold (${trusted.error.code}).`,
  );
}

function rulePackOf(gateway: GatewayContext): string {
  const genesis = decodeGenesis(gateway.ledger.genesis);
  if (!genesis.ok) throw new ExchangeError('exchange/altered', 'The genesis document cannot be read.');
  return genesis.value.parameters.rulePack;
}

/** Opens the exchange's stores over a gateway. */
export async function openExchange(gateway: GatewayContext, options: ExchangeOptions): Promise<Exchange> {
  const { organization, ledger, keystore, now, log } = gateway;
  const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
  const ledgerSigner = keystore.signer(LEDGER_SIGNING_KEY);
  const rulePack = rulePackOf(gateway);
  const trustPath =
    options.trustPath ?? (() => ({ genesis: ledger.genesis, changes: [], validatorSets: [] }));
  const database = await ExchangeDatabase.open({ folder: join(gateway.folder, 'vault'), keystore });
  const journal = await Journal.open({
    folder: join(gateway.folder, 'journal'),
    indexFolder: join(gateway.folder, 'vault'),
    ...{ keystore, random },
  });
  const writer = createLedgerWriter({ ledger, signer: ledgerSigner, now, random });
  const onFailure = (error: unknown): void => reportFailure(log, error);
  const context: ExchangeContext = {
    ...{ organization, ledger, writer, database, journal, ledgerSigner, trustPath, now, random, log },
    records: new VaultRecords(gateway.store, keystore),
    custodian: new CustodianStore(database),
    recipient: new RecipientStore(database),
    anchoring: new Anchoring({ journal, ledger, writer, organization, random, onFailure }),
    locks: new ConsentLocks(),
    members: createMemberCalls({ organization, ...options, now }),
    box: { seal: sealTo, open: keystore.sealedBox(SEALED_ENTRIES_KEY).open },
    disclosureSigner: keystore.signer(DISCLOSURE_SIGNING_KEY),
    verifySignature: verifyWithSodium,
    trusted: trustOf(gateway, trustPath),
    policyVersionAt: (time) => policyVersionAt(rulePack, time),
    decideAt: (time) => policyDecision(policyVersionAt(rulePack, time)),
  };
  return new Exchange(context, gateway.store);
}

function reportFailure(log: ExchangeLog, error: unknown): void {
  const code = error instanceof ExchangeError ? error.code : 'exchange/fault';
  log.error({ code }, 'journal roots are not on the ledger yet');
}

/**
 * The exchange as a part of a gateway.
 *
 * @example
 * createGateway({ ...options, parts: [exchangePart({ addressOf, clientKey, agent })] });
 */
export function exchangePart(options: ExchangeOptions): (gateway: GatewayContext) => Promise<GatewayPart> {
  return async (gateway) => partOf(await openExchange(gateway, options));
}

/** An exchange that is open already as a part of its gateway. */
export function partOf(exchange: Exchange): GatewayPart {
  return {
    registerRoutes: (app) => registerExchangeRoutes(app, exchange),
    intercept: (request, reply, caller) => interceptExchange(exchange, request, reply, caller),
    rewrapPatient: (patientId) => exchange.context.database.rewrapPatient(patientId),
    start: () => exchange.start(),
    stop: () => exchange.stop(),
  };
}
