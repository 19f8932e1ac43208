import { randomBytes } from 'node:crypto';
import { catalog, type MembershipGenesis, membershipGenesisCodec } from '@careledger/capabilities';
import type { FinalHead, FinalTransaction, LedgerPort } from '@careledger/custody';
import {
  type Block,
  type BlockHeader,
  chainIdOf,
  commitBytes,
  decodeTransaction,
  EMPTY_STATE_ROOT,
  type FinalityCertificate,
  genesisCodec,
  genesisHeader,
  headerHash,
  MerkleAccumulator,
  merkleLeafHash,
  proveState,
  proveTransaction,
  resultsRoot,
  type StateEvidence,
  sortValidators,
  type TransactionResult,
  transactionsRoot,
  updateStateTree,
  type Validator,
  validatorsHash,
  verifyTransactionSignature,
} from '@careledger/ledger';
import {
  compareBytes,
  fromHex,
  nodeId,
  organizationId,
  type PublicKey,
  type Signer,
  sha256,
  signerFromSeed,
  toHex,
  verifySignature,
} from '@careledger/primitives';

/** A ledger in one process for tests: it really executes, seals, certifies and proves, with one signer. */
export interface MemoryLedger extends LedgerPort {
  /** Makes a heartbeat now: a fresh head over the same header. */
  heartbeat(): void;
  /** While paused, nothing becomes final and no heartbeat comes: a lost quorum. */
  pause(paused: boolean): void;
  stop(): void;
}

export interface MemoryLedgerOptions {
  readonly organizations: MembershipGenesis['organizations'];
  readonly keys: MembershipGenesis['keys'];
  readonly now?: () => number;
}

const HEARTBEAT_MS = 250;

interface World {
  readonly signer: Signer;
  readonly validators: readonly Validator[];
  readonly genesis: Uint8Array;
  readonly now: () => number;
  readonly values: Map<string, Uint8Array>;
  readonly nodes: Map<string, Uint8Array>;
  readonly blocks: Block[];
  readonly found: Map<string, FinalTransaction>;
  readonly listeners: Set<(head: FinalHead, block: Block | undefined) => void>;
  history: MerkleAccumulator;
  stateRoot: Uint8Array;
  head: FinalHead;
  engineHeight: number;
  paused: boolean;
}

function sealGenesis(options: MemoryLedgerOptions, signer: Signer, now: number) {
  const publicKey = signer.publicKey as PublicKey;
  const organization = options.organizations[0]?.organization ?? organizationId('nobody');
  const validators = sortValidators([{ node: nodeId('node-1'), organization, publicKey, power: 1 }]);
  const applicationState = membershipGenesisCodec.encode({
    organizations: options.organizations,
    nodes: [{ node: nodeId('node-1'), organization, publicKey, fingerprint: randomBytes(32), power: 1 }],
    keys: options.keys,
  });
  const genesis = {
    version: 1,
    network: 'test-consortium',
    time: now,
    engine: { id: 'authority', version: 1 },
    parameters: {
      transactionBytesMax: 65_536,
      blockBytesMax: 1_048_576,
      rulePack: 'opt-in-exchange',
      detectorVersion: 1,
    },
    validators,
    applicationState,
  };
  return { genesis, bytes: genesisCodec.encode(genesis), validators };
}

function certify(
  world: Pick<World, 'signer'>,
  header: BlockHeader,
  engine: { height: number; time: number },
) {
  const hash = headerHash(header);
  const commit = {
    engineHeight: engine.height,
    view: 0,
    time: engine.time,
    ledgerHeight: header.height,
    headerHash: hash,
  };
  const signature = world.signer.sign(commitBytes({ chain: header.chain, ...commit }));
  const publicKey = world.signer.publicKey as PublicKey;
  return { ...commit, signatures: [{ publicKey, signature }] } satisfies FinalityCertificate;
}

function apply(world: World, writes: readonly { key: Uint8Array; value: Uint8Array | undefined }[]): void {
  for (const { key, value } of writes) {
    if (value) world.values.set(toHex(key), value);
    else world.values.delete(toHex(key));
  }
  const updated = updateStateTree({
    root: world.stateRoot,
    changes: writes,
    node: (hash: Uint8Array) => world.nodes.get(toHex(hash)),
  });
  for (const node of updated.nodes) world.nodes.set(toHex(node.hash), node.bytes);
  world.stateRoot = updated.root;
}

function* scan(world: World, prefix: Uint8Array, countMax: number) {
  const name = toHex(prefix);
  const keys = [...world.values.keys()].filter((key) => key.startsWith(name)).toSorted();
  for (const key of keys.slice(0, countMax)) {
    yield [fromHex(key) as Uint8Array, world.values.get(key) as Uint8Array] as const;
  }
}

function execute(
  world: World,
  bytes: Uint8Array,
  context: { height: number; time: number },
): TransactionResult {
  const refusal = (code: number): TransactionResult => ({ code, events: [], gas: 0 });
  const decoded = decodeTransaction(bytes);
  if (!decoded.ok || !verifyTransactionSignature(decoded.value, verifySignature)) return refusal(1);
  const { payload, signer, id } = decoded.value;
  if (payload.expiresAt < context.time || world.found.has(toHex(id))) return refusal(2);
  const state = {
    get: (key: Uint8Array) => world.values.get(toHex(key)),
    scan: (prefix: Uint8Array, max: number) => scan(world, prefix, max),
  };
  const key = catalog.keyInForce(state, signer);
  const capability = catalog.capabilities.find((known) => payload.type in known.messages);
  const type = capability?.messages[payload.type];
  if (!key || !capability || !type) return refusal(3);
  const message = type.codec.decode(payload.body);
  if (!type.signaturesOf(message, payload.chain).every(verifySignature)) return refusal(4);
  const outcome = type.transition(state, message, {
    chain: payload.chain,
    height: context.height,
    blockTime: context.time,
    transactionId: id,
    signerKey: signer,
    signer: key.organization,
    roles: key.roles,
  });
  if (outcome.status === 'rejected') {
    return refusal(capability.codeBase + (capability.rejections[outcome.rejection] ?? 0));
  }
  apply(world, outcome.writes);
  return { code: 0, events: outcome.events, gas: 0 };
}

function seal(world: World, transactions: readonly Uint8Array[]): void {
  const previous = world.head;
  const height = previous.header.height + 1;
  const time = Math.max(previous.time, world.now());
  const results = transactions.map((transaction) => execute(world, transaction, { height, time }));
  world.history = world.history.append(merkleLeafHash(previous.headerHash));
  const header: BlockHeader = {
    ...previous.header,
    height,
    time,
    previousHash: previous.headerHash,
    transactionsRoot: transactionsRoot(transactions),
    resultsRoot: resultsRoot(results),
    stateRoot: world.stateRoot,
    historyRoot: world.history.root(),
    validatorsHash: validatorsHash(world.validators),
    nextValidatorsHash: validatorsHash(world.validators),
    proposer: world.signer.publicKey as PublicKey,
    nonce: height,
  };
  world.engineHeight += 1;
  const certificate = certify(world, header, { height: world.engineHeight, time });
  const block = { header, transactions, results, certificate };
  world.blocks.push(block);
  for (const [index, transaction] of transactions.entries()) {
    const decoded = decodeTransaction(transaction);
    const result = results[index];
    if (decoded.ok && result) {
      world.found.set(toHex(decoded.value.id), { id: decoded.value.id, height, index, time, result });
    }
  }
  becomeFinal(world, header, certificate, block);
}

function becomeFinal(
  world: World,
  header: BlockHeader,
  certificate: FinalityCertificate,
  block?: Block,
): void {
  const { engineHeight, time } = certificate;
  world.head = { engineHeight, time, header, headerHash: headerHash(header), certificate };
  for (const listener of world.listeners) listener(world.head, block);
}

function heartbeat(world: World): void {
  if (world.paused || world.head.header.height === 0) return;
  world.engineHeight += 1;
  const time = Math.max(world.head.time, world.now());
  const certificate = certify(world, world.head.header, { height: world.engineHeight, time });
  becomeFinal(world, world.head.header, certificate);
}

function found(world: World, options: MemoryLedgerOptions): World {
  const sealed = sealGenesis(options, world.signer, world.now());
  apply(world, catalog.initialWrites(sealed.genesis.applicationState));
  const header = genesisHeader({
    genesis: sealed.genesis,
    chain: chainIdOf(sealed.bytes),
    stateRoot: world.stateRoot,
  });
  const certificate = certify(world, header, { height: 0, time: header.time });
  const head = { engineHeight: 0, time: header.time, header, headerHash: headerHash(header), certificate };
  const complete = { ...world, genesis: sealed.bytes, validators: sealed.validators, head };
  seal(complete, []);
  return complete;
}

/** @param options Members and their keys in force; the validator is made here. */
export function createMemoryLedger(options: MemoryLedgerOptions): MemoryLedger {
  const world = found(
    {
      signer: signerFromSeed(sha256(randomBytes(32))),
      validators: [],
      genesis: new Uint8Array(),
      now: options.now ?? Date.now,
      values: new Map(),
      nodes: new Map(),
      blocks: [],
      found: new Map(),
      listeners: new Set(),
      history: MerkleAccumulator.empty,
      stateRoot: EMPTY_STATE_ROOT,
      head: undefined as unknown as FinalHead,
      engineHeight: 0,
      paused: false,
    },
    options,
  );
  const timer = setInterval(() => heartbeat(world), HEARTBEAT_MS);
  timer.unref();
  const node = (hash: Uint8Array): Uint8Array | undefined => world.nodes.get(toHex(hash));
  return {
    chain: chainIdOf(world.genesis),
    genesis: world.genesis,
    submit: async (transaction) => {
      const decoded = decodeTransaction(transaction);
      if (!decoded.ok) throw new Error(decoded.error);
      await new Promise((resolve) => setImmediate(resolve));
      if (world.paused) throw new Error('no quorum');
      seal(world, [transaction]);
      const position = world.found.get(toHex(decoded.value.id));
      if (!position) throw new Error('not found');
      return position;
    },
    find: (id) => world.found.get(toHex(id)),
    head: () => world.head,
    onFinal: (listener) => {
      world.listeners.add(listener);
      return () => world.listeners.delete(listener);
    },
    get: (key) => world.values.get(toHex(key)),
    scan: (prefix, countMax) => [...scan(world, prefix, countMax)].toSorted(([a], [b]) => compareBytes(a, b)),
    block: (height) => world.blocks[height - 1],
    proveState: (key): StateEvidence => {
      const { header, certificate } = world.head;
      const value = world.values.get(toHex(key));
      return { header, certificate, key, value, proof: proveState({ root: header.stateRoot, key, node }) };
    },
    proveTransaction: ({ height, index }) => proveTransaction(world.blocks[height - 1] as Block, index),
    heartbeat: () => heartbeat(world),
    pause: (paused) => {
      world.paused = paused;
    },
    stop: () => clearInterval(timer),
  };
}
