import { join } from 'node:path';
import type { LedgerPort } from '@careledger/custody';
import type { TrustPath } from '@careledger/ledger';
import type { OrganizationId } from '@careledger/primitives';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { JWK } from 'jose';
import {
  type AuthorizationServer,
  authorizationEndpointOf,
  type ClientRegistry,
  createAuthorizationServer,
  fhirBaseOf,
  tokenEndpointOf,
} from './authorization/index.ts';
import type { Caller } from './caller.ts';
import { documentsPart } from './documents/index.ts';
import {
  FhirService,
  fhirRoutes,
  RecordStore,
  type ServedOperation,
  VaultImportTarget,
} from './fhir/index.ts';
import { type GatewayKeys, gatewayKeys } from './gateway-keys.ts';
import { patientDirectory } from './gateway-patients.ts';
import { recordRoutes } from './gateway-records.ts';
import { type HomeLock, lockHome } from './home-lock.ts';
import type { ImportTarget } from './import/index.ts';
import { Indexer, IndexStore } from './index-store/index.ts';
import {
  GATEWAY_KEYS,
  type KeyEvent,
  type Keystore,
  type KeystoreDescription,
  type KeystoreSecret,
  LEDGER_SIGNING_KEY,
  openFileKeystore,
} from './keystore/index.ts';
import {
  CRITICAL_ANCHORED_WITHIN_MS,
  Outbox,
  type OutboxMetrics,
  requireAnchorsKnown,
} from './outbox/index.ts';
import { OWN_OPERATIONS } from './own-operations.ts';
import { provenanceRoutes } from './provenance/index.ts';
import {
  type GatewayServer,
  type MeasuredGauge,
  metricsRoute,
  type RateLimits,
  type ServerLog,
  startGatewayServer,
} from './server/index.ts';
import { summaryRoutes } from './summary/index.ts';
import type { TlsIdentity } from './tls/index.ts';
import { loadDefinitions, loadProfiles } from './validation/index.ts';
import { KeyRotation, type RewrapCount, Vault, type VaultReport, verifyVault } from './vault/index.ts';

/** What the parts of a gateway share. The exchange with other members is built on it. */
export interface GatewayContext {
  readonly organization: OrganizationId;
  readonly ledger: LedgerPort;
  readonly keystore: Keystore;
  readonly vault: Vault;
  readonly store: RecordStore;
  readonly index: IndexStore;
  readonly indexer: Indexer;
  readonly outbox: Outbox;
  readonly service: FhirService;
  /** `home/gateway`: parts keep their files in folders of their own below it. */
  readonly folder: string;
  /** `https://localhost:7400`, without a last slash. */
  readonly origin: string;
  readonly log: ServerLog;
  readonly now: () => number;
}

/** A part that lives in the gateway: started after the vault is open, before the server listens. */
export interface GatewayPart {
  readonly registerRoutes?: (app: FastifyInstance) => void | Promise<void>;
  /** Answers requests under the FHIR base that are not the FHIR API's own: true when it has answered. */
  readonly intercept?: (request: FastifyRequest, reply: FastifyReply, caller: Caller) => Promise<boolean>;
  /** Operations that the part answers under the FHIR base, for `/metadata`. */
  readonly operations?: readonly ServedOperation[];
  /** Puts what the part keeps sealed for a patient under the newest version of the patient's key. */
  readonly rewrapPatient?: (patientId: string) => Promise<RewrapCount>;
  readonly start?: () => Promise<void>;
  readonly stop?: () => Promise<void>;
}

export interface GatewayOptions {
  /** The member's home: this gateway keeps everything under `gateway/` in it. */
  readonly home: string;
  readonly organization: OrganizationId;
  readonly ledger: LedgerPort;
  readonly keystoreSecret: KeystoreSecret;
  readonly tls: TlsIdentity;
  readonly port: number;
  /** Interface to bind; `127.0.0.1` by default. */
  readonly host?: string;
  /** Private ES256 key of the authorization server. */
  readonly authorizationKey: JWK;
  readonly clients: ClientRegistry;
  readonly log: ServerLog;
  readonly now?: () => number;
  /** Folder of the keys of backup epochs, apart from everything that is backed up; `backup-epochs` in the home by default. */
  readonly backupEpochs?: string;
  /** Uses of keys, for the organization's audit log: ids of keys, never of patients. */
  readonly audit?: (event: KeyEvent) => void;
  /** Validator-set changes since genesis, for receipts. */
  readonly trustPath?: () => TrustPath;
  /** Folder of FHIR packages whose profiles resources are held to: see `loadProfiles`. They count for the whole process. */
  readonly profiles?: string;
  /** `RATE_LIMITS` unless given. */
  readonly rateLimits?: RateLimits;
  /** Parts that other folders bring: the exchange. */
  readonly parts?: readonly ((context: GatewayContext) => GatewayPart | Promise<GatewayPart>)[];
}

/** One organization's gateway: FHIR endpoint, vault, keystore, search index, outbox. */
export interface Gateway {
  /** FHIR base URL. */
  readonly url: string;
  readonly context: GatewayContext;
  /** Rotation and backups of the keys, once the gateway has started. */
  readonly keys: GatewayKeys;
  /** Opens the port and begins to anchor. */
  start(): Promise<void>;
  /** Ends what is under way, then closes every file. Nothing acknowledged is lost. */
  stop(): Promise<void>;
  describeKeystore(): KeystoreDescription;
  metrics(): Promise<OutboxMetrics>;
  verifyVault(): Promise<VaultReport>;
  /** Where an import of existing data goes. `actor` is written down as the author. */
  importTarget(actor?: string): ImportTarget;
}

async function openKeystore(options: GatewayOptions, folder: string): Promise<Keystore> {
  const keystore = await openFileKeystore({
    folder: join(folder, 'keystore'),
    secret: options.keystoreSecret,
    epochs: options.backupEpochs ?? join(options.home, 'backup-epochs'),
    ...(options.audit ? { audit: options.audit } : {}),
    ...(options.now ? { now: options.now } : {}),
  });
  await keystore.ensure(GATEWAY_KEYS);
  return keystore;
}

/** Opens every store and puts the parts together, the stores' files being the vault's own truth first. */
async function openContext(options: GatewayOptions): Promise<GatewayContext> {
  const { organization, ledger, log, trustPath } = options;
  const now = options.now ?? Date.now;
  const folder = join(options.home, 'gateway');
  const origin = `https://localhost:${options.port}`;
  loadDefinitions();
  if (options.profiles !== undefined) {
    const { profiles, unusable } = loadProfiles(options.profiles);
    log.info({ profiles: profiles.length, unusable }, 'profiles loaded');
  }
  const keystore = await openKeystore(options, folder);
  const vault = await Vault.open({ folder: join(folder, 'vault'), organization, keystore, now });
  const signer = keystore.signer(LEDGER_SIGNING_KEY);
  await requireAnchorsKnown({ vault, ledger, signer: signer.publicKey }).catch(async (error: unknown) => {
    await vault.close();
    await keystore.close();
    throw error;
  });
  const index = await IndexStore.open(join(folder, 'search-index'));
  const indexer = new Indexer(index, { keystore, vault, baseUrl: fhirBaseOf(origin) });
  const caughtUp = await indexer.catchUp(vault);
  if (caughtUp.indexed > 0) log.info(caughtUp, 'search index brought up to the vault');
  const outbox = new Outbox({
    vault,
    ledger,
    signer,
    now,
    ...(trustPath ? { trustPath } : {}),
    onTrouble: (trouble) => log.error(trouble, 'an anchor is not final yet'),
  });
  const baseUrl = fhirBaseOf(origin);
  const store = new RecordStore({
    ...{ vault, index, indexer, baseUrl, now },
    onCommitted: () => outbox.wake(),
    onIndexFault: (error) => log.error(faultFields(error), 'the search index is behind the vault'),
  });
  const service = new FhirService({
    store,
    keystore,
    onFault: (error) => log.error(faultFields(error), 'a FHIR request failed'),
  });
  return {
    organization,
    ledger,
    keystore,
    vault,
    store,
    index,
    indexer,
    outbox,
    service,
    folder,
    origin,
    log,
    now,
  };
}

/** Name, code and frames of a fault: its message may quote data and stays out of the log. */
function faultFields(error: unknown): object {
  if (!(error instanceof Error)) return { fault: 'unknown' };
  const code = 'code' in error ? error.code : undefined;
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  return { fault: error.name, code, at: frames.slice(0, 8).map((line) => line.trim()) };
}

/** How far anchoring is behind the vault. */
function outboxGauges(outbox: Outbox): readonly MeasuredGauge[] {
  return [
    {
      name: 'careledger_outbox_waiting_versions',
      help: 'Record versions that no final anchor holds yet.',
      read: async () => (await outbox.metrics()).waiting,
    },
    {
      name: 'careledger_outbox_lag_milliseconds',
      help: 'Age of the oldest of them.',
      read: async () => (await outbox.metrics()).lagMs,
    },
    {
      name: 'careledger_outbox_critical_lag_milliseconds',
      help: `Age of the oldest critical one (allergies, active medication); the objective is ${CRITICAL_ANCHORED_WITHIN_MS}.`,
      read: async () => (await outbox.metrics()).criticalLagMs,
    },
    {
      name: 'careledger_outbox_refused_anchors',
      help: 'Anchors that the ledger has refused since the start.',
      read: async () => (await outbox.metrics()).refusals,
    },
  ];
}

class MemberGateway implements Gateway {
  readonly url: string;
  readonly context: GatewayContext;
  readonly keys: GatewayKeys;
  readonly #options: GatewayOptions;
  readonly #lock: HomeLock;
  readonly #rotation: KeyRotation;
  #parts: readonly GatewayPart[] = [];
  #server: GatewayServer | undefined;
  #authorization: AuthorizationServer | undefined;

  constructor(options: GatewayOptions, context: GatewayContext, lock: HomeLock) {
    this.#options = options;
    this.#lock = lock;
    this.#rotation = new KeyRotation({
      ...context,
      others: () => this.#parts.flatMap(({ rewrapPatient }) => rewrapPatient ?? []),
    });
    this.keys = gatewayKeys(context.keystore, this.#rotation);
    this.context = context;
    this.url = fhirBaseOf(context.origin);
  }

  async start(): Promise<void> {
    const { context } = this;
    const onFault = (error: unknown): void =>
      context.log.error(faultFields(error), 'a document could not be sent');
    const parts: GatewayPart[] = [documentsPart({ ...context, onFault })];
    for (const make of this.#options.parts ?? []) parts.push(await make(context));
    this.#parts = parts;
    for (const part of parts) await part.start?.();
    this.#server = await this.#listen();
    await context.outbox.start();
    // A rotation that a crash left half-way; requests are answered meanwhile.
    this.#rotation
      .resume()
      .catch((error: unknown) => context.log.error(faultFields(error), 'a key rotation is not finished'));
  }

  async #listen(): Promise<GatewayServer> {
    const { organization, authorizationKey, clients, tls, host, port, log, now, rateLimits } = this.#options;
    const { origin, store, outbox, service, folder } = this.context;
    const authorization = await createAuthorizationServer({
      ...{ organization, origin, clients, signingKey: authorizationKey },
      ...{ folder: join(folder, 'authorization'), patients: patientDirectory(service) },
      onFault: (error) => log.error(faultFields(error), 'a sign-in or token request failed'),
      ...(now ? { now } : {}),
    });
    this.#authorization = authorization;
    return startGatewayServer({
      ...{ tls, port, authorization, log },
      ...(host === undefined ? {} : { host }),
      ...(rateLimits ? { rateLimits } : {}),
      registerRoutes: async (app) => {
        metricsRoute(app, outboxGauges(outbox));
        for (const part of this.#parts) await part.registerRoutes?.(app);
        recordRoutes(app, { store, outbox });
        provenanceRoutes(app, this.context);
        summaryRoutes(app, this.context);
        fhirRoutes(app, {
          ...{ service, organization, baseUrl: this.url },
          authorizationEndpoint: authorizationEndpointOf(origin),
          tokenEndpoint: tokenEndpointOf(origin),
          operations: [...OWN_OPERATIONS, ...this.#parts.flatMap(({ operations = [] }) => operations)],
          intercept: (request, reply, caller) => this.#intercept(request, reply, caller),
        });
      },
    });
  }

  async #intercept(request: FastifyRequest, reply: FastifyReply, caller: Caller): Promise<boolean> {
    for (const part of this.#parts) {
      if (await part.intercept?.(request, reply, caller)) return true;
    }
    return false;
  }

  async stop(): Promise<void> {
    const { outbox, vault, index, keystore } = this.context;
    await this.#server?.close();
    await this.#authorization?.close();
    await this.#rotation.stop();
    for (const part of [...this.#parts].reverse()) await part.stop?.();
    await outbox.stop();
    await vault.close();
    await index.close();
    await keystore.close();
    this.#lock.release();
  }

  describeKeystore(): KeystoreDescription {
    return this.context.keystore.describe();
  }

  metrics(): Promise<OutboxMetrics> {
    return this.context.outbox.metrics();
  }

  verifyVault(): Promise<VaultReport> {
    return verifyVault(this.context.vault);
  }

  importTarget(actor = `${this.context.organization}/import`): ImportTarget {
    return new VaultImportTarget(this.context.store, this.context.keystore, actor);
  }
}

/**
 * Opens a member's gateway: its stores now, its port with `start`.
 *
 * @throws {@link KeystoreError} or {@link VaultError} when a store cannot be opened.
 * @example
 * const gateway = await createGateway({ home, organization, ledger, keystoreSecret, tls, port: 7400, ...identity });
 * await gateway.start();
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const lock = lockHome(join(options.home, 'gateway'));
  try {
    return new MemberGateway(options, await openContext(options), lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}
