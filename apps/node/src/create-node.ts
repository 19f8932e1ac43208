import { chainIdOf } from '@careledger/ledger';
import type { ChainId } from '@careledger/primitives';
import { NodeError } from './errors.ts';
import type { FinalHead, LedgerNode, NodeStatus } from './ledger-node.ts';
import type { NodeAddresses, NodeOptions, PeerAddress } from './options.ts';
import { RunningNode } from './running-node.ts';

/**
 * Makes a ledger node. Nothing is opened before `start`, and after `stop` it may be started again.
 *
 * @example
 * const node = createNode({ folder, genesis, node: nodeId('general-hospital-1'), signer, tls, listen, peers });
 * const { api } = await node.start();
 */
export function createNode(options: NodeOptions): LedgerNode {
  return new RestartableNode(options);
}

class RestartableNode implements LedgerNode {
  readonly chain: ChainId;
  readonly genesis: Uint8Array;
  readonly #options: NodeOptions;
  readonly #peers: PeerAddress[];
  #running: RunningNode | undefined;
  #change: Promise<unknown> = Promise.resolve();

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#peers = [...options.peers];
    this.genesis = options.genesis;
    this.chain = chainIdOf(options.genesis);
  }

  start(): Promise<NodeAddresses> {
    const started = this.#change.then(async () => {
      if (this.#running) return this.#running.addresses;
      this.#running = await RunningNode.start({ ...this.#options, peers: this.#peers });
      return this.#running.addresses;
    });
    this.#change = started.catch(() => undefined);
    return started;
  }

  stop(): Promise<void> {
    const stopped = this.#change.then(async () => {
      const running = this.#running;
      this.#running = undefined;
      await running?.stop();
    });
    this.#change = stopped.catch(() => undefined);
    return stopped;
  }

  addPeers(peers: readonly PeerAddress[]): void {
    this.#peers.push(...peers);
    this.#running?.mesh.addPeers(peers);
  }

  status(): NodeStatus {
    return this.#here().status();
  }

  verifyStore() {
    return this.#here().verifyStore();
  }

  async pruneBodies(options: { readonly below: number }) {
    return this.#here().pruneBodies(options);
  }

  async submit(transaction: Uint8Array) {
    return this.#here().desk.submit(transaction);
  }

  find(id: Uint8Array) {
    return this.#here().evidence.find(id);
  }

  head(): FinalHead {
    return this.#here().chain.head;
  }

  onFinal(listener: Parameters<LedgerNode['onFinal']>[0]) {
    return this.#here().chain.onFinal(listener);
  }

  get(key: Uint8Array) {
    return this.#here().chain.store.index.state.get(key);
  }

  scan(prefix: Uint8Array, countMax: number) {
    return this.#here().chain.store.index.state.scan(prefix, countMax);
  }

  block(height: number) {
    return this.#here().chain.store.block(height);
  }

  proveState(key: Uint8Array, height?: number) {
    return this.#here().evidence.proveState(key, height);
  }

  proveTransaction(position: { readonly height: number; readonly index: number }) {
    return this.#here().evidence.proveTransaction(position);
  }

  trustPath() {
    return this.#here().evidence.trustPath();
  }

  #here(): RunningNode {
    if (this.#running) return this.#running;
    throw new NodeError(
      'node/not-running',
      `the node ${this.#options.node} is not running`,
      'Start it first.',
    );
  }
}
