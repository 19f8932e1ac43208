import {
  type BlockHeader,
  chainIdOf,
  type Genesis,
  genesisCodec,
  signTransaction,
  sortValidators,
} from '@careledger/ledger';
import {
  type ChainId,
  type Codec,
  nodeId,
  type OrganizationId,
  organizationId,
  type PublicKey,
  type Signer,
  sha256,
  signerFromSeed,
  toHex,
  utf8,
  verifySignature,
} from '@careledger/primitives';
import {
  type CommitBatch,
  createApplication,
  dispatchOf,
  initChain,
  type LedgerApplication,
  MemoryStore,
  replayBlock,
  type VerifiedTransaction,
  type VerifyTransaction,
  verifyTransactionWith,
} from '@careledger/state-machine';
import { catalog } from './catalog.ts';
import { type MembershipGenesis, membershipGenesisCodec } from './membership/index.ts';

export const START = 1_800_000_000_000;

const signers = new Map<string, Signer>();

/** A key for everyone, from its name. */
export function signerNamed(name: string): Signer {
  const signer = signers.get(name) ?? signerFromSeed(sha256(utf8(name)));
  signers.set(name, signer);
  return signer;
}

export function keyNamed(name: string): PublicKey {
  return signerNamed(name).publicKey as PublicKey;
}

export const hospital: OrganizationId = organizationId('general-hospital');
export const clinic: OrganizationId = organizationId('city-clinic');
export const plan: OrganizationId = organizationId('acme-health-plan');
export const county: OrganizationId = organizationId('county-public-health');
export const members: readonly OrganizationId[] = [hospital, clinic, plan, county];

const ENTITY_TYPES = { [hospital]: 'provider', [clinic]: 'provider', [plan]: 'payer' } as const;

/** Four organizations, each with one validator, one administrator key and one gateway key. */
export const founders: MembershipGenesis = {
  organizations: members.map((organization) => ({
    organization,
    entityType: ENTITY_TYPES[organization] ?? 'public-health',
    encryptionKey: sha256(utf8(`${organization} encryption`)),
  })),
  nodes: members.map((organization) => ({
    node: nodeId(`${organization}-1`),
    organization,
    publicKey: keyNamed(`${organization} node`),
    fingerprint: sha256(utf8(`${organization} certificate`)),
    power: 1,
  })),
  keys: members.flatMap((organization) => [
    { publicKey: keyNamed(`${organization} administrator`), organization, roles: ['administrator'] },
    { publicKey: keyNamed(`${organization} gateway`), organization, roles: ['custodian'] },
    { publicKey: keyNamed(`${organization} auditor`), organization, roles: ['auditor'] },
  ]),
};

export const genesis: Genesis = {
  version: 1,
  network: 'test-consortium',
  time: START,
  engine: { id: 'authority', version: 1 },
  parameters: {
    transactionBytesMax: 65_536,
    blockBytesMax: 1_048_576,
    rulePack: 'opt-in-exchange',
    detectorVersion: 1,
  },
  validators: sortValidators(founders.nodes.map(({ fingerprint: _, ...validator }) => validator)),
  applicationState: membershipGenesisCodec.encode(founders),
};

export const chain: ChainId = chainIdOf(genesisCodec.encode(genesis));

let nonces = 0;

/** A message as its capability's codec describes it; the codec in the catalog checks it, but not ready-made bytes. */
export interface Spoken {
  readonly by: string;
  readonly type: string;
  readonly message: unknown;
}

/** Signs a message as `general-hospital gateway`, `city-clinic administrator`, ... */
export function speak({ by, type, message }: Spoken, time: number): Uint8Array {
  const dispatch = dispatchOf(catalog, type);
  if (!dispatch) throw new Error(`no such type: ${type}`);
  nonces += 1;
  const nonce = new Uint8Array(16);
  new DataView(nonce.buffer).setUint32(0, nonces);
  const { codec }: { codec: Codec<unknown> } = dispatch.message;
  const body = message instanceof Uint8Array ? message : codec.encode(message);
  const payload = { chain, nonce, expiresAt: time + 300_000, type, body };
  return signTransaction({ payload, signer: signerNamed(by) }).bytes;
}

/** What a block did with one message: the name of the rejection, or `accepted`. */
function wordFor(code: number): string {
  if (code === 0) return 'accepted';
  for (const { codeBase, rejections } of catalog.capabilities) {
    const found = Object.entries(rejections).find(([, number]) => codeBase + number === code);
    if (found) return found[0];
  }
  return `code ${code}`;
}

const verify = verifyTransactionWith({
  verifySignature,
  catalog,
  chain,
  parameters: genesis.parameters,
});
const verified = new Map<string, VerifiedTransaction>();

/** Verifies each transaction once, as a node does. */
const verifyTransaction: VerifyTransaction = (bytes) => {
  const name = toHex(bytes);
  const known = verified.get(name) ?? verify(bytes);
  verified.set(name, known);
  return known;
};

const founded = initChain({ genesis, catalog });

/** One node's view of the consortium. */
export class Consortium {
  readonly store = new MemoryStore();
  readonly blocks: CommitBatch[] = [];
  readonly application: LedgerApplication;

  constructor() {
    this.store.apply(founded);
    this.application = createApplication({
      genesis,
      catalog,
      store: this.store,
      verifyTransaction,
      head: founded.header,
    });
  }

  get header(): BlockHeader {
    return this.application.info().header;
  }

  /** One block with these messages; the outcome of each in words. */
  say(...spoken: readonly Spoken[]): readonly string[] {
    return this.seal(spoken.map((one) => speak(one, this.header.time)));
  }

  seal(transactions: readonly Uint8Array[]): readonly string[] {
    const { height, headerHash, header, validators } = this.application.info();
    const [first] = validators;
    if (!first) throw new Error('a chain has a validator');
    const proposal = {
      height: height + 1,
      parentHash: headerHash,
      time: header.time + 1_000,
      proposer: first.publicKey,
      transactions,
    };
    const draft = this.application.execute(proposal);
    const batch = this.application.finalize(draft.headerHash);
    this.store.apply(batch);
    this.application.commit(draft.headerHash);
    this.blocks.push(batch);
    this.checkInvariants();
    return batch.results.map(({ code }) => wordFor(code));
  }

  checkInvariants(): void {
    for (const { invariants } of catalog.capabilities) {
      for (const { name, check } of invariants) {
        const broken = check(this.store);
        if (broken !== undefined) throw new Error(`${name}: ${broken}`);
      }
    }
  }

  /** Another node that executes the same blocks from genesis. @throws when any header differs. */
  replayed(): Consortium {
    const other = new Consortium();
    for (const block of this.blocks) {
      other.store.apply(replayBlock(other.application, block));
      other.application.commit(block.headerHash);
    }
    return other;
  }

  /** Every key and value, for comparison. */
  entries(): readonly (readonly [Uint8Array, Uint8Array])[] {
    return [...this.store.scan(new Uint8Array(0), 100_000)];
  }
}
