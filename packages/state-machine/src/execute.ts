import {
  type BlockHeader,
  headerHash,
  merkleLeafHash,
  resultsRoot,
  type Transaction,
  type TransactionResult,
  transactionsRoot,
  updateStateTree,
  type Validator,
  validatorsHash,
} from '@careledger/ledger';
import { type HeaderHash, invariant, utf8 } from '@careledger/primitives';
import type {
  BlockProposal,
  KeyChange,
  StateStore,
  VerifiedTransaction,
  VerifyTransaction,
} from './application.ts';
import { Branch } from './branch.ts';
import type { TransitionContext, Write } from './capability.ts';
import { type Catalog, dispatchOf, type KeyInForce } from './catalog.ts';
import { type Refusal, refusals } from './refusals.ts';
import {
  EXPIRY_AHEAD_MAX,
  isBucketOver,
  minuteOf,
  ReplayBranch,
  type ReplayReader,
} from './replay-window.ts';
import {
  extendBucket,
  listBuckets,
  readBlockCount,
  readBucket,
  readHistory,
  removeBucket,
  writeBlockCount,
  writeBucket,
  writeHistory,
} from './system-state.ts';

/** A block that others can be built on: the committed one, or a draft. */
export interface Parent {
  readonly header: BlockHeader;
  readonly headerHash: HeaderHash;
  readonly state: StateStore;
  readonly replay: ReplayReader;
  /** The set that signs the next header. */
  readonly validators: readonly Validator[];
}

/** What one block did, not yet final. */
export interface ExecutedBlock extends Parent {
  readonly state: Branch;
  readonly replay: ReplayBranch;
  readonly transactions: readonly Uint8Array[];
  readonly results: readonly TransactionResult[];
  readonly changes: readonly KeyChange[];
}

export interface Rules {
  readonly catalog: Catalog;
  readonly verifyTransaction: VerifyTransaction;
}

function refusal(code: number): TransactionResult {
  return { code, events: [], gas: 0 };
}

function checkWrites(capability: string, writes: readonly Write[]): void {
  const prefix = utf8(`${capability}/`);
  for (const { key } of writes) {
    invariant(
      prefix.every((byte, index) => key[index] === byte),
      'a capability writes under its own name only',
    );
  }
}

/** Where and when a transaction is judged. */
export interface Circumstances {
  readonly catalog: Catalog;
  readonly state: StateStore;
  readonly replay: ReplayReader;
  readonly height: number;
  readonly time: number;
}

/** A transaction that nothing but its own rule can still refuse. */
interface Admitted {
  readonly code: 0;
  readonly key: KeyInForce;
}

/** What speaks against a well-formed transaction before its rule runs: replay, time, key. */
export function admit(
  { id, signer, payload }: Transaction,
  { catalog, state, replay, time }: Circumstances,
): Admitted | { readonly code: Exclude<number, 0>; readonly key: undefined } {
  const against = (reason: Refusal) => ({ code: refusals[reason], key: undefined });
  if (replay.has(id, time)) return against('transaction/replayed');
  if (payload.expiresAt < time) return against('transaction/expired');
  if (payload.expiresAt > time + EXPIRY_AHEAD_MAX) return against('transaction/expires-too-late');
  if (!catalog.isTypeInForce(state, payload.type)) return against('transaction/version-not-in-force');
  const key = catalog.keyInForce(state, signer);
  return key ? { code: 0, key } : against('transaction/signer-not-in-force');
}

/** What the rule of an admitted transaction says. Writes nothing. */
export function transition(
  { transaction, message: content }: Extract<VerifiedTransaction, { readonly ok: true }>,
  key: KeyInForce,
  { catalog, state, height, time }: Circumstances,
): { readonly result: TransactionResult; readonly reason: string; readonly writes: readonly Write[] } {
  const { id, signer, payload } = transaction;
  const dispatch = dispatchOf(catalog, payload.type);
  invariant(dispatch, 'a verified transaction is of a known type');
  const { capability, message } = dispatch;
  const context: TransitionContext = {
    chain: payload.chain,
    height,
    blockTime: time,
    transactionId: id,
    signerKey: signer,
    signer: key.organization,
    roles: key.roles,
  };
  const outcome = message.transition(state, content, context);
  if (outcome.status === 'rejected') {
    const number = capability.rejections[outcome.rejection];
    invariant(number, 'every rejection has a number');
    return { result: refusal(capability.codeBase + number), reason: outcome.rejection, writes: [] };
  }
  checkWrites(capability.name, outcome.writes);
  return { result: { code: 0, events: outcome.events, gas: 0 }, reason: '', writes: outcome.writes };
}

/** Runs one transaction on a branch. Whatever becomes of it, a well-formed one is remembered against replay. */
function executeTransaction(
  bytes: Uint8Array,
  verifyTransaction: VerifyTransaction,
  circumstances: Circumstances & { readonly state: Branch; readonly replay: ReplayBranch },
): { readonly result: TransactionResult; readonly writes: readonly Write[] } {
  const refused = (code: number) => ({ result: refusal(code), writes: [] });
  const verified = verifyTransaction(bytes);
  if (!verified.ok) return refused(refusals[verified.reason]);
  const { transaction } = verified;
  const { code, key } = admit(transaction, circumstances);
  if (code !== refusals['transaction/replayed']) circumstances.replay.add(transaction.id);
  if (!key) return refused(code);
  const { result, writes } = transition(verified, key, circumstances);
  circumstances.state.write(writes);
  return { result, writes };
}

function replayWrites(
  state: Branch,
  replay: ReplayBranch,
  { time, before }: { readonly time: number; readonly before: number },
): readonly Write[] {
  const minute = minuteOf(time);
  // A bucket ends with a minute: within one, the blocks before have removed every bucket that is over.
  const open = minute === minuteOf(before) ? [] : listBuckets(state);
  const over = open.filter((bucket) => isBucketOver(bucket.minute, time));
  const removed = over.map((bucket) => removeBucket(bucket.minute));
  if (replay.ids.length === 0) return removed;
  return [...removed, writeBucket(minute, extendBucket(readBucket(state, minute), replay.ids))];
}

/** Is none of these keys one that the validator set follows from? */
function leavesValidators(writes: readonly Write[], { validatorsUnder: prefix }: Catalog): boolean {
  return (
    prefix !== undefined && !writes.some(({ key }) => prefix.every((byte, index) => key[index] === byte))
  );
}

/** Executes a whole proposal over its parent, copy-on-write: the parent and its other children see nothing of it. */
export function executeBlock(proposal: BlockProposal, parent: Parent, rules: Rules): ExecutedBlock {
  const { height, time, proposer, transactions } = proposal;
  const state = new Branch(parent.state);
  const replay = new ReplayBranch(parent.replay, time);
  const circumstances = { catalog: rules.catalog, state, replay, height, time };
  const outcomes = transactions.map((bytes) =>
    executeTransaction(bytes, rules.verifyTransaction, circumstances),
  );
  const results = outcomes.map(({ result }) => result);
  const changes = outcomes.flatMap(({ writes }, transaction) =>
    writes.map(({ key, value }) => ({ key, value, transaction })),
  );

  const history = readHistory(parent.state).append(merkleLeafHash(parent.headerHash));
  const nonce = readBlockCount(parent.state, proposer) + 1;
  state.write([
    writeHistory(history),
    writeBlockCount(proposer, nonce),
    ...replayWrites(state, replay, { time, before: parent.header.time }),
  ]);
  const writes = state.writes();
  const tree = updateStateTree({ root: parent.header.stateRoot, node: state.node, changes: writes });
  state.keepNodes(tree.nodes);
  const isSameSet = leavesValidators(writes, rules.catalog);
  const validators = isSameSet ? parent.validators : rules.catalog.validators(state);
  invariant(validators.length > 0, 'a chain always has a validator');

  const header: BlockHeader = {
    version: parent.header.version,
    chain: parent.header.chain,
    engine: parent.header.engine,
    height,
    time,
    previousHash: parent.headerHash,
    transactionsRoot: transactionsRoot(transactions),
    resultsRoot: resultsRoot(results),
    stateRoot: tree.root,
    historyRoot: history.root(),
    validatorsHash: parent.header.nextValidatorsHash,
    nextValidatorsHash: isSameSet ? parent.header.nextValidatorsHash : validatorsHash(validators),
    proposer,
    nonce,
    seal: new Uint8Array(0),
  };
  return {
    header,
    headerHash: headerHash(header),
    state,
    replay,
    validators,
    transactions,
    results,
    changes,
  };
}
