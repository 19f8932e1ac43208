import {
  anchorRecordsCodec,
  consentKey,
  consentRecordCodec,
  keyKey,
  keyRecordCodec,
  retiredKey,
} from '@careledger/capabilities';
import {
  type AuditBundle,
  type Block,
  type BlockHeader,
  type CertifiedHeader,
  certifiedHeaderCodec,
  chainIdOf,
  commitBytes,
  commitmentOf,
  decodeTransaction,
  EMPTY_STATE_ROOT,
  encodeAuditBundle,
  encodeReceipt,
  type FinalityCertificate,
  type Genesis,
  genesisCodec,
  genesisHeader,
  headerHash,
  MerkleAccumulator,
  merkleLeafHash,
  paddingCountOf,
  proveState,
  proveTransaction,
  RECEIPT_KIND,
  recordBatchOf,
  resultsRoot,
  retireKeyOf,
  type StateEvidence,
  signTransaction,
  sortValidators,
  stateEvidenceCodec,
  transactionEvidenceCodec,
  transactionsRoot,
  trustPathCodec,
  updateStateTree,
  type Validator,
  validatorsHash,
} from '@careledger/ledger';
import {
  type ChainId,
  type Commitment,
  type ConsentId,
  fromHex,
  invariant,
  nodeId,
  organizationId,
  type PublicKey,
  type Signer,
  sha256,
  signerFromSeed,
  toHex,
  utf8,
} from '@careledger/primitives';
import { queryAnswer } from './testing-queries.ts';
import type { NodeAnswer, NodeRequest } from './transport.ts';

/** An honest node over a small chain of its own, in memory: what the tests of this package let lie. */
export interface TestNode {
  readonly chain: ChainId;
  readonly genesis: Uint8Array;
  readonly blocks: readonly Block[];
  /** Two validator sets: the second signs from height 3. */
  readonly sets: readonly (readonly Validator[])[];
  /** Answers as of a height; the newest by default. */
  readonly answer: (request: NodeRequest, asOf?: number) => NodeAnswer;
  /** Two anchored records: the first stands, the second was retired at height 5. */
  readonly records: readonly TestRecord[];
}

export const START_TIME = 1_800_000_000_000;
export const TIP_HEIGHT = 5;
export const CHANGE_HEIGHT = 2;
/** Written at height 2, revoked at height 4. */
export const CONSENT_ID = new Uint8Array(16).fill(7) as ConsentId;
export const UNKNOWN_CONSENT_ID = new Uint8Array(16).fill(8) as ConsentId;

/** The transaction that anchors the records of the tests: its height and its place in the block. */
export const ANCHOR_HEIGHT = 3;
const ANCHOR_INDEX = 1;
const ISSUER = organizationId('general-hospital');

/** A record of the tests with its salt. The second is retired at height 5. */
export interface TestRecord {
  readonly salt: Uint8Array;
  readonly bytes: Uint8Array;
  readonly receipt: Uint8Array;
}

const recordSecrets = [0, 1].map((index) => ({
  salt: sha256(utf8(`record salt ${index}`)),
  bytes: utf8(`{"resourceType":"Observation","id":"${index}"}`),
  retireKey: retireKeyOf({
    organization: ISSUER,
    retireSecret: sha256(utf8(`retire secret ${index}`)),
  }),
}));
const recordLeaves = recordSecrets.map(({ salt, bytes, retireKey }) => ({
  commitment: commitmentOf({ salt, bytes }),
  retireKey,
}));
const batch = recordBatchOf({
  leaves: recordLeaves,
  padding: Array.from({ length: paddingCountOf(recordLeaves.length) }, (_, index) =>
    sha256(utf8(`padding ${index}`)),
  ),
});

/** Signer number `index`, always the same. */
export function testSigner(index: number): Signer {
  return signerFromSeed(sha256(utf8(`client test signer ${index}`)));
}

const signers = new Map(
  [...Array(8).keys()].map((index) => [toHex(testSigner(index).publicKey), testSigner(index)]),
);

function validatorsFrom(first: number): readonly Validator[] {
  return sortValidators(
    [0, 1, 2, 3].map((offset) => ({
      node: nodeId(`member-${first + offset}-1`),
      organization: organizationId(`member-${first + offset}`),
      publicKey: testSigner(first + offset).publicKey as PublicKey,
      power: 1,
    })),
  );
}

/** Lets three of four validators sign a header. */
export function certify(header: BlockHeader, validators: readonly Validator[]): FinalityCertificate {
  const commit = {
    engineHeight: header.height + 10,
    view: 0,
    time: header.time + 500,
    ledgerHeight: header.height,
    headerHash: headerHash(header),
  };
  const message = commitBytes({ ...commit, chain: header.chain });
  const signatures = validators.slice(0, 3).map(({ publicKey }) => {
    const signer = signers.get(toHex(publicKey));
    invariant(signer, 'every test validator has a signer');
    return { publicKey, signature: signer.sign(message) };
  });
  return { ...commit, signatures };
}

function testTransaction(chain: ChainId, height: number, index: number): Uint8Array {
  const isAnchor = height === ANCHOR_HEIGHT && index === ANCHOR_INDEX;
  return signTransaction({
    payload: {
      chain,
      nonce: sha256(utf8(`${height}/${index}`)).slice(0, 16),
      expiresAt: START_TIME + 600_000,
      type: isAnchor ? 'records/anchor' : 'consent/grant',
      body: isAnchor
        ? anchorRecordsCodec.encode({ root: batch.root, retirements: [] })
        : utf8(`body ${height}/${index}`),
    },
    signer: testSigner(0),
  }).bytes;
}

function consentAt(revokedAt: number | undefined): Uint8Array {
  return consentRecordCodec.encode({
    custodian: organizationId('general-hospital'),
    commitment: sha256(utf8('commitment')) as Commitment,
    patientKey: testSigner(7).publicKey as PublicKey,
    notBefore: START_TIME,
    notAfter: START_TIME + 1_000_000,
    ...(revokedAt === undefined ? {} : { revokedAt }),
  });
}

/** State writes of a height: the consent of the tests, and something else at every height. */
function writesAt(height: number) {
  const other = { key: utf8(`test/${height}`), value: utf8(`value ${height}`) };
  if (height === 1) return [other, { key: keyKey(testSigner(0).publicKey), value: issuerRecord() }];
  if (height === 2) return [other, { key: consentKey(CONSENT_ID), value: consentAt(undefined) }];
  if (height === 4) return [other, { key: consentKey(CONSENT_ID), value: consentAt(START_TIME + 4_000) }];
  if (height === 5) return [other, { key: retiredKey(secretOf(1).retireKey), value: sha256(utf8('next')) }];
  return [other];
}

function secretOf(index: number) {
  const secret = recordSecrets[index];
  invariant(secret, 'there are two records');
  return secret;
}

function issuerRecord(): Uint8Array {
  return keyRecordCodec.encode({ organization: ISSUER, roles: ['custodian'], standing: 'active' });
}

class TestState {
  readonly nodes = new Map<string, Uint8Array>();
  /** Index: height. */
  readonly roots: Uint8Array[] = [];
  readonly values: Map<string, Uint8Array>[] = [];

  readonly node = (hash: Uint8Array): Uint8Array | undefined => this.nodes.get(toHex(hash));

  advance(height: number): Uint8Array {
    const changes = writesAt(height);
    const root = this.roots.at(-1) ?? EMPTY_STATE_ROOT;
    const updated = updateStateTree({ root, node: this.node, changes });
    for (const added of updated.nodes) this.nodes.set(toHex(added.hash), added.bytes);
    const values = new Map(this.values.at(-1));
    for (const { key, value } of changes) values.set(toHex(key), value);
    this.roots.push(updated.root);
    this.values.push(values);
    return updated.root;
  }
}

interface Growth {
  readonly genesis: Genesis;
  readonly chain: ChainId;
  readonly sets: readonly (readonly Validator[])[];
  readonly state: TestState;
}

function setAt({ sets }: Pick<Growth, 'sets'>, height: number): readonly Validator[] {
  const set = sets[height > CHANGE_HEIGHT ? 1 : 0];
  invariant(set, 'there are two sets');
  return set;
}

function nextBlock(growth: Growth, previous: BlockHeader, history: MerkleAccumulator): Block {
  const { chain, genesis, state } = growth;
  const height = previous.height + 1;
  const transactions = [0, 1, 2].map((index) => testTransaction(chain, height, index));
  const results = transactions.map((_, index) => ({ code: index === 2 ? 4_001 : 0, events: [], gas: 1 }));
  const header: BlockHeader = {
    version: 1,
    chain,
    engine: genesis.engine,
    height,
    time: START_TIME + height * 1_000,
    previousHash: headerHash(previous),
    transactionsRoot: transactionsRoot(transactions),
    resultsRoot: resultsRoot(results),
    stateRoot: state.advance(height),
    historyRoot: history.root(),
    validatorsHash: validatorsHash(setAt(growth, height)),
    nextValidatorsHash: validatorsHash(setAt(growth, height + 1)),
    proposer: testSigner(2).publicKey as PublicKey,
    nonce: height,
    seal: new Uint8Array(0),
  };
  return { header, transactions, results, certificate: certify(header, setAt(growth, height)) };
}

/** Makes the chain and the node that answers from it. */
export function createTestNode(): TestNode {
  const sets = [validatorsFrom(0), validatorsFrom(3)];
  const genesis: Genesis = {
    version: 1,
    network: 'client-test',
    time: START_TIME,
    engine: { id: 'pbft', version: 1 },
    parameters: {
      transactionBytesMax: 65_536,
      blockBytesMax: 1_048_576,
      rulePack: 'opt-in-exchange',
      detectorVersion: 1,
    },
    validators: sets[0] ?? [],
    applicationState: new Uint8Array(0),
  };
  const bytes = genesisCodec.encode(genesis);
  const growth: Growth = { genesis, chain: chainIdOf(bytes), sets, state: new TestState() };
  const first = genesisHeader({ genesis, chain: growth.chain, stateRoot: growth.state.advance(0) });
  const blocks: Block[] = [];
  let header = first;
  let history = MerkleAccumulator.empty;
  for (let height = 1; height <= TIP_HEIGHT; height += 1) {
    history = history.append(merkleLeafHash(headerHash(header)));
    const block = nextBlock(growth, header, history);
    blocks.push(block);
    header = block.header;
  }
  const store = { growth, genesis: bytes, first, blocks };
  return {
    chain: growth.chain,
    genesis: bytes,
    blocks,
    sets,
    records: recordSecrets.map((secret, index) => ({ ...secret, receipt: receiptOf(store, index) })),
    answer: (request, asOf = TIP_HEIGHT) => answerFrom(store, request, asOf),
  };
}

function receiptOf(store: Store, index: number): Uint8Array {
  const leaf = recordLeaves[index];
  const leafProof = batch.proofs[index];
  invariant(leaf && leafProof, 'the batch holds every record');
  const anchor = proveTransaction(blockOf(store, ANCHOR_HEIGHT), ANCHOR_INDEX);
  return encodeReceipt({ kind: RECEIPT_KIND, leaf, leafProof, anchor, trust: trustOf(store) });
}

interface Store {
  readonly growth: Growth;
  readonly genesis: Uint8Array;
  readonly first: BlockHeader;
  readonly blocks: readonly Block[];
}

function blockOf(store: Store, height: number): Block {
  const block = store.blocks[height - 1];
  invariant(block, 'the chain has this height');
  return block;
}

function trustOf(store: Store) {
  const changes: readonly CertifiedHeader[] = [blockOf(store, CHANGE_HEIGHT)];
  return { genesis: store.genesis, changes, validatorSets: store.growth.sets.slice(1) };
}

function stateEvidence(store: Store, key: Uint8Array, height: number): StateEvidence {
  const { header, certificate } = blockOf(store, height);
  const { state } = store.growth;
  const value = state.values[height]?.get(toHex(key));
  const proof = proveState({ root: header.stateRoot, node: state.node, key });
  return { header, certificate, key, value, proof };
}

function transactionAnswer(store: Store, id: string): Uint8Array | undefined {
  for (const block of store.blocks) {
    for (const [index, bytes] of block.transactions.entries()) {
      const decoded = decodeTransaction(bytes);
      if (decoded.ok && toHex(decoded.value.id) === id) {
        return transactionEvidenceCodec.encode(proveTransaction(block, index));
      }
    }
  }
  return undefined;
}

function bundleAnswer(store: Store, from: number, to: number): Uint8Array {
  let history = MerkleAccumulator.empty.append(merkleLeafHash(headerHash(store.first)));
  for (let height = 1; height < from; height += 1) {
    history = history.append(merkleLeafHash(headerHash(blockOf(store, height).header)));
  }
  const bundle: AuditBundle = {
    kind: 'careledger/audit-bundle/1',
    trust: from > CHANGE_HEIGHT ? trustOf(store) : { ...trustOf(store), changes: [] },
    previous: from === 1 ? store.first : blockOf(store, from - 1).header,
    history,
    entries: store.blocks.slice(from - 1, to).map(({ header, certificate, transactions, results }) => ({
      certified: { header, certificate },
      body: { transactions, results },
      selected: [],
    })),
  };
  return encodeAuditBundle(bundle);
}

function bodyOf(store: Store, request: NodeRequest, asOf: number): Uint8Array | undefined {
  const url = new URL(request.path, 'https://node');
  const [, , , , what = '', id = ''] = url.pathname.split('/');
  const number = (name: string): number => Number(url.searchParams.get(name) ?? asOf);
  switch (what) {
    case 'genesis':
      return store.genesis;
    case 'trust-path':
      return trustPathCodec.encode(trustOf(store));
    case 'head':
      return certifiedHeaderCodec.encode(headOf(blockOf(store, asOf)));
    case 'state':
      return stateEvidenceCodec.encode(
        stateEvidence(store, fromHex(id) ?? new Uint8Array(0), number('height')),
      );
    case 'transactions':
      return request.method === 'POST' ? new Uint8Array(0) : transactionAnswer(store, id);
    case 'audit-bundle': {
      const until = Number(url.searchParams.get('until') ?? Number.POSITIVE_INFINITY);
      const since = Number(url.searchParams.get('since') ?? 0);
      const inSpan = store.blocks.filter(({ header }) => header.time >= since && header.time <= until);
      const heights = inSpan.map(({ header }) => header.height);
      if (url.searchParams.has('since')) return bundleAnswer(store, heights[0] ?? 1, heights.at(-1) ?? 1);
      return bundleAnswer(store, number('from'), number('to'));
    }
    default:
      return undefined;
  }
}

function headOf({ header, certificate }: Block): CertifiedHeader {
  return { header, certificate };
}

function answerFrom(store: Store, request: NodeRequest, asOf: number): NodeAnswer {
  const { growth, first, blocks } = store;
  const parts = {
    ...{ chain: growth.chain, first, blocks, signer: testSigner(0) },
    stateAt: (key: Uint8Array, height: number) => stateEvidence(store, key, height),
  };
  const url = new URL(request.path, 'https://node');
  const body = (request.method === 'GET' && queryAnswer(parts, url)) || bodyOf(store, request, asOf);
  if (body) return { status: 200, body };
  return { status: 404, body: utf8('{"code":"node/not-found","message":"no","help":"no"}') };
}
