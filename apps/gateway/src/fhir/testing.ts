import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { organizationId, type PublicKey, signerFromSeed } from '@careledger/primitives';
import type { Caller, Scope } from '../caller.ts';
import { createMemoryLedger, type MemoryLedger } from '../exchange/testing/memory-ledger.ts';
import { Indexer, IndexStore } from '../index-store/index.ts';
import {
  GATEWAY_KEYS,
  type KeyEvent,
  type Keystore,
  LEDGER_SIGNING_KEY,
  openFileKeystore,
  SEALED_ENTRIES_KEY,
} from '../keystore/index.ts';
import { Outbox, type OutboxOptions } from '../outbox/index.ts';
import { Vault } from '../vault/index.ts';
import type { FhirMethod, FhirOutput } from './fhir-request.ts';
import { FhirService } from './fhir-service.ts';
import { RecordStore } from './record-store.ts';

export const HOSPITAL = organizationId('general-hospital');
export const BASE_URL = 'https://localhost:7400/fhir/R4';

const ALL: Scope = {
  context: 'system',
  type: '*',
  create: true,
  read: true,
  update: true,
  delete: true,
  search: true,
};

export function systemCaller(scope: Partial<Scope> = {}): Caller {
  return { kind: 'system', organization: HOSPITAL, subject: 'ehr', scopes: [{ ...ALL, ...scope }] };
}

export function patientCaller(patientId: string, scope: Partial<Scope> = {}): Caller {
  const scopes = [{ ...ALL, context: 'patient' as const, ...scope }];
  return { kind: 'patient', organization: HOSPITAL, subject: 'portal', scopes, patientId };
}

export interface TestAnswer extends FhirOutput {
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at single fields of any resource.
  readonly json: any;
}

/** One organization's stores in a temporary folder, over a ledger that really executes. */
export class TestWorld {
  readonly home: string;
  readonly ledger: MemoryLedger;
  readonly keystore: Keystore;
  readonly vault: Vault;
  readonly index: IndexStore;
  readonly indexer: Indexer;
  readonly outbox: Outbox;
  readonly store: RecordStore;
  readonly service: FhirService;
  readonly faults: unknown[] = [];

  private constructor(parts: {
    readonly home: string;
    readonly ledger: MemoryLedger;
    readonly keystore: Keystore;
    readonly vault: Vault;
    readonly index: IndexStore;
    readonly outboxOptions: Partial<OutboxOptions>;
  }) {
    const { home, ledger, keystore, vault, index } = parts;
    this.home = home;
    this.ledger = ledger;
    this.keystore = keystore;
    this.vault = vault;
    this.index = index;
    this.indexer = new Indexer(index, { keystore, vault, baseUrl: BASE_URL });
    this.outbox = new Outbox({
      ...{ vault, ledger, batchWaitMs: 10 },
      signer: keystore.signer(LEDGER_SIGNING_KEY),
      ...parts.outboxOptions,
    });
    this.store = new RecordStore({
      ...{ vault, index, baseUrl: BASE_URL, now: Date.now },
      indexer: this.indexer,
      onCommitted: () => this.outbox.wake(),
    });
    this.service = new FhirService({
      ...{ keystore, store: this.store },
      onFault: (error) => this.faults.push(error),
    });
  }

  /** @param options.home Opens a folder again instead of a new one; `ledger` goes with it. */
  static async open(
    options: {
      readonly home?: string;
      readonly ledger?: MemoryLedger;
      readonly audit?: (event: KeyEvent) => void;
      readonly outbox?: Partial<OutboxOptions>;
    } = {},
  ): Promise<TestWorld> {
    const home = options.home ?? (await mkdtemp(join(tmpdir(), 'careledger-gateway-')));
    const keystore = await openFileKeystore({
      folder: join(home, 'keystore'),
      secret: { kind: 'key-file', path: join(home, 'keystore', 'keystore.key') },
      ...(options.audit ? { audit: options.audit } : {}),
    });
    await keystore.ensure(GATEWAY_KEYS);
    const ledger = options.ledger ?? testLedger(keystore);
    const vault = await Vault.open({ folder: join(home, 'vault'), organization: HOSPITAL, keystore });
    const index = await IndexStore.open(join(home, 'search-index'));
    const world = new TestWorld({
      home,
      ledger,
      keystore,
      vault,
      index,
      outboxOptions: options.outbox ?? {},
    });
    await world.indexer.catchUp(vault);
    return world;
  }

  async request(
    method: FhirMethod,
    url: string,
    options: {
      readonly body?: unknown;
      readonly caller?: Caller;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<TestAnswer> {
    const [path = '', query = ''] = url.split('?', 2);
    const { body } = options;
    const output = await this.service.handle({
      ...{ method, path, query },
      headers: options.headers ?? {},
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
      caller: options.caller ?? systemCaller(),
    });
    return { ...output, json: output.body === '' ? undefined : JSON.parse(output.body) };
  }

  /** Creates a resource and returns its id. */
  async create(resource: object, caller?: Caller): Promise<string> {
    const type = (resource as { resourceType: string }).resourceType;
    const answer = await this.request('POST', type, { body: resource, ...(caller ? { caller } : {}) });
    if (answer.status !== 201) throw new Error(`not created: ${answer.status} ${answer.body}`);
    return answer.json.id;
  }

  /** Stops writing and closes the files, leaving them. */
  async close(): Promise<void> {
    await this.outbox.stop();
    await this.vault.close();
    await this.index.close();
    await this.keystore.close();
  }

  async remove(): Promise<void> {
    await this.close();
    this.ledger.stop();
    await rm(this.home, { recursive: true, force: true });
  }
}

/** A ledger on which the hospital's gateway key may anchor. */
export function testLedger(keystore: Keystore): MemoryLedger {
  const administrator = signerFromSeed(randomBytes(32));
  return createMemoryLedger({
    organizations: [
      {
        organization: HOSPITAL,
        entityType: 'provider',
        encryptionKey: keystore.sealedBox(SEALED_ENTRIES_KEY).publicKey,
      },
    ],
    keys: [
      {
        publicKey: administrator.publicKey as PublicKey,
        organization: HOSPITAL,
        roles: ['administrator'],
      },
      {
        publicKey: keystore.signer(LEDGER_SIGNING_KEY).publicKey as PublicKey,
        organization: HOSPITAL,
        roles: ['custodian'],
      },
    ],
  });
}

/** Every file below a folder with its bytes. */
export async function filesBelow(folder: string): Promise<readonly { path: string; bytes: Buffer }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path, bytes: await readFile(path) };
      }),
  );
}

export const PATIENT = {
  resourceType: 'Patient',
  identifier: [{ system: 'urn:mrn', value: '84736251' }],
  name: [{ family: 'Zvonimirovich', given: ['Quentina'] }],
  gender: 'female',
  birthDate: '1971-03-29',
};

/** An Observation whose value keeps its last zero. */
export function observationText(patientId: string, extra = ''): string {
  return `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2345-7"}]},"subject":{"reference":"Patient/${patientId}"},"effectiveDateTime":"2026-03-01T10:00:00Z","valueQuantity":{"value":1.10,"unit":"mmol/L"}${extra}}`;
}
