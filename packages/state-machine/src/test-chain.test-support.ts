import {
  chainIdOf,
  type Genesis,
  genesisCodec,
  signTransaction,
  sortValidators,
  type Validator,
} from '@careledger/ledger';
import {
  type ChainId,
  type Codec,
  concat,
  fixedBytes,
  fromUtf8,
  list,
  nodeId,
  type OrganizationId,
  organizationId,
  type PublicKey,
  publicKeyCodec,
  type Signer,
  signerFromSeed,
  struct,
  text,
  uint,
  utf8,
  verifySignature,
} from '@careledger/primitives';
import type { BlockProposal, CommitBatch, VerifyTransaction } from './application.ts';
import { accepted, type Capability, messageType, rejected, type StateReader } from './capability.ts';
import type { Catalog } from './catalog.ts';
import { createApplication, type LedgerApplication } from './create-application.ts';
import { initChain } from './init-chain.ts';
import { MemoryStore } from './memory-store.ts';
import { verifyTransactionWith } from './verify-transaction.ts';

/** A capability for tests alone: it has what no real one has, a field of free text, and it counts. */
const noteCodec: Codec<{ readonly note: string }> = struct({ note: text({ bytesMax: 200 }) });
export const addCodec: Codec<{ readonly amount: number }> = struct({ amount: uint });
export const leaveCodec: Codec<{ readonly publicKey: PublicKey }> = struct({ publicKey: publicKeyCodec });
export const counterSignedCodec: Codec<{ readonly publicKey: PublicKey; readonly signature: Uint8Array }> =
  struct({
    publicKey: publicKeyCodec,
    signature: fixedBytes(64),
  });

const KEY_PREFIX = utf8('counter/key/');
const TOTAL_KEY = utf8('counter/total');
export const SIZE_LIMIT = 2_000;
export const BLOCK_LIMIT = 4_000;

export function totalIn(state: StateReader): number {
  const bytes = state.get(TOTAL_KEY);
  return bytes === undefined ? 0 : uint.decode(bytes);
}

const counter: Capability = {
  name: 'counter',
  codeBase: 9000,
  rejections: { 'counter/too-much': 1 },
  messages: {
    'counter/add': messageType({
      codec: addCodec,
      transition: (state, { amount }) => {
        if (amount > 100) return rejected('counter/too-much');
        const total = totalIn(state) + amount;
        return accepted(
          [{ key: TOTAL_KEY, value: uint.encode(total) }],
          [{ type: 'counter/added', attributes: { total: String(total) } }],
        );
      },
    }),
    'counter/note': messageType({ codec: noteCodec, transition: () => accepted([], []) }),
    'counter/leave': messageType({
      codec: leaveCodec,
      transition: (_, { publicKey }) =>
        accepted([{ key: concat(KEY_PREFIX, publicKey), value: undefined }], []),
    }),
    'counter/countersigned': messageType({
      codec: counterSignedCodec,
      transition: () => accepted([], []),
      signaturesOf: ({ publicKey, signature }, chain) => [{ publicKey, message: chain, signature }],
    }),
  },
  invariants: [],
};

const foundersCodec = list(publicKeyCodec, { countMax: 16 });
const home: OrganizationId = organizationId('general-hospital');

/** Every founder validates for as long as its key stands in state. */
export const testCatalog: Catalog = {
  capabilities: [counter],
  keyInForce: (state, publicKey) => {
    const owner = state.get(concat(KEY_PREFIX, publicKey));
    return owner && { organization: fromUtf8(owner) as OrganizationId, roles: ['custodian'] };
  },
  isTypeInForce: () => true,
  validators: (state) =>
    [...state.scan(KEY_PREFIX, 100)].map(([key], index) => ({
      node: nodeId(`node-${index}`),
      organization: home,
      publicKey: key.slice(KEY_PREFIX.length) as PublicKey,
      power: 1,
    })),
  initialWrites: (applicationState) =>
    foundersCodec
      .decode(applicationState)
      .map((publicKey) => ({ key: concat(KEY_PREFIX, publicKey), value: utf8(home) })),
};

export function signerOf(number: number): Signer {
  return signerFromSeed(new Uint8Array(32).fill(number));
}

export const START = 1_800_000_000_000;

export function testGenesis(founders: readonly Signer[]): Genesis {
  const publicKeys = founders.map(({ publicKey }) => publicKey as PublicKey);
  const sorted = sortValidators(
    publicKeys.map(
      (publicKey): Validator => ({ node: nodeId('node-0'), organization: home, publicKey, power: 1 }),
    ),
  );
  return {
    version: 1,
    network: 'test',
    time: START,
    engine: { id: 'authority', version: 1 },
    parameters: {
      transactionBytesMax: SIZE_LIMIT,
      blockBytesMax: BLOCK_LIMIT,
      rulePack: 'opt-in-exchange',
      detectorVersion: 1,
    },
    validators: sorted.map((validator, index) => ({ ...validator, node: nodeId(`node-${index}`) })),
    applicationState: foundersCodec.encode(publicKeys),
  };
}

let counterOfNonces = 0;

/** One node's state machine over a store in memory, and the means to talk to it. */
export class TestChain {
  readonly founders: readonly Signer[];
  readonly genesis: Genesis;
  readonly chain: ChainId;
  readonly store = new MemoryStore();
  readonly verifyTransaction: VerifyTransaction;
  readonly blocks: CommitBatch[] = [];
  application: LedgerApplication;

  constructor(founders: readonly Signer[] = [signerOf(1), signerOf(2)]) {
    this.founders = founders;
    this.genesis = testGenesis(founders);
    this.chain = chainIdOf(genesisCodec.encode(this.genesis));
    this.verifyTransaction = verifyTransactionWith({
      verifySignature,
      catalog: testCatalog,
      chain: this.chain,
      parameters: this.genesis.parameters,
    });
    this.store.apply(initChain({ genesis: this.genesis, catalog: testCatalog }));
    this.application = this.start();
  }

  /** Starts the state machine anew over the same store, as after a restart. */
  start(): LedgerApplication {
    const head = this.blocks.at(-1)?.header;
    return createApplication({
      genesis: this.genesis,
      catalog: testCatalog,
      store: this.store,
      verifyTransaction: this.verifyTransaction,
      ...(head ? { head } : {}),
    });
  }

  get time(): number {
    return this.application.info().header.time;
  }

  sign(
    type: string,
    body: Uint8Array,
    options: { signer?: Signer; expiresAt?: number; chain?: ChainId; nonce?: Uint8Array } = {},
  ): Uint8Array {
    counterOfNonces += 1;
    const nonce = new Uint8Array(16);
    new DataView(nonce.buffer).setUint32(0, counterOfNonces);
    return signTransaction({
      payload: {
        chain: options.chain ?? this.chain,
        nonce: options.nonce ?? nonce,
        expiresAt: options.expiresAt ?? this.time + 60_000,
        type,
        body,
      },
      signer: options.signer ?? this.proposer,
    }).bytes;
  }

  add(amount: number, options: Parameters<TestChain['sign']>[2] = {}): Uint8Array {
    return this.sign('counter/add', addCodec.encode({ amount }), options);
  }

  note(note: string): Uint8Array {
    return this.sign('counter/note', noteCodec.encode({ note }));
  }

  get proposer(): Signer {
    const [first] = this.founders;
    if (!first) throw new Error('a chain has a founder');
    return first;
  }

  proposal(transactions: readonly Uint8Array[], changes: Partial<BlockProposal> = {}): BlockProposal {
    const { height, headerHash } = this.application.info();
    return {
      height: height + 1,
      parentHash: headerHash,
      time: this.time + 1_000,
      proposer: this.proposer.publicKey as PublicKey,
      transactions,
      ...changes,
    };
  }

  /** Executes, finalizes and commits one block. */
  commit(transactions: readonly Uint8Array[], changes: Partial<BlockProposal> = {}): CommitBatch {
    const draft = this.application.execute(this.proposal(transactions, changes));
    const batch = this.application.finalize(draft.headerHash);
    this.store.apply(batch);
    this.application.commit(draft.headerHash);
    this.blocks.push(batch);
    return batch;
  }

  codes(transactions: readonly Uint8Array[], changes: Partial<BlockProposal> = {}): readonly number[] {
    return this.commit(transactions, changes).results.map(({ code }) => code);
  }
}
