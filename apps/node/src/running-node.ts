import { randomBytes } from 'node:crypto';
import { type Equivocation, nodeByFingerprint } from '@careledger/capabilities';
import type { Effect } from '@careledger/consensus';
import { type ChainParameters, type Genesis, TRANSACTION_NONCE_BYTES } from '@careledger/ledger';
import { type ChainId, toHex } from '@careledger/primitives';
import { ApiServer } from './api/api-server.ts';
import { type Chain, DivergenceError } from './chain/chain.ts';
import { EvidenceDesk } from './chain/evidence.ts';
import { pruneBodies } from './chain/prune-bodies.ts';
import { verifyStore } from './chain/verify-store.ts';
import { blocksAnswer, CatchUp } from './engines/embedded/catch-up.ts';
import { EmbeddedEngine } from './engines/embedded/embedded-engine.ts';
import { protocolOf } from './engines/embedded/protocol-of.ts';
import { equivocationOf, reportTransaction } from './equivocation-report.ts';
import { messageOf, NodeError } from './errors.ts';
import { writeEvidence } from './evidence-file.ts';
import type { NodeStatus, PruneReport, StoreVerdict } from './ledger-node.ts';
import { listening } from './listening.ts';
import type { Log } from './log.ts';
import { TransactionDesk } from './mempool/transaction-desk.ts';
import { type Closing, closeAll, type OpenedNode, openNode } from './open-node.ts';
import type { NodeAddresses, NodeOptions } from './options.ts';
import type { TransactionVerifier } from './signatures/transaction-verifier.ts';
import { verifyWithSodium } from './signatures/verify-batch.ts';
import { helloOf } from './transport/handshake.ts';
import { Mesh, type Peer } from './transport/mesh.ts';
import type { PeerMessage } from './transport/peer-message.ts';

const DEFAULT_HOST = '127.0.0.1';
/** How often it is asked whether old bodies can go. */
const PRUNE_EVERY_BLOCKS = 64;

/** All parts of a node between its start and its stop. */
export class RunningNode {
  readonly chain: Chain;
  readonly mesh: Mesh;
  readonly desk: TransactionDesk;
  readonly evidence: EvidenceDesk;
  readonly verifier: TransactionVerifier;
  readonly chainId: ChainId;
  readonly options: NodeOptions;
  readonly log: Log;
  readonly #genesis: Genesis;
  readonly #engine: EmbeddedEngine;
  readonly #catchUp: CatchUp;
  readonly #closing: Closing;
  #halted: Error | undefined;
  #addresses: NodeAddresses | undefined;
  /** Refused connections since the start, by code. */
  readonly refusedPeers = new Map<string, number>();

  private constructor(opened: OpenedNode) {
    const { options, chain, verifier, log } = opened;
    this.chain = chain;
    this.verifier = verifier;
    this.chainId = opened.chainId;
    this.options = options;
    this.log = log;
    this.#genesis = opened.genesis;
    this.#closing = opened.closing;
    this.evidence = new EvidenceDesk(chain, options.genesis, options);
    this.mesh = this.#makeMesh();
    this.desk = new TransactionDesk({
      chain,
      verifier,
      log,
      broadcast: (message) => this.mesh.broadcast(message),
      onChange: () => this.#engine.pendingChanged(),
    });
    this.#engine = this.#makeEngine(opened);
    this.#catchUp = new CatchUp({
      chain,
      mesh: this.mesh,
      log,
      exclusively: (work) => this.#engine.exclusively(work),
      onCaughtUp: () => this.#engine.advanced(),
      onFault: (fault) => this.#halt(fault),
    });
  }

  /** @throws NodeError with what stands in the way; nothing stays open then. */
  static async start(options: NodeOptions): Promise<RunningNode> {
    const closing: Closing = [];
    try {
      const node = new RunningNode(await openNode(options, closing));
      await node.#serve();
      return node;
    } catch (fault) {
      await closeAll(closing);
      throw fault;
    }
  }

  get addresses(): NodeAddresses {
    if (!this.#addresses)
      throw new NodeError('node/not-running', 'the node does not listen yet', 'Start it first.');
    return this.#addresses;
  }

  get halted(): Error | undefined {
    return this.#halted;
  }

  /** What the charter allows. */
  get parameters(): ChainParameters {
    return this.#genesis.parameters;
  }

  status(): NodeStatus {
    const { head, store } = this.chain;
    return {
      node: this.options.node,
      chain: this.chainId,
      engine: this.#genesis.engine,
      engineHeight: head.engineHeight,
      height: head.header.height,
      headerHash: head.headerHash,
      stateRoot: head.header.stateRoot,
      time: head.time,
      peers: this.mesh.topology(),
      mempool: { transactions: this.desk.mempool.count, bytes: this.desk.mempool.bytes },
      storage: {
        segmentBytes: store.segments.bytes,
        transactions: store.index.transactionCount,
        prunedBelow: store.prunedBelow,
      },
      halted: this.#halted?.message ?? store.writeFault,
    };
  }

  verifyStore(): Promise<StoreVerdict> {
    return verifyStore(this.chain.store, { bytes: this.options.genesis, chain: this.chainId });
  }

  /** Between two steps of the protocol, so that the chain stands still. */
  pruneBodies(wish: { readonly below: number; readonly atLeast?: number }): Promise<PruneReport> {
    const { genesis } = this.options;
    return this.#engine.exclusively(() => pruneBodies(this.chain, { genesis, ...wish }));
  }

  /** Puts it on the ledger under this node's own key. Every honest node does so; the first report stands. */
  #report(equivocation: Equivocation): void {
    const nonce = new Uint8Array(randomBytes(TRANSACTION_NONCE_BYTES));
    const { signer } = this.options;
    const report = reportTransaction(equivocation, { chain: this.chainId, signer, now: Date.now(), nonce });
    this.desk.submit(report).catch((fault: unknown) => {
      this.log.warn({ problem: messageOf(fault) }, 'a contradiction could not be put on the ledger');
    });
  }

  async stop(): Promise<void> {
    await closeAll(this.#closing);
  }

  async #serve(): Promise<void> {
    const { host = DEFAULT_HOST, apiPort, peerPort } = this.options.listen;
    const { chain, mesh, desk } = this;
    this.#closing.push(() => this.#quiet());
    chain.store.index.onFault = (fault) => this.#halt(fault);
    chain.onFinal((head, block) => {
      desk.onFinal(block, head.time);
      if (block) mesh.dropRevoked();
      if (block && block.header.height % PRUNE_EVERY_BLOCKS === 0) this.#pruneOld();
    });
    this.#pruneOld();
    const peer = await listening('peer-to-peer', peerPort, () => mesh.listen(host, peerPort));
    const api = new ApiServer(this);
    this.#closing.push(() => api.close());
    const port = await listening('API', apiPort, () => api.listen(host, apiPort));
    const name = host === DEFAULT_HOST ? 'localhost' : host;
    this.#addresses = {
      api: { host, port, url: `https://${name}:${port}` },
      peer: { host, port: peer },
    };
    this.#engine.start();
    mesh.addPeers(this.options.peers);
    this.log.info({ ...this.#addresses, height: chain.height, node: this.options.node }, 'the node serves');
  }

  /** Prunes what is older than this node keeps, once that is as much as it keeps. */
  #pruneOld(): void {
    const { bodiesKept } = this.options;
    const { height, store } = this.chain;
    if (bodiesKept === undefined || height < store.prunedBelow + 2 * bodiesKept) return;
    this.pruneBodies({ below: height - bodiesKept + 1, atLeast: bodiesKept }).then(
      (report) => this.log.info(report, 'old bodies were pruned'),
      (fault: unknown) => this.log.warn({ problem: messageOf(fault) }, 'old bodies were not pruned'),
    );
  }

  /** Stops taking part; what is stored can still be read. */
  async #quiet(): Promise<void> {
    this.chain.store.giveUp();
    this.desk.close();
    await this.#catchUp.stop();
    await this.#engine.stop();
    await this.mesh.close();
  }

  #makeMesh(): Mesh {
    const { options, chainId, log } = this;
    const { state } = this.chain.store.index;
    return new Mesh({
      tls: options.tls,
      hello: helloOf({ chain: chainId, engine: this.#genesis.engine, node: options.node }),
      authenticate: (fingerprint) => nodeByFingerprint(state, fingerprint),
      log,
      onPeer: (peer) => this.desk.tellNewPeer(peer.send),
      onMessage: (peer, message) => this.#receive(peer, message),
      onRefused: ({ code }) => this.refusedPeers.set(code, (this.refusedPeers.get(code) ?? 0) + 1),
    });
  }

  #makeEngine({ options, votes, chain, verifier, log, genesis, chainId }: OpenedNode): EmbeddedEngine {
    const protocol = protocolOf(genesis.engine, {
      chain: chainId,
      self: toHex(options.signer.publicKey),
      sign: options.signer.sign,
      verify: (key, message, signature) =>
        verifyWithSodium({ publicKey: Buffer.from(key, 'hex'), message, signature }),
      restored: votes.restored,
      timing: options.timings ?? {},
      limits: { ...options.batching, blockBytesMax: genesis.parameters.blockBytesMax },
    });
    return new EmbeddedEngine({
      protocol,
      chain,
      verifier,
      votes,
      log,
      broadcast: (bytes) => this.mesh.broadcast({ kind: 'consensus', bytes }),
      send: (key, bytes) => this.mesh.peerByKey(key)?.send({ kind: 'consensus', bytes }),
      candidates: () => this.desk.candidates(options.batching?.transactionsMax),
      pending: () => ({ count: this.desk.mempool.count, bytes: this.desk.mempool.bytes }),
      onBehind: (from) => this.#catchUp.begin(from),
      onEvidence: (evidence) => this.#keepEvidence(evidence),
      onHalt: (halt) => this.#halt(haltError(halt), halt),
      onFault: (fault) => this.#halt(fault),
    });
  }

  #receive(peer: Peer, message: PeerMessage): void {
    switch (message.kind) {
      case 'consensus':
        this.#engine.receive(peer.key, message.bytes);
        return;
      case 'transactions':
        this.desk.receive(message.transactions, peer.key).catch((fault: unknown) => this.#halt(fault));
        return;
      case 'blocks-request':
        peer.send(blocksAnswer(this.chain, message, this.log));
        return;
      case 'blocks':
        this.#catchUp.receive(peer, message.number, message.blocks);
        return;
      case 'blocks-pruned':
        this.#catchUp.receivePruned(peer, message.number, message.below);
        return;
      default:
        peer.drop(`a ${message.kind} out of place`);
    }
  }

  #keepEvidence(evidence: Extract<Effect, { readonly type: 'evidence' }>): void {
    const { against, first, second } = evidence;
    const file = writeEvidence(this.options.folder, 'equivocation', { against, first, second });
    this.log.error({ against, file }, 'a validator signed two contradicting messages');
    const equivocation = equivocationOf(evidence);
    if (equivocation) this.#report(equivocation);
  }

  /** Nothing can be trusted from here on: keep what shows why, stop taking part, tell whoever runs this node. */
  #halt(fault: unknown, evidence: object = {}): void {
    if (this.#halted || (fault instanceof NodeError && fault.code === 'node/stopping')) return;
    this.#halted = fault instanceof Error ? fault : new Error(messageOf(fault));
    const details =
      fault instanceof DivergenceError ? { certified: fault.certified, computed: fault.computed } : {};
    const file = writeEvidence(this.options.folder, 'halt', {
      reason: this.#halted.message,
      stack: this.#halted.stack,
      height: this.chain.height,
      ...details,
      ...evidence,
    });
    this.log.error({ problem: this.#halted.message, file }, 'the node halts');
    void this.#quiet().then(() => this.#halted && this.options.onHalt?.(this.#halted));
  }
}

function haltError({ reason }: Extract<Effect, { readonly type: 'halt' }>): NodeError {
  return new NodeError(
    'node/diverged',
    reason,
    'Keep the evidence file and compare this node’s version with its peers’.',
  );
}
