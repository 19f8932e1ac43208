import {
  type ChainId,
  encodeCbor,
  nodeId,
  organizationId,
  type PublicKey,
  type Signer,
  sha256,
  signerFromSeed,
  toHex,
  utf8,
  type VerifySignature,
  verifySignature,
} from '@careledger/primitives';
import type { Block, BlockHeader, FinalityCertificate, TransactionResult, Validator } from './block.ts';
import { headerHash, resultsRoot, sortValidators, transactionsRoot, validatorsHash } from './block-codecs.ts';
import { type ChainTip, nextTip } from './block-link.ts';
import { commitBytes } from './certificate.ts';
import { chainIdOf, type Genesis, genesisCodec, genesisHeader } from './genesis.ts';
import { MerkleAccumulator } from './merkle/accumulator.ts';
import { EMPTY_STATE_ROOT } from './state-tree/nodes.ts';
import { updateStateTree } from './state-tree/update.ts';
import { signTransaction } from './transaction.ts';

/** A small chain made by hand, for the tests of this package: every header sealed, certified and linked. */
export interface TestChain {
  readonly genesis: Uint8Array;
  readonly chain: ChainId;
  /** The tip at height 0. */
  readonly start: ChainTip;
  /** Heights 1 and up. */
  readonly blocks: readonly Block[];
  /** Validator sets in the order of their reign; the first is that of genesis. */
  readonly sets: readonly (readonly Validator[])[];
  readonly node: (hash: Uint8Array) => Uint8Array | undefined;
}

export const GENESIS_TIME = 1_800_000_000_000;

/** Signer number `index`, always the same. */
export function testSigner(index: number): Signer {
  return signerFromSeed(sha256(utf8(`test signer ${index}`)));
}

function validatorOf(index: number): Validator {
  return {
    node: nodeId(`member-${index}-1`),
    organization: organizationId(`member-${index}`),
    publicKey: testSigner(index).publicKey as PublicKey,
    power: 10,
  };
}

/** Four validators of equal power, numbered from `first`. */
export function testValidators(first: number): readonly Validator[] {
  return sortValidators([0, 1, 2, 3].map((offset) => validatorOf(first + offset)));
}

const signers = new Map(
  [...Array(16).keys()].map((index) => [toHex(testSigner(index).publicKey), testSigner(index)]),
);

/** Signs a header by these validators, one engine height above it. */
export function certify(
  header: BlockHeader,
  validators: readonly Validator[],
  change: Partial<FinalityCertificate> = {},
): FinalityCertificate {
  const commit = {
    engineHeight: header.height + 1,
    view: 0,
    time: header.time,
    ledgerHeight: header.height,
    headerHash: headerHash(header),
    ...change,
  };
  const message = commitBytes({ ...commit, chain: header.chain });
  const signatures = validators.map(({ publicKey }) => ({
    publicKey,
    signature: (signers.get(toHex(publicKey)) as Signer).sign(message),
  }));
  return { signatures, ...commit };
}

const remembered = new Map<string, boolean>();

/** {@link verifySignature} that remembers its verdicts: thousands of mutations share most of their signatures. */
export const verifyRemembered: VerifySignature = (claim) => {
  const name = toHex(encodeCbor([claim.publicKey, claim.message, claim.signature]));
  const known = remembered.get(name);
  if (known !== undefined) return known;
  const verdict = verifySignature(claim);
  remembered.set(name, verdict);
  return verdict;
};

/** A signed transaction whose content depends on its arguments alone. */
export function testTransaction(
  chain: ChainId,
  name: string,
  message?: { type: string; body: Uint8Array },
): Uint8Array {
  const payload = {
    chain,
    nonce: sha256(utf8(name)).slice(0, 16),
    expiresAt: GENESIS_TIME + 600_000,
    type: message?.type ?? 'records/note',
    body: message?.body ?? encodeCbor(utf8(name)),
  };
  return signTransaction({ payload, signer: testSigner(0) }).bytes;
}

export function testGenesis(): {
  readonly genesis: Genesis;
  readonly bytes: Uint8Array;
  readonly chain: ChainId;
} {
  const genesis: Genesis = {
    version: 1,
    network: 'test-consortium',
    time: GENESIS_TIME,
    engine: { id: 'pbft', version: 1 },
    parameters: {
      transactionBytesMax: 65_536,
      blockBytesMax: 1_048_576,
      rulePack: 'opt-in-exchange',
      detectorVersion: 1,
    },
    validators: testValidators(0),
    applicationState: new Uint8Array(0),
  };
  const bytes = genesisCodec.encode(genesis);
  return { genesis, bytes, chain: chainIdOf(bytes) };
}

/** Result number `index` of a block: the third is a refusal. */
function resultOf(index: number): TransactionResult {
  const events = [{ type: 'records/noted', attributes: { number: String(index) } }];
  return index === 2 ? { code: 2001, events: [], gas: 3 } : { code: 0, events, gas: 10 + index };
}

/**
 * @param options.length How many blocks above genesis.
 * @param options.transactionsAt Transactions of a height; three by default.
 * @param options.changeAt The height whose header names the next set, which signs from the height above it.
 */
export function makeTestChain(options: {
  readonly length: number;
  readonly transactionsAt?: (chain: ChainId, height: number) => readonly Uint8Array[];
  readonly changeAt?: number;
}): TestChain {
  const { genesis, bytes, chain } = testGenesis();
  const nodes = new Map<string, Uint8Array>();
  const node = (hash: Uint8Array) => nodes.get(toHex(hash));
  const write = (root: Uint8Array, height: number) => {
    const changes = [0, 1, 2].map((index) => ({
      key: utf8(`test/${height}/${index}`),
      value: utf8(`value ${height}`),
    }));
    const updated = updateStateTree({ root, node, changes });
    for (const added of updated.nodes) nodes.set(toHex(added.hash), added.bytes);
    return updated.root;
  };
  const sets = [genesis.validators, testValidators(2)];
  const { changeAt = Number.POSITIVE_INFINITY } = options;
  const setAt = (height: number) => sets[height > changeAt ? 1 : 0] as readonly Validator[];
  const first = genesisHeader({ genesis, chain, stateRoot: write(EMPTY_STATE_ROOT, 0) });
  const start = nextTip(MerkleAccumulator.empty, first);
  const blocks: Block[] = [];
  let tip = start;
  for (let height = 1; height <= options.length; height += 1) {
    const transactions =
      options.transactionsAt?.(chain, height) ??
      [0, 1, 2].map((index) => testTransaction(chain, `transaction ${height}/${index}`));
    const results = transactions.map((_, index) => resultOf(index));
    const header: BlockHeader = {
      version: 1,
      chain,
      engine: genesis.engine,
      height,
      time: GENESIS_TIME + height * 1000,
      previousHash: tip.headerHash,
      transactionsRoot: transactionsRoot(transactions),
      resultsRoot: resultsRoot(results),
      stateRoot: write(tip.header.stateRoot, height),
      historyRoot: tip.history.root(),
      validatorsHash: validatorsHash(setAt(height)),
      nextValidatorsHash: validatorsHash(setAt(height + 1)),
      proposer: testSigner(2).publicKey as PublicKey,
      nonce: height,
      seal: new Uint8Array(0),
    };
    blocks.push({ header, transactions, results, certificate: certify(header, setAt(height).slice(0, 3)) });
    tip = nextTip(tip.history, header);
  }
  return {
    genesis: bytes,
    chain,
    start,
    blocks,
    sets: changeAt > options.length ? sets.slice(0, 1) : sets,
    node,
  };
}
